//! Conditional requests (RFC 9110 section 13): the entity tags of answers, and what a caller asks
//! of them.

use http::{HeaderValue, Method, Response, header};
use kit::Error;
use tonic::body::Body;
use transcode::Match;
use xxhash_rust::xxh3::xxh3_64;

use super::{Ongoing, rest};
use crate::entity_tag::{self, EntityTag, Malformed, Named};

/// The least body whose tag is made here, in bytes. A shorter one travels in one packet, as a 304
/// does. A longer one is hashed in 30 ns for each 1000 bytes, a thirtieth of what wording it took.
const WORTHWHILE: usize = 1024;

/// The tag of an answer by its message's `etag`.
///
/// AIP-154 has the quotation marks in the field; a value without them gets them here. Nothing is
/// said after a PUT, which may have been stored otherwise than it was sent (RFC 9110 section
/// 9.3.4).
pub(super) fn declared(ongoing: &Ongoing, message: &[u8]) -> Option<HeaderValue> {
    let etag = rest::route(ongoing).etag(message).filter(|_| ongoing.head.method != Method::PUT)?;
    match EntityTag::parse(etag.as_bytes()) {
        Some(_) => HeaderValue::from_bytes(etag.as_bytes()).ok(),
        None => {
            let quoted = format!("\"{etag}\"");
            EntityTag::parse(quoted.as_bytes())?;
            HeaderValue::from_bytes(quoted.as_bytes()).ok()
        }
    }
}

/// The tag of a read by its body. Weak, because it says nothing of other forms of the answer.
pub(super) fn computed(ongoing: &Ongoing, body: &[u8]) -> Option<HeaderValue> {
    if body.len() < WORTHWHILE || !reads(ongoing) || ongoing.record.is_secret() {
        return None;
    }
    HeaderValue::from_str(&format!("W/\"{:016x}\"", xxh3_64(body))).ok()
}

/// What a read is answered whose caller has the answer already.
///
/// Fails where `If-Match` names other answers than the present one: 412.
pub(super) fn unchanged(
    ongoing: &Ongoing,
    etag: Option<&HeaderValue>,
) -> Result<Option<Response<Body>>, Error> {
    if !reads(ongoing) {
        return Ok(None);
    }
    let headers = &ongoing.head.headers;
    if let Some(named) = Named::of(headers, header::IF_MATCH) {
        let present = etag.and_then(|it| EntityTag::parse(it.as_bytes()));
        if !named.map_err(malformed)?.has_strongly(present) {
            return Err(Error::precondition("ETAG_STALE", "if-match does not name this answer"));
        }
    }
    Ok(etag.and_then(|etag| entity_tag::not_modified(headers, etag)))
}

/// The tag that `If-Match` asks a call for that is no read; none if it asks for none.
///
/// `*` is met by whatever there is (RFC 9110 section 13.1.1). Nobody here knows what there is: a
/// method that changes a thing fails with 404 where there is none, which comes before any
/// precondition (section 13.2.1), so that `*` asks nothing more of it.
pub(super) fn required(ongoing: &Ongoing) -> Result<Option<String>, Error> {
    let headers = &ongoing.head.headers;
    if reads(ongoing) {
        return Ok(None);
    }
    if headers.contains_key(header::IF_NONE_MATCH) && ongoing.called().method.writes() {
        return Err(unsupported("if-none-match is for reads; this method cannot check it"));
    }
    let Some(named) = Named::of(headers, header::IF_MATCH) else { return Ok(None) };
    match named.map_err(malformed)? {
        Named::Any => Ok(None),
        Named::Tags(tags) => match tags[..] {
            [tag] if tag.is_weak() => {
                let message = "if-match compares strongly, and a weak entity tag is never met";
                Err(Error::precondition("ETAG_WEAK", message))
            }
            [tag] => tag.uncoded().text().map(Some).ok_or_else(|| malformed(Malformed)),
            _ => {
                let rule = "must be one entity tag, such as \"4\", or *";
                Err(Error::invalid("MALFORMED_REQUEST", "if-match", rule))
            }
        },
    }
}

/// Puts a required tag into the `etag` of a request, for the service to compare.
pub(super) fn require(
    route: &Match<'_>,
    message: &mut Vec<u8>,
    required: &str,
) -> Result<(), Error> {
    if let Some(sent) = route.request_etag(message) {
        let is_same = sent == required || sent == required.trim_matches('"');
        let differs = || Error::invalid("ETAG_DIFFERS", "etag", "must be that of if-match");
        return is_same.then_some(()).ok_or_else(differs);
    }
    let lacks = || unsupported("this method has no etag, so that it cannot check if-match");
    route.set_etag(message, required).then_some(()).ok_or_else(lacks)
}

/// GET, and HEAD with it.
fn reads(ongoing: &Ongoing) -> bool {
    matches!(ongoing.head.method, Method::GET | Method::HEAD)
}

fn malformed(_: Malformed) -> Error {
    Error::invalid("MALFORMED_REQUEST", "if-match", "must be a list of entity tags, or *")
}

fn unsupported(message: &str) -> Error {
    Error::precondition("ETAG_UNSUPPORTED", message)
}
