//! A proof holds for its row, outside the database, and for nothing else.

use audit::{Error, Hash, MAX_ROWS, Problem, SealingKey, prove};
use uuid::Uuid;

use crate::database::{Database, clinical, keys, with_database};

async fn ids(db: &Database) -> Vec<Uuid> {
    let sql = "SELECT id FROM clinical.audit_log ORDER BY seq";
    sqlx::query_scalar(sql).fetch_all(&db.admin).await.unwrap()
}

#[tokio::test]
async fn every_sealed_row_has_a_proof() {
    with_database(|db| async move {
        db.write_and_seal(&[1, 2, 7]).await;
        for (place, id) in ids(&db).await.into_iter().enumerate() {
            let proof = prove(&db.audit, &clinical(), id).await.unwrap();
            assert_eq!((proof.row.id, proof.row.seq), (id, place as i64 + 1));
            assert_eq!(proof.check(&keys()), Ok(()));
        }
    })
    .await;
}

#[tokio::test]
async fn a_row_in_the_rest_of_a_large_transaction_has_a_proof() {
    with_database(|db| async move {
        db.write_and_seal(&[MAX_ROWS + 1]).await;
        let last = *ids(&db).await.last().unwrap();
        let unsealed = prove(&db.audit, &clinical(), last).await;
        assert!(matches!(unsealed, Err(Error::RowNotSealed { .. })), "{unsealed:?}");
        db.seal().await.unwrap();
        let proof = prove(&db.audit, &clinical(), last).await.unwrap();
        assert_eq!((proof.seal.claim.n, proof.index), (2, 0));
        assert_eq!(proof.check(&keys()), Ok(()));
    })
    .await;
}

#[tokio::test]
async fn a_proof_that_was_changed_does_not_hold() {
    with_database(|db| async move {
        db.write_and_seal(&[8]).await;
        let proof = prove(&db.audit, &clinical(), ids(&db).await[5]).await.unwrap();
        let mut row = proof.clone();
        row.row.actor_id.push('x');
        let mut index = proof.clone();
        index.index = 4;
        let mut path = proof.clone();
        path.path[1] = Hash::ZERO;
        for changed in [row, index, path] {
            assert!(matches!(changed.check(&keys()), Err(Problem::RowChanged { .. })));
        }
        let mut seal = proof.clone();
        seal.seal.claim.root = Hash::ZERO;
        assert_eq!(seal.check(&keys()), Err(Problem::Head));
        let strangers = [SealingKey::from_seed([5; 32]).public().clone()].into_iter().collect();
        assert!(matches!(proof.check(&strangers), Err(Problem::UnknownKey(_))));
    })
    .await;
}

#[tokio::test]
async fn a_changed_row_has_no_proof_and_its_neighbours_keep_theirs() {
    with_database(|db| async move {
        db.write_and_seal(&[3]).await;
        db.tamper("UPDATE clinical.audit_log SET actor_id = 'x' WHERE seq = 2").await;
        let ids = ids(&db).await;
        let changed = prove(&db.audit, &clinical(), ids[1]).await;
        assert!(matches!(changed, Err(Error::RowNotInSeal { n: 1, .. })), "{changed:?}");
        let neighbour = prove(&db.audit, &clinical(), ids[0]).await.unwrap();
        assert_eq!(neighbour.check(&keys()), Ok(()));
        let unknown = prove(&db.audit, &clinical(), Uuid::from_u128(1)).await;
        assert!(matches!(unknown, Err(Error::RowNotFound { .. })));
    })
    .await;
}
