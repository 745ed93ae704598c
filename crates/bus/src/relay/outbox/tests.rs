//! The reader on a real outbox.

use std::collections::{BTreeMap, HashMap, HashSet};

use proptest::prelude::*;
use sqlx::{PgConnection, Postgres, Row as _, Transaction};
use tokio::runtime::Runtime;

use super::{Cursor, NEW_ROWS, try_lock};
use crate::Error;
use crate::tests::database::{Database, run, shorts, write};

/// Sends nowhere: the next page, and the cursor behind it.
async fn tick(cursor: &mut Cursor, conn: &mut PgConnection, limit: i64) -> Vec<String> {
    let page = cursor.read(conn, "clinical", limit).await.unwrap();
    if let Some(place) = page.place {
        cursor.advance(conn, place).await.unwrap();
    }
    shorts(&page.envelopes)
}

/// A cursor of the empty outbox, past the backlog that a new one begins with.
async fn begin(conn: &mut PgConnection, bus: &'static str) -> Cursor {
    let mut cursor = Cursor::take(conn, bus).await.unwrap();
    assert_eq!(tick(&mut cursor, conn, 10).await, [""; 0]);
    cursor
}

/// What most outboxes are read with.
async fn naive(conn: &mut PgConnection, last: &mut i64) -> Vec<String> {
    let rows = sqlx::query("SELECT seq, key, version FROM outbox WHERE seq > $1 ORDER BY seq")
        .bind(*last)
        .fetch_all(conn)
        .await
        .unwrap();
    *last = rows.last().map_or(*last, |row| row.get("seq"));
    rows.iter()
        .map(|row| format!("{}{}", row.get::<String, _>("key"), row.get::<i64, _>("version")))
        .collect()
}

/// T2 (older) and T3 are open while T1 commits; T2 then changes what T1 changed. A reader by sequence
/// number misses, a reader by oldest open transaction sends the second change first.
#[tokio::test]
async fn late_commits_are_neither_lost_nor_put_before_what_they_saw() {
    let database = Database::create().await;
    let mut conn = database.drain().await;
    let mut cursor = begin(&mut conn, "durable").await;
    let mut last = 0;

    let mut t2 = database.pool.begin().await.unwrap();
    write(&mut t2, "b").await;
    let mut t3 = database.pool.begin().await.unwrap();
    write(&mut t3, "c").await;
    database.emit(&["a"]).await;
    assert_eq!(naive(&mut conn, &mut last).await, ["a1"]);
    write(&mut t2, "a").await;
    t2.commit().await.unwrap();

    // T1 before T2 although T2's transaction number is lower and its first row older.
    assert_eq!(tick(&mut cursor, &mut conn, 100).await, ["b1", "a1", "a2"]);
    assert_eq!(tick(&mut cursor, &mut conn, 100).await, [""; 0]);
    t3.commit().await.unwrap();
    assert_eq!(tick(&mut cursor, &mut conn, 100).await, ["c1"]);
    assert_eq!(tick(&mut cursor, &mut conn, 100).await, [""; 0]);
    // The scenario tells readers apart: b1 and c1 are lost to this one.
    assert_eq!(naive(&mut conn, &mut last).await, ["a2"]);
}

#[tokio::test]
async fn a_backlog_is_paged_to_where_it_ended_when_it_was_found() {
    let database = Database::create().await;
    let mut conn = database.drain().await;
    let mut cursor = begin(&mut conn, "durable").await;
    let mut late = database.pool.begin().await.unwrap();
    write(&mut late, "late").await;
    for _ in 0..5 {
        database.emit(&["a"]).await;
    }
    assert_eq!(tick(&mut cursor, &mut conn, 2).await, ["a1", "a2"]);
    late.commit().await.unwrap();
    database.emit(&["a"]).await;
    // Another leader goes on from the same place.
    let mut cursor = Cursor::take(&mut conn, "durable").await.unwrap();
    assert_eq!(tick(&mut cursor, &mut conn, 2).await, ["a3", "a4"]);
    assert_eq!(tick(&mut cursor, &mut conn, 2).await, ["a5"]);
    assert_eq!(tick(&mut cursor, &mut conn, 2).await, ["late1", "a6"]);
    assert_eq!(tick(&mut cursor, &mut conn, 2).await, [""; 0]);
    assert_eq!(tick(&mut cursor, &mut conn, 2).await, [""; 0]);
}

#[tokio::test]
async fn a_new_cursor_begins_with_the_first_row() {
    let database = Database::create().await;
    let mut conn = database.drain().await;
    database.emit(&["a", "b", "c"]).await;
    let mut cursor = Cursor::take(&mut conn, "durable").await.unwrap();
    database.emit(&["a"]).await;
    assert_eq!(tick(&mut cursor, &mut conn, 2).await, ["a1", "b1"]);
    assert_eq!(tick(&mut cursor, &mut conn, 2).await, ["c1"]);
    assert_eq!(tick(&mut cursor, &mut conn, 2).await, ["a2"]);
}

