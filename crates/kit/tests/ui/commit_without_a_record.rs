//! A transaction in which nothing was recorded cannot commit.

use kit::{Clean, Tx};

async fn answer(tx: Tx<Clean>) {
    let _ = tx.commit(|()| ()).await;
}

async fn quietly(tx: Tx<Clean>) {
    let _ = tx.commit_quietly().await;
}

fn main() {}
