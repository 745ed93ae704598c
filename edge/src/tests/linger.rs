//! Who is refused before all has been sent still reads the answer, and may go on.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::door::{Door, Setting};

const HEAD: &str = "POST /v1/biomarkers/parse HTTP/1.1\r\nhost: loop.test\r\n\
                    content-type: application/json\r\n";

/// A connection, written and read bit by bit.
struct Wire(TcpStream);

impl Wire {
    async fn to(door: &Door) -> Self {
        Self(TcpStream::connect(door.address).await.unwrap())
    }

    /// The head and body of an answer with a content length.
    async fn answer(&mut self) -> String {
        let mut text = String::new();
        while !text.ends_with("\r\n\r\n") {
            text.push(self.0.read_u8().await.unwrap().into());
        }
        let length = text.lines().find_map(|it| it.strip_prefix("content-length: ")).unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        self.0.read_exact(&mut body).await.unwrap();
        text + &String::from_utf8(body).unwrap()
    }

    async fn say(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }
}

#[tokio::test]
async fn a_refused_caller_may_send_the_rest_and_ask_again() {
    let door = Door::open().await;
    for (framing, body) in [
        ("transfer-encoding: chunked\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n"),
        ("content-length: 5\r\n\r\n", "hello"),
    ] {
        let mut wire = Wire::to(&door).await;
        wire.say(&format!("{HEAD}{framing}")).await;
        assert!(wire.answer().await.starts_with("HTTP/1.1 401"));
        wire.say(body).await;
        wire.say("GET /healthz HTTP/1.1\r\nhost: loop.test\r\n\r\n").await;
        assert!(wire.answer().await.starts_with("HTTP/1.1 200"));
    }
}

#[tokio::test]
async fn nobody_sends_in_vain_for_ever() {
    let mut setting = Setting::new();
    setting.config.limits.body = 1000;
    let door = setting.open().await;
    let mut wire = Wire::to(&door).await;
    wire.say(&format!("{HEAD}transfer-encoding: chunked\r\n\r\n")).await;
    assert!(wire.answer().await.starts_with("HTTP/1.1 401"));
    let chunk = format!("64\r\n{}\r\n", "a".repeat(100));
    let mut sent = 0;
    // The connection ends, and not only when the time is over.
    while wire.0.write_all(chunk.as_bytes()).await.is_ok() {
        sent += 100;
        assert!(sent < 64 << 20, "the gateway reads for ever");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_caller_who_waits_for_leave_to_send_is_not_given_it() {
    let door = Door::open().await;
    let mut wire = Wire::to(&door).await;
    wire.say(&format!("{HEAD}expect: 100-continue\r\ncontent-length: 5\r\n\r\n")).await;
    assert!(wire.answer().await.starts_with("HTTP/1.1 401"));
}