#[tokio::test]
async fn a_bus_that_skips_ahead_skips_the_whole_backlog() {
    let database = Database::create().await;
    let mut conn = database.drain().await;
    let mut cursor = begin(&mut conn, "fast").await;
    for _ in 0..5 {
        database.emit(&["a"]).await;
    }
    let page = cursor.read(&mut conn, "clinical", 2).await.unwrap().skip_ahead();
    cursor.advance(&mut conn, page.place.unwrap()).await.unwrap();
    database.emit(&["b"]).await;
    assert_eq!(tick(&mut cursor, &mut conn, 2).await, ["b1"]);
}

#[tokio::test]
async fn a_leader_that_was_replaced_cannot_move_the_cursor() {
    let database = Database::create().await;
    let (mut old, mut new) = (database.drain().await, database.drain().await);
    let mut zombie = begin(&mut old, "durable").await;
    let mut leader = Cursor::take(&mut new, "durable").await.unwrap();
    database.emit(&["a"]).await;
    let page = zombie.read(&mut old, "clinical", 10).await.unwrap();
    let moved = zombie.advance(&mut old, page.place.unwrap()).await;
    assert!(matches!(moved, Err(Error::Fenced)));
    assert_eq!(tick(&mut leader, &mut new, 10).await, ["a1"]);
}

#[tokio::test]
async fn one_connection_leads_on_each_bus() {
    let database = Database::create().await;
    let (mut first, mut second) = (database.drain().await, database.drain().await);
    assert!(try_lock(&mut first, "clinical", "fast").await.unwrap());
    assert!(!try_lock(&mut second, "clinical", "fast").await.unwrap());
    assert!(try_lock(&mut second, "clinical", "durable").await.unwrap());
    drop(first);
    let mut tries = 0;
    while !try_lock(&mut second, "clinical", "fast").await.unwrap() {
        tries += 1;
        assert!(tries < 10_000, "the lock outlives its connection");
    }
}

#[tokio::test]
async fn a_restored_database_sends_everything_again_in_a_new_epoch() {
    let database = Database::create().await;
    let mut conn = database.drain().await;
    database.emit(&["a"]).await;
    let mut fast = Cursor::take(&mut conn, "fast").await.unwrap();
    let mut durable = Cursor::take(&mut conn, "durable").await.unwrap();
    assert_eq!(tick(&mut fast, &mut conn, 10).await, ["a1"]);
    assert_eq!(tick(&mut durable, &mut conn, 10).await, ["a1"]);
    run(&mut conn, "UPDATE relay_cursors SET system_identifier = 0").await;
    let durable = Cursor::take(&mut conn, "durable").await.unwrap();
    let page = durable.read(&mut conn, "clinical", 10).await.unwrap();
    assert_eq!((shorts(&page.envelopes), page.envelopes[0].epoch), (vec!["a1".to_owned()], 2));
    // The other bus follows, and its epoch rises once only.
    database.emit(&["a"]).await;
    let page = fast.read(&mut conn, "clinical", 10).await.unwrap();
    let moved = fast.advance(&mut conn, page.place.unwrap()).await;
    assert!(matches!(moved, Err(Error::Fenced)));
    let fast = Cursor::take(&mut conn, "fast").await.unwrap();
    let page = fast.read(&mut conn, "clinical", 10).await.unwrap();
    assert_eq!((shorts(&page.envelopes), page.envelopes[0].epoch), (vec!["a1".to_owned()], 2));
}

#[tokio::test]
async fn the_plan_reads_what_is_new_and_not_the_whole_outbox() {
    let database = Database::create().await;
    let mut owner = database.pool.acquire().await.unwrap();
    run(
        &mut owner,
        "SET session_replication_role = replica;
         INSERT INTO clinical.outbox
             (brand_id, xid, event_id, name, aggregate, key, version, occurred_at, correlation_id,
              payload)
         SELECT 'loop', n::text::xid8, gen_random_uuid(), 'a.b.c.v1', 'a.b', n::text, 1, now(), 'c', ''
         FROM generate_series(1, 100000) n;
         ANALYZE clinical.outbox;",
    )
    .await;
    // Even with the planner free to choose, and as the role whose policies the plan contains.
    let mut conn = database.drain().await;
    let explain = format!("EXPLAIN (ANALYZE, FORMAT TEXT) {NEW_ROWS}");
    let lines: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(explain))
        .bind("99000:99990:99000,99005")
        .bind(1_000_i64)
        .fetch_all(&mut conn)
        .await
        .unwrap();
    let plan = lines.join("\n");
    assert_eq!(plan.matches("outbox_by_xid").count(), 2, "{plan}");
    assert!(!plan.contains("Seq Scan") && !plan.contains("Rows Removed"), "{plan}");
}

