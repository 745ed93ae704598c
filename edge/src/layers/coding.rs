//! Content codings (RFC 9110 section 8.4): gzip, Brotli and Zstandard, up and down.

use std::{
    io::{self, Read, Write as _},
    sync::Arc,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Body as _;
use kit::{
    Error,
    layers::{Outward, Passage},
};
use tonic::body::Body;

use super::body_too_large;
use crate::{accept, entity_tag, record::Record};

/// What is smaller travels in one packet either way.
pub(crate) const WORTHWHILE: u64 = 1024;

/// What is larger would keep a whole core from its other requests.
const LARGE: usize = 256 << 10;

/// The largest window of a Zstandard body, as a power of two: RFC 9659.
const WINDOW: u32 = 23;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Zstd,
    Brotli,
    Gzip,
}

impl Coding {
    /// Those of equal weight in this order: what costs least first.
    const ALL: [Self; 3] = [Self::Zstd, Self::Brotli, Self::Gzip];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name().eq_ignore_ascii_case(name))
    }

    /// The coding that a caller likes best; none if it prefers the body as it is.
    fn accepted(headers: &HeaderMap) -> Option<Self> {
        if !headers.contains_key(header::ACCEPT_ENCODING) {
            return None;
        }
        let weighed = Self::ALL.iter().rev().filter_map(|it| {
            let weight = accept::weight_of_coding(headers, it.name())?;
            (weight > 0).then_some((weight, *it))
        });
        weighed.max_by_key(|(weight, _)| *weight).map(|(_, coding)| coding)
    }

    /// The coding of a request's body; none if it has none. At most one is taken.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Option<Self>, Error> {
        let Some(value) = headers.get(header::CONTENT_ENCODING) else { return Ok(None) };
        let value = value.to_str().unwrap_or_default();
        if value.eq_ignore_ascii_case("identity") {
            return Ok(None);
        }
        Self::named(value).map(Some).ok_or_else(|| {
            let rule = "must be gzip, br, zstd or identity";
            Error::invalid("CONTENT_ENCODING", "content-encoding", rule)
                .with("http_status", "415")
                .with("error", "unsupported_media_type")
        })
    }

    /// Restores a body of at most `most` bytes: a few that stand for many are refused early.
    pub(crate) fn decode(self, coded: &[u8], most: usize) -> Result<Bytes, Error> {
        let limit = most as u64 + 1;
        let mut plain = Vec::new();
        let read = match self {
            Self::Gzip => {
                flate2::read::MultiGzDecoder::new(coded).take(limit).read_to_end(&mut plain)
            }
            Self::Brotli => {
                brotli::Decompressor::new(coded, 4096).take(limit).read_to_end(&mut plain)
            }
            Self::Zstd => zstd::Decoder::with_buffer(coded).and_then(|mut decoder| {
                decoder.window_log_max(WINDOW)?;
                decoder.take(limit).read_to_end(&mut plain)
            }),
        };
        match read {
            Ok(length) if most < length => Err(body_too_large(most)),
            Ok(_) => Ok(plain.into()),
            Err(_) => {
                let rule = format!("must be {} as its content-encoding says", self.name());
                Err(Error::invalid("BODY_ENCODING", "body", rule))
            }
        }
    }

    /// Codes a body; what is large, on a thread of its own.
    pub(crate) async fn encoded(self, plain: Bytes) -> io::Result<Vec<u8>> {
        if plain.len() <= LARGE {
            return self.encode(&plain);
        }
        tokio::task::spawn_blocking(move || self.encode(&plain)).await.map_err(io::Error::other)?
    }

    fn encode(self, plain: &[u8]) -> io::Result<Vec<u8>> {
        let coded = Vec::with_capacity(plain.len() / 4);
        match self {
            Self::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(coded, flate2::Compression::new(4));
                encoder.write_all(plain)?;
                encoder.finish()
            }
            Self::Brotli => {
                let mut encoder = brotli::CompressorWriter::new(coded, 4096, 4, 20);
                encoder.write_all(plain)?;
                encoder.flush()?;
                Ok(encoder.into_inner())
            }
            Self::Zstd => zstd::encode_all(plain, 3),
        }
    }
}

