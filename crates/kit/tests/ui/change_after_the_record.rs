//! After the record nothing more can be changed in its transaction.

use kit::{Recorded, Tx, Unchanged};

async fn change(mut tx: Tx<Recorded<Unchanged>>) {
    let _ = tx.conn();
}

fn main() {}
