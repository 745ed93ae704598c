//! Bodies of several parts (`multipart/form-data`, RFC 7578), where a method takes them.

use bytes::Bytes;
use futures::stream;
use http::{HeaderMap, HeaderName, header};
use kit::Error;
use multer::{Field, Multipart};
use tonic::Status;
use transcode::Part;

use super::{Ongoing, rest};
use crate::grpc;

/// How many parts a body has at most.
const MOST_PARTS: usize = 1000;

/// The largest sum of names and values of a part's headers, in bytes.
const LARGEST_HEAD: usize = 8 << 10;

const TRANSFER_ENCODING: HeaderName = HeaderName::from_static("content-transfer-encoding");

/// A part that has been read.
struct Whole {
    name: String,
    content_type: Option<String>,
    bytes: Bytes,
}

/// What stands between the parts of a body; none if it has no parts, or may have none.
pub(super) fn boundary(ongoing: &Ongoing) -> Result<Option<String>, Error> {
    if !ongoing.called().plan.accepts_multipart() {
        return Ok(None);
    }
    let value = ongoing.head.headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let essence = value.and_then(|it| it.split(';').next()).unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("multipart/form-data") {
        return Ok(None);
    }
    let boundary = multer::parse_boundary(value.unwrap_or_default()).ok();
    // RFC 2046 section 5.1.1.
    let boundary = boundary.filter(|it| (1..=70).contains(&it.len()));
    boundary.map(Some).ok_or_else(|| malformed("content-type", "must have a boundary"))
}

/// The message of a body, which has been read whole and within the limit of all bodies.
pub(super) async fn message(
    ongoing: &Ongoing,
    body: Bytes,
    boundary: String,
) -> Result<Vec<u8>, Status> {
    let parts = read(body, boundary).await?;
    let parts: Vec<_> = parts.iter().map(Whole::part).collect();
    rest::route(ongoing)
        .request_from_parts(ongoing.head.uri.query(), &parts, ongoing.parts.config.style)
        .map_err(|error| grpc::status(&(&error).into()))
}

async fn read(body: Bytes, boundary: String) -> Result<Vec<Whole>, Error> {
    let body = stream::iter([Ok::<_, std::convert::Infallible>(body)]);
    let mut multipart = Multipart::new(body, boundary);
    let mut parts = Vec::new();
    while let Some(field) = multipart.next_field().await.map_err(|it| broken(parts.len(), &it))? {
        if parts.len() == MOST_PARTS {
            return Err(too_many());
        }
        parts.push(Whole::read(field, parts.len()).await?);
    }
    Ok(parts)
}

impl Whole {
    async fn read(field: Field<'_>, index: usize) -> Result<Self, Error> {
        let Some(name) = field.name().filter(|it| !it.is_empty()).map(str::to_owned) else {
            return Err(malformed(&at(index), "must have a name in its content-disposition"));
        };
        check(field.headers(), &name)?;
        let content_type = field.headers().get(header::CONTENT_TYPE);
        let content_type = content_type.map(|it| it.to_str().map(str::to_owned));
        let content_type = content_type
            .transpose()
            .map_err(|_| malformed(&name, "must have a content-type in ASCII"))?;
        let bytes = field.bytes().await.map_err(|it| broken(index, &it))?;
        Ok(Self { name, content_type, bytes })
    }

    fn part(&self) -> Part<'_> {
        Part { name: &self.name, content_type: self.content_type.as_deref(), bytes: &self.bytes }
    }
}

fn check(headers: &HeaderMap, name: &str) -> Result<(), Error> {
    let size = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>();
    if LARGEST_HEAD < size {
        let rule = format!("must have headers of at most {LARGEST_HEAD} bytes");
        return Err(malformed(name, &rule));
    }
    // RFC 7578 section 4.7: deprecated, and read wrongly where it is overlooked.
    let is_plain = headers.get(TRANSFER_ENCODING).is_none_or(|value| {
        ["7bit", "8bit", "binary"]
            .iter()
            .any(|it| value.as_bytes().eq_ignore_ascii_case(it.as_bytes()))
    });
    let coded = || malformed(name, "must be sent without a content-transfer-encoding");
    is_plain.then_some(()).ok_or_else(coded)
}

/// What cannot be read: the part of this index, or the body around it.
fn broken(index: usize, error: &multer::Error) -> Error {
    let incomplete = "must end with its boundary";
    match error {
        multer::Error::IncompleteFieldData { field_name: Some(name) } => {
            malformed(name, incomplete)
        }
        multer::Error::IncompleteFieldData { .. } => malformed(&at(index), incomplete),
        multer::Error::IncompleteStream => malformed("body", incomplete),
        _ => malformed(&at(index), "must have headers as RFC 7578 has them"),
    }
}

fn at(index: usize) -> String {
    format!("parts[{index}]")
}

fn malformed(field: &str, rule: &str) -> Error {
    Error::invalid("MALFORMED_MULTIPART", field, rule)
}

fn too_many() -> Error {
    Error::invalid("TOO_MANY_PARTS", "body", format!("must have at most {MOST_PARTS} parts"))
        .with("http_status", "413")
        .with("error", "body_too_large")
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;

    const PIECES: [&str; 8] = [
        "--b",
        "--b--",
        "\r\n",
        "\r\n\r\n",
        " ",
        "content-disposition: form-data; name=\"a\"",
        "name=\"\\",
        "ü",
    ];

    fn parts_of(body: &[u8]) -> Result<Vec<Whole>, Error> {
        let body = Bytes::copy_from_slice(body);
        read(body, "b".to_owned()).now_or_never().expect("the body is here")
    }

    proptest! {
        #[test]
        fn any_pieces_are_parts_or_refused(pieces in vec(select(PIECES.to_vec()), 0..12)) {
            let _ = parts_of(pieces.concat().as_bytes());
        }

        #[test]
        fn every_part_comes_out_as_it_went_in(contents in vec(vec(any::<u8>(), 0..50), 0..5)) {
            prop_assume!(contents.iter().all(|it| !it.windows(3).any(|it| it == b"--b")));
            let mut body = Vec::new();
            for content in &contents {
                body.extend_from_slice(b"--b\r\ncontent-disposition: form-data; name=a\r\n\r\n");
                body.extend_from_slice(content);
                body.extend_from_slice(b"\r\n");
            }
            body.extend_from_slice(b"--b--\r\n");
            let found = parts_of(&body).unwrap();
            let found: Vec<_> = found.iter().map(|it| it.bytes.to_vec()).collect();
            prop_assert_eq!(found, contents);
        }
    }
}
