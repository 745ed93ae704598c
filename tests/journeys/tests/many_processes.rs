//! The same story over TCP, with real Redis and NATS: services, relays and the edge apart.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use kit_test::key;

use crate::program::{Stage, free_port};

fn required(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `make test`"))
}

#[tokio::test]
async fn the_whole_story_holds_over_processes_redis_and_nats() {
    let mut stage = Stage::new().await;
    stage.set("LOOP_REDIS_URL", required("LOOP_TEST_REDIS_URL"));
    stage.set("LOOP_NATS_URL", required("LOOP_TEST_NATS_URL"));
    stage.set("LOOP_DEMO_DATA", "true");
    let groups: [&[&str]; 3] =
        [&["identity", "platform"], &["clinical"], &["patient-graph", "events"]];
    let addresses: Vec<_> = groups.iter().map(|_| format!("127.0.0.1:{}", free_port())).collect();
    let peers: Vec<_> = groups
        .iter()
        .zip(&addresses)
        .flat_map(|(names, address)| names.iter().map(move |it| format!("{it}=http://{address}")))
        .collect();
    stage.set("LOOP_PEERS", peers.join(","));
    let edge_address = format!("127.0.0.1:{}", free_port());
    stage.set("LOOP_PUBLIC_URL", format!("http://{edge_address}"));

    let migrated = stage.run(&["migrate"]);
    assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
    let mut processes = Vec::new();
    for (names, address) in groups.iter().zip(&addresses) {
        let arguments = [&["serve", "--listen", address], *names].concat();
        processes.push(stage.start(names[0], &arguments));
    }
    processes.push(stage.start("relay", &["relay"]));
    let mut edge = stage.start("edge", &["edge", "--listen", &edge_address]);
    edge.wait_until("the edge listens", || TcpStream::connect(&edge_address).is_ok());
    for (process, address) in processes.iter_mut().zip(&addresses) {
        process.wait_until("the services listen", || TcpStream::connect(address).is_ok());
    }

    let credentials = stage.path("credentials.json");
    let operator = kit::client_id("operator");
    let json = serde_json::json!({
        "api": format!("http://{edge_address}"),
        "operator": {"client_id": operator, "client_secret": key().client_secret(&operator).expose()},
        "member": {"email": "ada@loop.test", "password": identity::demo_password(&key())},
    });
    std::fs::write(&credentials, json.to_string()).unwrap();
    let demo = stage.demo(&credentials).output().unwrap();
    assert!(
        demo.status.success(),
        "{}\n{}\n{}",
        String::from_utf8_lossy(&demo.stdout),
        String::from_utf8_lossy(&demo.stderr),
        edge.log()
    );

    // A service that is down is a 503 for its own methods, and the others answer.
    let secret = key().client_secret(&operator);
    let form = format!(
        "grant_type=client_credentials&client_id={operator}&client_secret={}&brand_id=loop",
        secret.expose()
    );
    let (status, answer) = exchange(&edge_address, "POST /v1/oauth/token", "", &form);
    assert_eq!(status, 200, "{answer}");
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    let bearer = format!("Authorization: Bearer {}\r\n", answer["access_token"].as_str().unwrap());
    let get = |path: &str| exchange(&edge_address, &format!("GET {path}"), &bearer, "").0;
    assert_eq!(get("/v1/biomarkers?user_id=usr_1"), 200);
    processes.remove(1).kill();
    assert_eq!(get("/v1/biomarkers?user_id=usr_1"), 503);
    assert_eq!(get("/v1/admin/brands/loop"), 200);

    for process in processes {
        process.interrupt();
    }
    edge.interrupt();
}

/// One request over a plain connection: status and body.
fn exchange(address: &str, line: &str, headers: &str, form: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let length = form.len();
    let request = format!(
        "{line} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{form}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}
