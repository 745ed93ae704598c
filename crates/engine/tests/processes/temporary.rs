//! Redis, NATS and moto, and all engines together.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;

use engine::{Engines, Moto, Nats, Redis};

use crate::{answers, hold, installed, kill, port, soon, spawn};

fn connect(url: &str) -> TcpStream {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port(url))).unwrap()
}

#[test]
fn redis_keeps_a_value_and_is_gone_when_dropped() {
    let Some(redis) = installed(Redis::start_temporary()) else { return };
    let url = redis.url();
    let mut stream = connect(&url);
    stream.write_all(b"SET name value\r\nGET name\r\n").unwrap();
    let mut answer = [0; 16];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"+OK\r\n$5\r\nvalue\r\n");
    drop(redis);
    assert!(!answers(port(&url)));
}

#[test]
fn nats_has_jetstream_if_and_only_if_asked_and_is_gone_when_dropped() {
    for jetstream in [false, true] {
        let Some(nats) = installed(Nats::start_temporary(jetstream)) else { return };
        let url = nats.url();
        let mut greeting = String::new();
        BufReader::new(connect(&url)).read_line(&mut greeting).unwrap();
        assert_eq!(greeting.contains(r#""jetstream":true"#), jetstream, "{greeting}");
        drop(nats);
        assert!(!answers(port(&url)));
    }
}

#[test]
fn moto_answers_for_aws_and_is_gone_when_dropped() {
    let Some(moto) = installed(Moto::start_temporary()) else { return };
    let url = moto.endpoint();
    let mut stream = connect(&url);
    let body = "Action=CreateQueue&QueueName=jobs&Version=2012-11-05";
    let head = format!(
        "POST / HTTP/1.0\r\nHost: 127.0.0.1\r\nAuthorization: AWS4-HMAC-SHA256 \
         Credential=id/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("<QueueUrl>"), "{answer}");
    drop(moto);
    assert!(!answers(port(&url)));
}

#[test]
fn all_engines_start_together_and_are_gone_when_dropped() {
    let Some(engines) = installed(Engines::for_tests()) else { return };
    let environment = engines.environment();
    let names = environment.each_ref().map(|(name, _)| *name);
    assert_eq!(
        names,
        [
            "LOOP_TEST_DATABASE_URL",
            "LOOP_TEST_REDIS_URL",
            "LOOP_TEST_NATS_URL",
            "LOOP_TEST_AWS_ENDPOINT"
        ]
    );
    let ports = environment.map(|(_, url)| port(&url));
    assert!(ports.into_iter().all(answers));
    drop(engines);
    assert!(!ports.into_iter().any(answers));
}

#[test]
fn all_engines_die_with_a_parent_that_was_killed() {
    let (mut parent, printed) = spawn(&mut Command::new(hold()), 4);
    let ports: Vec<u16> = printed.iter().map(|line| port(line)).collect();
    if ports.is_empty() {
        return assert!(installed(Engines::for_tests()).is_none());
    }
    assert!(ports.iter().copied().all(answers));
    kill(&mut parent);
    soon("the engines are gone", || !ports.iter().copied().any(answers));
}
