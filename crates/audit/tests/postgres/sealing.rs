//! What is committed is sealed, once, whatever order it is committed in.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use audit::{
    Board, Error, MAX_ROWS, Sealer, Snapshot, Tail, Verdict, Witnesses, latest_head, seal_once,
};
use sqlx::AssertSqlSafe;
use tokio::sync::oneshot;

use crate::database::{clinical, execute, key, rows, with_database};

const SEALED: Verdict = Verdict::Intact { tail: Tail { rows: 0, age: None } };

#[tokio::test]
async fn seals_form_a_chain_over_all_rows() {
    with_database(|db| async move {
        let seals = db.write_and_seal(&[3, 1, 7]).await;
        assert_eq!(seals.iter().map(|seal| seal.claim.n).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(seals[0].claim.since, Snapshot::NOTHING);
        assert_eq!(seals[1].claim.since, seals[0].claim.until);
        assert_eq!(seals[2].claim.prev_head, seals[1].head);
        assert_eq!(db.seal().await, None);
        let report = db.verify().await;
        assert_eq!((report.seals, report.rows, report.verdict), (3, 11, SEALED));
        assert_eq!(report.head, Some(seals[2].position()));
        assert_eq!(latest_head(&db.audit, &clinical()).await.unwrap(), report.head);
    })
    .await;
}

#[tokio::test]
async fn an_empty_log_is_intact_and_what_is_unsealed_is_counted() {
    with_database(|db| async move {
        assert_eq!(db.seal().await, None);
        assert_eq!(db.verify().await.verdict, SEALED);
        for (sealed, unsealed) in [(0, 2), (2, 5)] {
            db.write(unsealed).await;
            let report = db.verify().await;
            let Verdict::Intact { tail } = report.verdict else { panic!("{report:?}") };
            assert_eq!((report.rows, tail.rows), (sealed, unsealed as i64));
            assert!(tail.age.is_some_and(|age| age < Duration::from_secs(60)));
            db.seal().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_row_that_commits_late_is_in_the_seal_after_its_commit() {
    with_database(|db| async move {
        let mut early = db.app.begin().await.unwrap();
        sqlx::query(AssertSqlSafe(rows(2))).execute(&mut *early).await.unwrap();
        db.write(1).await;
        let first = db.seal().await.unwrap().claim;
        assert_eq!((first.row_count, first.min_seq, first.max_seq), (1, 3, 3));
        assert!(!first.until.sees(first.until.xmax()));
        early.commit().await.unwrap();
        let second = db.seal().await.unwrap().claim;
        assert_eq!((second.row_count, second.min_seq, second.max_seq), (2, 1, 2));
        assert_eq!(db.verify().await.verdict, SEALED);
    })
    .await;
}

#[tokio::test]
async fn only_one_sealer_seals_at_a_time() {
    with_database(|db| async move {
        db.write(1).await;
        let mut leader = db.admin.begin().await.unwrap();
        sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('audit seal clinical', 0))")
            .execute(&mut *leader)
            .await
            .unwrap();
        assert_eq!(db.seal().await, None);
        leader.rollback().await.unwrap();
        assert!(db.seal().await.is_some());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_of_concurrent_writers_is_sealed_exactly_once() {
    with_database(|db| async move {
        let writing = Arc::new(AtomicBool::new(true));
        let sealers = [0, 1].map(|_| {
            let (pool, writing) = (db.audit.clone(), writing.clone());
            tokio::spawn(async move {
                while writing.load(Ordering::Relaxed) {
                    seal_once(&pool, &clinical(), &key(), &Witnesses::new()).await.unwrap();
                }
            })
        });
        let writers: Vec<_> =
            (0..5).map(|n| tokio::spawn(write_in_transactions(db.app.clone(), n))).collect();
        for writer in writers {
            writer.await.unwrap();
        }
        writing.store(false, Ordering::Relaxed);
        for sealer in sealers {
            sealer.await.unwrap();
        }
        while db.seal().await.is_some() {}
        let report = db.verify().await;
        assert_eq!((report.rows, report.verdict), (db.count("clinical.audit_log").await, SEALED));
        assert!(report.rows > 400 && report.seals > 1, "{} in {}", report.rows, report.seals);
    })
    .await;
}

/// Transactions of several statements that overlap with those of other writers; one in five is
/// rolled back. Every writer ends only after some hundred statements.
async fn write_in_transactions(pool: sqlx::PgPool, writer: usize) {
    for turn in 0..60 {
        let mut tx = pool.begin().await.unwrap();
        for _ in 0..=(turn + writer) % 4 {
            sqlx::query(AssertSqlSafe(rows(1))).execute(&mut *tx).await.unwrap();
            tokio::task::yield_now().await;
        }
        if turn % 5 == 4 {
            tx.rollback().await.unwrap();
        } else {
            tx.commit().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_backlog_is_sealed_in_full_batches() {
    with_database(|db| async move {
        let each =
            format!("DO $$ BEGIN FOR turn IN 1..10000 LOOP {}; COMMIT; END LOOP; END $$", rows(1));
        execute(&db.app, &each).await;
        db.write(10_000).await;
        let mut counts = Vec::new();
        while let Some(seal) = db.seal().await {
            counts.push(seal.claim.row_count);
        }
        let full = MAX_ROWS as i64;
        assert_eq!(counts.iter().sum::<i64>(), 20_000);
        assert_eq!(counts.iter().filter(|count| **count == full).count(), 4, "{counts:?}");
        let report = db.verify().await;
        assert_eq!((report.rows, report.verdict), (20_000, SEALED));
    })
    .await;
}

#[tokio::test]
async fn a_window_of_exactly_one_full_seal_has_no_rest() {
    with_database(|db| async move {
        let seals = db.write_and_seal(&[MAX_ROWS, 1]).await;
        assert_eq!(seals[1].claim.since, seals[0].claim.until);
        assert_eq!(db.verify().await.verdict, SEALED);
    })
    .await;
}

#[tokio::test]
async fn what_a_full_last_seal_has_left_counts_as_unsealed() {
    with_database(|db| async move {
        db.write_and_seal(&[MAX_ROWS + 2]).await;
        let Verdict::Intact { tail } = db.verify().await.verdict else { panic!("broken") };
        assert_eq!(tail.rows, 2);
        assert_eq!(db.seal().await.unwrap().claim.row_count, 2);
        assert_eq!(db.verify().await.verdict, SEALED);
    })
    .await;
}

#[tokio::test]
async fn a_counter_that_went_back_stops_the_sealer() {
    with_database(|db| async move {
        db.write_and_seal(&[1]).await;
        db.tamper("UPDATE clinical.audit_seals SET until = '4000000000:4000000000:'").await;
        db.write(1).await;
        let refused = seal_once(&db.audit, &clinical(), &key(), &Witnesses::new()).await;
        assert!(matches!(refused, Err(Error::CounterRewound { sealed: 4_000_000_000, .. })));
    })
    .await;
}

#[tokio::test]
async fn the_background_sealer_seals_posts_its_head_and_stops_when_told() {
    with_database(|db| async move {
        let board = Arc::new(Board::default());
        let (stop, stopped) = oneshot::channel::<()>();
        let sealer = Sealer {
            pool: db.audit.clone(),
            schema: clinical(),
            key: Arc::new(key()),
            board: board.clone(),
        };
        let shutdown = async { drop(stopped.await) };
        let running = tokio::spawn(sealer.run(Duration::from_millis(5), shutdown));
        db.write(4).await;
        let head = posted(&board).await;
        assert_eq!(latest_head(&db.audit, &clinical()).await.unwrap(), Some(head));
        stop.send(()).unwrap();
        running.await.unwrap();
        assert_eq!(db.verify().await.verdict, SEALED);
    })
    .await;
}

async fn posted(board: &Board) -> audit::Head {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let heads = board.neighbours(&"observer".parse().unwrap());
        if let Some(head) = heads.get(&clinical()) {
            return *head;
        }
        assert!(Instant::now() < deadline, "no head was posted");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_log_has_no_column_that_the_encoding_leaves_out() {
    with_database(|db| async move {
        let columns: Vec<String> = sqlx::query_scalar(
            "SELECT attname::text FROM pg_attribute
             WHERE attrelid = 'clinical.audit_log'::regclass AND attnum > 0 ORDER BY attnum",
        )
        .fetch_all(&db.admin)
        .await
        .unwrap();
        assert_eq!(columns, crate::tampering::LOG_COLUMNS.map(|(column, _)| column));
    })
    .await;
}
