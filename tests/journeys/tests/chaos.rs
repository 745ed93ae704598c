//! Kill -9 at any moment of the story: nothing half-written, no event lost, none with two effects.

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
    time::Duration,
};

use kit_test::within;
use sqlx::{AssertSqlSafe, PgConnection};

use crate::program::Stage;

#[tokio::test]
async fn a_platform_killed_at_any_moment_of_the_story_loses_and_doubles_nothing() {
    let stage = Stage::new().await;
    // The report is recorded between the seventh step and the eighth, told between then and the
    // seventeenth; the delays reach into the work of each.
    for (step, delay) in [
        (2, 0),
        (6, 3),
        (7, 0),
        (7, 4),
        (7, 8),
        (7, 16),
        (7, 32),
        (8, 2),
        (8, 20),
        (13, 6),
        (14, 0),
        (16, 9),
    ] {
        let up = stage.up();
        let mut demo = stage.demo(&stage.path("data/credentials.json"));
        let mut demo = demo.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let told = BufReader::new(demo.stdout.take().unwrap()).lines();
        let reached = told.map_while(Result::ok).any(|it| it.starts_with(&format!("{step}. ")));
        assert!(reached, "the story ended before step {step}: {}", up.log());
        tokio::time::sleep(Duration::from_millis(delay)).await;
        up.kill();
        demo.kill().unwrap();
        demo.wait().unwrap();
    }
    let up = stage.up();
    let demo = stage.demo(&stage.path("data/credentials.json")).output().unwrap();
    assert!(demo.status.success(), "{}", String::from_utf8_lossy(&demo.stderr));

    let mut admin = stage.database.admin().await;
    // Every report has all nine results, its audit row and its event, or is not there at all.
    for whole in [
        "SELECT count(*) FROM clinical.lab_reports r
         WHERE 9 <> (SELECT count(*) FROM clinical.biomarkers b WHERE b.report_id = r.id)",
        "SELECT abs((SELECT count(*) FROM clinical.lab_reports)
             - (SELECT count(*) FROM clinical.audit_log WHERE event_type = 'clinical.biomarker.parsed'))",
        "SELECT abs((SELECT count(*) FROM clinical.lab_reports) - (SELECT count(*) FROM clinical.outbox))",
        "SELECT count(*) FROM clinical.outbox o
         WHERE NOT EXISTS (SELECT FROM clinical.audit_log a WHERE a.xid = o.xid)",
    ] {
        assert_eq!(count(&mut admin, whole).await, 0, "{whole}");
    }
    let reports = count(&mut admin, "SELECT count(*) FROM clinical.lab_reports").await;
    assert!(reports > 5, "the story got as far as recording: {reports} reports");

    // Every event arrives, and has one effect. What a platform held when it was killed comes again
    // when it has been out of sight for half a minute.
    within(Duration::from_secs(45), "every report on its timeline", || async {
        let mut admin = stage.database.admin().await;
        let told = count(
            &mut admin,
            "SELECT count(DISTINCT source_id) FROM patient_graph.timeline_events",
        )
        .await;
        (told == reports).then_some(())
    })
    .await;
    for none in [
        "SELECT count(*) FROM (SELECT source_id FROM patient_graph.timeline_events
             GROUP BY source_id HAVING count(*) > 1) doubled",
        "SELECT count(*) FROM patient_graph.parked_events",
        "SELECT count(*) FROM patient_graph.dead_letters WHERE state <> 'resolved' AND state <> 'failing'",
    ] {
        assert_eq!(count(&mut admin, none).await, 0, "{none}");
    }
    up.interrupt();
    let verified = stage.run(&["audit", "verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}

async fn count(admin: &mut PgConnection, sql: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(admin).await.unwrap()
}