/// One step of an interleaving: a transaction writes a key or ends, or the relay reads.
#[derive(Clone, Debug)]
enum Step {
    Write { tx: usize, key: usize },
    Commit { tx: usize },
    Abort { tx: usize },
    Read { crash: bool },
}

const WRITERS: usize = 4;
const KEYS: [&str; 3] = ["a", "b", "c"];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..WRITERS, 0..KEYS.len()).prop_map(|(tx, key)| Step::Write { tx, key }),
        3 => (0..WRITERS).prop_map(|tx| Step::Commit { tx }),
        1 => (0..WRITERS).prop_map(|tx| Step::Abort { tx }),
        3 => proptest::bool::weighted(0.2).prop_map(|crash| Step::Read { crash }),
    ];
    proptest::collection::vec(step, 1..60)
}

/// Open transactions, who holds which key, and what is committed.
struct Writers<'a> {
    database: &'a Database,
    open: HashMap<usize, (Transaction<'static, Postgres>, Vec<String>)>,
    holders: HashMap<usize, usize>,
    committed: HashSet<String>,
}

impl Writers<'_> {
    async fn write(&mut self, tx: usize, key: usize) {
        // Postgres would wait for the holder, and this schedule has one thread.
        if *self.holders.entry(key).or_insert(tx) != tx {
            return;
        }
        if !self.open.contains_key(&tx) {
            let begun = self.database.pool.begin().await.unwrap();
            self.open.insert(tx, (begun, Vec::new()));
        }
        let (conn, written) = self.open.get_mut(&tx).unwrap();
        let version = write(conn, KEYS[key]).await;
        written.push(format!("{}{version}", KEYS[key]));
    }

    async fn end(&mut self, tx: usize, commit: bool) {
        self.holders.retain(|_, holder| *holder != tx);
        let Some((open, written)) = self.open.remove(&tx) else { return };
        if commit {
            open.commit().await.unwrap();
            self.committed.extend(written);
        } else {
            open.rollback().await.unwrap();
        }
    }
}

/// What a run sent, page by page; a crashed page counts as sent, its cursor did not move.
async fn play(database: &Database, steps: &[Step]) -> (Vec<String>, HashSet<String>) {
    let mut writers = Writers {
        database,
        open: HashMap::new(),
        holders: HashMap::new(),
        committed: HashSet::new(),
    };
    let mut conn = database.drain().await;
    let mut cursor = Cursor::take(&mut conn, "durable").await.unwrap();
    let mut sent = Vec::new();
    for step in steps {
        match *step {
            Step::Write { tx, key } => writers.write(tx, key).await,
            Step::Commit { tx } => writers.end(tx, true).await,
            Step::Abort { tx } => writers.end(tx, false).await,
            Step::Read { crash: false } => sent.extend(tick(&mut cursor, &mut conn, 2).await),
            Step::Read { crash: true } => {
                let page = cursor.read(&mut conn, "clinical", 2).await.unwrap();
                sent.extend(shorts(&page.envelopes));
                cursor = Cursor::take(&mut conn, "durable").await.unwrap();
            }
        }
    }
    for tx in 0..WRITERS {
        writers.end(tx, true).await;
    }
    // An empty page may be the end of a backlog, with more behind it.
    let mut empty = 0;
    while empty < 2 {
        let page = tick(&mut cursor, &mut conn, 2).await;
        empty = if page.is_empty() { empty + 1 } else { 0 };
        sent.extend(page);
    }
    (sent, writers.committed)
}

/// Whether each key's versions come first in order, whatever repeats.
fn in_order(sent: &[String]) -> bool {
    let mut highest = BTreeMap::new();
    sent.iter().all(|event| {
        let (key, version) = event.split_at(1);
        let version: u32 = version.parse().unwrap();
        let highest = highest.entry(key).or_insert(0);
        let fits = version <= *highest + 1;
        *highest = version.max(*highest);
        fits
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 40, ..Default::default() })]

    #[test]
    fn every_interleaving_is_sent_completely_and_in_order(steps in steps()) {
        Runtime::new().unwrap().block_on(async {
            let database = Database::create().await;
            let (sent, committed) = play(&database, &steps).await;
            let crashes = steps.iter().any(|step| matches!(step, Step::Read { crash: true }));
            let distinct: HashSet<String> = sent.iter().cloned().collect();
            prop_assert_eq!(&distinct, &committed);
            prop_assert!(crashes || sent.len() == committed.len(), "repeated: {:?}", sent);
            prop_assert!(in_order(&sent), "out of order: {:?}", sent);
            Ok(())
        })?;
    }
}
