//! One transaction tells one change.

use kit::{Change, Clean, Result, Tx, Unchanged};

async fn change(tx: Tx<Clean>) -> Result<()> {
    let tx = tx.record(Change::of(Unchanged, "brand", "loop")).await?;
    tx.record(Change::of(Unchanged, "brand", "loop")).await?;
    Ok(())
}

fn main() {}
