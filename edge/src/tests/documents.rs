//! What the page of protocols says of streams, for which no service of today has a method.

use tokio::process::Command;

use super::probe;

const PAGE: &str = include_str!("../../../docs/protocols.md");

#[tokio::test]
async fn the_examples_of_streams_run_as_they_stand() {
    let (door, _) = probe::open().await;
    let examples = PAGE.split("```console\n").find(|it| it.starts_with("curl -N")).unwrap();
    let (examples, _) = examples.split_once("websocat").unwrap(); // Which is not to be had here.
    let said = Command::new("sh")
        .args(["-euc", examples])
        .env("API", format!("http://{}", door.address))
        .env("TOKEN", door.prober())
        .output()
        .await
        .unwrap();
    let (told, cause) =
        (String::from_utf8(said.stdout).unwrap(), String::from_utf8_lossy(&said.stderr));
    let (zero, one) = (r#"{"text":"hi","count":"0"}"#, r#"{"text":"hi","count":"1"}"#);
    let events = format!("data: {zero}\n\ndata: {one}\n\nevent: end\ndata: {{}}\n\n");
    let collected = r#"{"text":"ab","count":"2"}"#;
    assert_eq!(told, format!("{events}{zero}\n{one}\n{collected}"), "{cause}");
}
