//! The same story over TCP, with real Redis and NATS: services, relays and the edge apart.

use kit_test::{eventually, key};

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
    edge.wait_until("the edge listens", || std::net::TcpStream::connect(&edge_address).is_ok());
    for (process, address) in processes.iter_mut().zip(&addresses) {
        process.wait_until("the services listen", || std::net::TcpStream::connect(address).is_ok());
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

    // A service that is down is a 503, and nothing else is.
    processes.remove(1).kill();
    let status = |path: &'static str| {
        let url = format!("http://{edge_address}{path}");
        async move {
            let output = std::process::Command::new("curl")
                .args(["-s", "-o", "/dev/null", "-w", "%{http_code}", &url])
                .output()
                .unwrap();
            String::from_utf8_lossy(&output.stdout).into_owned()
        }
    };
    eventually("the edge to stay up", || async {
        (status("/healthz").await == "200").then_some(())
    })
    .await;

    for process in processes {
        process.interrupt();
    }
    edge.interrupt();
}
