//! A row is written with a pen and nothing else.

use kit::{Clean, Row, Tx, Unchanged};

async fn write(mut tx: Tx<Clean>) {
    let _ = Unchanged.write(tx.conn()).await;
}

fn main() {}