/// Codes an answer that is here as a whole, if the caller wants it and it pays.
#[derive(Clone)]
pub(crate) struct ContentCoding;

impl Passage for ContentCoding {
    type Kept = (Option<Coding>, Arc<Record>);

    fn inward(&self, request: &mut Request<Body>) -> Self::Kept {
        let accepted = match *request.method() {
            Method::HEAD => None,
            _ => Coding::accepted(request.headers()),
        };
        (accepted, Record::of(request.extensions()).clone())
    }

    fn outward((accepted, record): Self::Kept, mut response: Response<Body>) -> Outward {
        if !pays(&response) || record.speaks_oauth() {
            return Outward::Now(response);
        }
        let varies = HeaderValue::from_name(header::ACCEPT_ENCODING);
        response.headers_mut().append(header::VARY, varies);
        match accepted {
            Some(coding) => Outward::Later(Box::pin(coded(coding, response))),
            None => Outward::Now(response),
        }
    }
}

async fn coded(coding: Coding, response: Response<Body>) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    // The body is here already, so this waits for nobody.
    let Ok(plain) = body.collect().await.map(|it| it.to_bytes()) else {
        return super::refuse(Error::internal(anyhow::anyhow!("an answer broke off")));
    };
    match coding.encoded(plain.clone()).await {
        Ok(coded) => {
            let name = HeaderValue::from_static(coding.name());
            head.headers.insert(header::CONTENT_ENCODING, name);
            head.headers.remove(header::CONTENT_LENGTH);
            entity_tag::mark_coded(&mut head.headers, coding.name());
            Response::from_parts(head, Body::new(Full::from(coded)))
        }
        Err(cause) => {
            tracing::warn!(%cause, "an answer was not compressed");
            Response::from_parts(head, Body::new(Full::new(plain)))
        }
    }
}

/// Whether an answer is text of a known and worthwhile length that nobody has coded yet.
fn pays(response: &Response<Body>) -> bool {
    let length = response.body().size_hint().exact();
    let content_type = response.headers().get(header::CONTENT_TYPE);
    let content_type = content_type.and_then(|it| it.to_str().ok()).unwrap_or_default();
    let is_text =
        ["text/", "application/json", "application/problem+json", "application/javascript"]
            .iter()
            .any(|it| content_type.starts_with(it))
            || content_type.starts_with("image/svg+xml");
    is_text
        && length.is_some_and(|it| it >= WORTHWHILE)
        && !response.headers().contains_key(header::CONTENT_ENCODING)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(plain in vec(any::<u8>(), 0..3000)) {
            for coding in Coding::ALL {
                let coded = coding.encode(&plain).unwrap();
                prop_assert_eq!(&coding.decode(&coded, 3000).unwrap()[..], &plain[..]);
            }
        }

        #[test]
        fn any_bytes_are_decoded_or_refused(bytes in vec(any::<u8>(), 0..200)) {
            for coding in Coding::ALL {
                let _ = coding.decode(&bytes, 1000);
            }
        }
    }

    #[test]
    fn a_few_bytes_that_stand_for_many_are_refused() {
        let zeros = vec![0; 1 << 20];
        for coding in Coding::ALL {
            let coded = coding.encode(&zeros).unwrap();
            assert!(coded.len() < 4096);
            assert_eq!(coding.decode(&coded, 1000).unwrap_err().reason(), "BODY_TOO_LARGE");
            assert!(coding.decode(&coded, 1 << 20).is_ok());
        }
    }

    #[test]
    fn the_heaviest_coding_wins_and_of_equals_the_cheapest() {
        let accepted = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, value.parse().unwrap());
            Coding::accepted(&headers)
        };
        assert_eq!(accepted("gzip, deflate, br, zstd"), Some(Coding::Zstd));
        assert_eq!(accepted("gzip, br;q=0.9"), Some(Coding::Gzip));
        assert_eq!(accepted("*;q=0.1, zstd;q=0, br;q=0"), Some(Coding::Gzip));
        assert_eq!(accepted("identity"), None);
        assert_eq!(Coding::accepted(&HeaderMap::new()), None);
    }
}
