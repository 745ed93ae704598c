//! The suite's protocol: `conformance/conformance.proto` over a pipe, each message behind its
//! length in four bytes, little end first.

use std::io::{ErrorKind, Read, Write};

use anyhow::Context as _;
use prost::{Message, Oneof};

/// `conformance.ConformanceRequest`: one case.
#[derive(Clone, PartialEq, Message)]
pub struct Request {
    #[prost(oneof = "Payload", tags = "1, 2, 7, 8")]
    pub payload: Option<Payload>,
    #[prost(int32, tag = "3")]
    pub output: i32,
    #[prost(string, tag = "4")]
    pub message_type: String,
    #[prost(int32, tag = "5")]
    pub category: i32,
}

/// Texts are bytes here: whether they are UTF-8 is for the codec to find out.
#[derive(Clone, PartialEq, Oneof)]
pub enum Payload {
    #[prost(bytes, tag = "1")]
    Wire(Vec<u8>),
    #[prost(bytes, tag = "2")]
    Json(Vec<u8>),
    #[prost(bytes, tag = "7")]
    Jspb(Vec<u8>),
    #[prost(bytes, tag = "8")]
    Text(Vec<u8>),
}

/// `conformance.WireFormat.PROTOBUF`.
pub const WIRE: i32 = 1;
/// `conformance.WireFormat.JSON`.
pub const JSON: i32 = 2;
/// `conformance.TestCategory.JSON_IGNORE_UNKNOWN_PARSING_TEST`.
pub const IGNORE_UNKNOWN: i32 = 3;

/// `conformance.ConformanceResponse`.
#[derive(Clone, PartialEq, Message)]
pub struct Response {
    #[prost(oneof = "Answer", tags = "1, 2, 3, 4, 5, 6")]
    pub answer: Option<Answer>,
}

#[derive(Clone, PartialEq, Oneof)]
pub enum Answer {
    #[prost(string, tag = "1")]
    ParseError(String),
    #[prost(string, tag = "2")]
    RuntimeError(String),
    #[prost(bytes, tag = "3")]
    Wire(Vec<u8>),
    #[prost(bytes, tag = "4")]
    Json(Vec<u8>),
    #[prost(string, tag = "5")]
    Skipped(String),
    #[prost(string, tag = "6")]
    SerializeError(String),
}

/// The next case; none when the suite is through.
pub fn read(input: &mut impl Read) -> anyhow::Result<Option<Request>> {
    let mut length = [0; 4];
    match input.read_exact(&mut length) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        other => other.context("read a length")?,
    }
    let mut bytes = vec![0; usize::try_from(u32::from_le_bytes(length))?];
    input.read_exact(&mut bytes).context("read a request")?;
    Ok(Some(Request::decode(bytes.as_slice()).context("decode a request")?))
}

pub fn write(output: &mut impl Write, answer: Answer) -> anyhow::Result<()> {
    let bytes = Response { answer: Some(answer) }.encode_to_vec();
    output.write_all(&u32::try_from(bytes.len())?.to_le_bytes())?;
    output.write_all(&bytes)?;
    Ok(output.flush()?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn requests_are_read_until_the_pipe_ends_and_not_beyond() {
        let request = Request {
            payload: Some(Payload::Json(b"{\xff}".to_vec())),
            output: WIRE,
            message_type: "a.B".to_owned(),
            category: IGNORE_UNKNOWN,
        };
        let bytes = request.encode_to_vec();
        let pipe = [&(bytes.len() as u32).to_le_bytes(), bytes.as_slice()].concat();
        let mut input = pipe.as_slice();
        assert_eq!(read(&mut input).unwrap(), Some(request));
        assert_eq!(read(&mut input).unwrap(), None);
        assert!(read(&mut &pipe[..pipe.len() - 1]).is_err());
    }

    #[test]
    fn an_answer_has_its_length_before_it() {
        let mut out = Vec::new();
        write(&mut out, Answer::Wire(vec![7, 8])).unwrap();
        assert_eq!(out, [4, 0, 0, 0, 0x1a, 2, 7, 8]);
    }
}
