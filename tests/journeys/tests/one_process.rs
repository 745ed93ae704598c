//! `loop up`: everything in one process on the embedded default.

use std::fs;

use crate::program::Stage;

#[tokio::test]
async fn the_whole_story_holds_twice_and_the_platform_stops_cleanly() {
    let stage = Stage::new().await;
    let up = stage.up();
    for _ in 0..2 {
        let demo = stage.demo(&stage.path("data/credentials.json")).output().unwrap();
        let told = String::from_utf8_lossy(&demo.stdout);
        assert!(
            demo.status.success(),
            "{told}\n{}\n{}",
            String::from_utf8_lossy(&demo.stderr),
            up.log()
        );
    }
    up.interrupt();

    // It comes back with its data, and the sealed logs verify.
    let up = stage.up();
    let demo = stage.demo(&stage.path("data/credentials.json")).output().unwrap();
    assert!(demo.status.success(), "{}", String::from_utf8_lossy(&demo.stderr));
    up.interrupt();
    let verified = stage.run(&["audit", "verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}

#[tokio::test]
async fn no_secret_and_no_protected_value_reaches_the_log() {
    let stage = Stage::new().await;
    let up = stage.up();
    let demo = stage.demo(&stage.path("data/credentials.json")).output().unwrap();
    assert!(demo.status.success());
    let log = up.log();
    let credentials = fs::read_to_string(stage.path("data/credentials.json")).unwrap();
    let credentials: serde_json::Value = serde_json::from_str(&credentials).unwrap();
    let secret = credentials["operator"]["client_secret"].as_str().unwrap();
    // The member's password is announced at the start, to be used; nowhere else.
    let password = credentials["member"]["password"].as_str().unwrap();
    assert_eq!(log.matches(password).count(), 1);
    for canary in
        ["lph_at_", "lph_rt_", "lph_ac_", "Lovelace", "ada@loop.test\"", "84.63578758", secret]
    {
        assert!(!log.contains(canary), "the log holds {canary}");
    }
}

#[tokio::test]
async fn a_taken_port_is_said_before_anything_starts() {
    let stage = Stage::new().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = stage.run(&["up", "--listen", &address, "--data", "data"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && said.contains(&address) && said.contains("--listen"),
        "{said}"
    );
}

#[tokio::test]
async fn every_command_explains_itself_and_secrets_do_not_print() {
    let stage = Stage::new().await;
    for arguments in [
        &["--help"][..],
        &["up", "--help"],
        &["serve", "--help"],
        &["edge", "--help"],
        &["relay", "--help"],
        &["demo", "partner-gym", "--help"],
        &["audit", "verify", "--help"],
        &["audit", "prove", "--help"],
        &["check"],
        &["config"],
    ] {
        let output = stage.run(arguments);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && !said.is_empty(), "{arguments:?}");
        assert!(!said.contains(&kit_test::key_hex()), "{arguments:?} prints the key");
    }
    let wrong = stage.run(&["serve", "nobody"]);
    let said = String::from_utf8_lossy(&wrong.stderr);
    assert!(
        !wrong.status.success() && said.contains("nobody") && said.contains("clinical"),
        "{said}"
    );
}
