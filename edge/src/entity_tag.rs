//! Entity tags (RFC 9110 section 8.8.3), the headers that name them, and what is compared.

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use tonic::body::Body;

/// The content codings that an answer may have. Two codings of an answer are two representations,
/// so that a strong tag tells them apart: `"4"`, `"4-gzip"` (RFC 9110 section 8.8.3.3).
const CODINGS: [&[u8]; 3] = [b"-zstd", b"-br", b"-gzip"];

/// An entity tag, without its quotation marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EntityTag<'a> {
    weak: bool,
    opaque: &'a [u8],
}

/// What `If-Match` or `If-None-Match` names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Named<'a> {
    /// `*`: whatever there is.
    Any,
    Tags(Vec<EntityTag<'a>>),
}

/// A header that is no list of entity tags, nor `*`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl<'a> EntityTag<'a> {
    /// A whole tag, such as `"4"` or `W/"4"`.
    pub(crate) fn parse(text: &'a [u8]) -> Option<Self> {
        Self::first(text).filter(|(_, rest)| rest.is_empty()).map(|(tag, _)| tag)
    }

    /// The tag at the beginning, and what follows it.
    fn first(text: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (weak, quoted) = match text.strip_prefix(b"W/") {
            Some(quoted) => (true, quoted),
            None => (false, text),
        };
        let inside = quoted.strip_prefix(b"\"")?;
        let end = inside.iter().position(|it| *it == b'"')?;
        let (opaque, rest) = (&inside[..end], &inside[end + 1..]);
        let is_tag = opaque.iter().all(|it| matches!(it, 0x21 | 0x23..=0x7e | 0x80..));
        is_tag.then_some((Self { weak, opaque }, rest))
    }

    pub(crate) fn is_weak(self) -> bool {
        self.weak
    }

    /// The tag as the answer had it before it was coded.
    pub(crate) fn uncoded(self) -> Self {
        let bare = CODINGS.iter().find_map(|it| self.opaque.strip_suffix(*it));
        Self { opaque: bare.filter(|_| !self.weak).unwrap_or(self.opaque), ..self }
    }

    /// Weak comparison (RFC 9110 section 8.8.3.2) with the tag of what there is, in any coding.
    fn is_weakly(self, present: Self) -> bool {
        self.opaque == present.opaque || self.uncoded().opaque == present.opaque
    }

    /// Strong comparison with the tag of what there is, in any coding.
    fn is_strongly(self, present: Self) -> bool {
        !self.weak && !present.weak && self.is_weakly(present)
    }

    /// The tag in its quotation marks; none if it is no text.
    pub(crate) fn text(self) -> Option<String> {
        let opaque = std::str::from_utf8(self.opaque).ok()?;
        Some(format!("{}\"{opaque}\"", if self.weak { "W/" } else { "" }))
    }
}

impl<'a> Named<'a> {
    /// What all headers of this name say together; none if there is none.
    pub(crate) fn of(headers: &'a HeaderMap, name: HeaderName) -> Option<Result<Self, Malformed>> {
        let values = headers.get_all(name);
        values.iter().next()?;
        Some(Self::read(values.iter().map(HeaderValue::as_bytes)))
    }

    fn read(values: impl Iterator<Item = &'a [u8]>) -> Result<Self, Malformed> {
        let (mut tags, mut any) = (Vec::new(), 0);
        for value in values {
            let mut rest = value.trim_ascii();
            while !rest.is_empty() {
                rest = match (rest, EntityTag::first(rest)) {
                    ([b',', rest @ ..], _) => rest.trim_ascii_start(),
                    ([b'*', rest @ ..], _) => {
                        any += 1;
                        ended(rest)?
                    }
                    (_, Some((tag, rest))) => {
                        tags.push(tag);
                        ended(rest)?
                    }
                    _ => return Err(Malformed),
                };
            }
        }
        match (any, tags.is_empty()) {
            (0, false) => Ok(Self::Tags(tags)),
            (1, true) => Ok(Self::Any),
            _ => Err(Malformed),
        }
    }

    /// Whether one of them is, by strong comparison, the tag of what there is.
    pub(crate) fn has_strongly(&self, present: Option<EntityTag<'_>>) -> bool {
        match self {
            Self::Any => true,
            Self::Tags(tags) => {
                present.is_some_and(|present| tags.iter().any(|it| it.is_strongly(present)))
            }
        }
    }

    /// The first that is, by weak comparison, the tag of what there is; that itself for `*`.
    fn known<'t>(&'t self, present: EntityTag<'t>) -> Option<EntityTag<'t>> {
        match self {
            Self::Any => Some(present),
            Self::Tags(tags) => tags.iter().copied().find(|it| it.is_weakly(present)),
        }
    }
}

/// What follows an element of a list: nothing, or a comma.
fn ended(rest: &[u8]) -> Result<&[u8], Malformed> {
    let rest = rest.trim_ascii_start();
    if rest.is_empty() || rest.starts_with(b",") { Ok(rest) } else { Err(Malformed) }
}

/// 304 if the caller of a read has what `etag` stands for. A header that is malformed names
/// nothing.
///
/// It has the headers of RFC 9110 section 15.4.5. `Date` and `Cache-Control` are added to every
/// answer; `Vary` is that of an answer that is long enough to be coded.
pub(crate) fn not_modified(headers: &HeaderMap, etag: &HeaderValue) -> Option<Response<Body>> {
    let named = Named::of(headers, header::IF_NONE_MATCH)?.ok()?;
    let present = EntityTag::parse(etag.as_bytes())?;
    let known = named.known(present)?;
    // The tag is that of the coding that the caller has.
    let coded = !known.weak && !present.weak && known != present;
    let told = known.text().filter(|_| coded);
    let told = told.and_then(|it| HeaderValue::from_bytes(it.as_bytes()).ok());
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    response.headers_mut().insert(header::ETAG, told.unwrap_or_else(|| etag.clone()));
    let vary = HeaderValue::from_name(header::ACCEPT_ENCODING);
    response.headers_mut().insert(header::VARY, vary);
    Some(response)
}

/// Tells the tag of an answer that has now been coded from that of the answer as it was.
pub(crate) fn mark_coded(headers: &mut HeaderMap, coding: &str) {
    let etag = headers.get(header::ETAG).map(HeaderValue::as_bytes);
    let Some(opaque) = etag.and_then(|it| it.strip_prefix(b"\"")?.strip_suffix(b"\"")) else {
        return; // A weak tag stands for every coding.
    };
    let marked = [b"\"", opaque, b"-", coding.as_bytes(), b"\""].concat();
    if let Ok(marked) = HeaderValue::from_bytes(&marked) {
        headers.insert(header::ETAG, marked);
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn tag(text: &str) -> EntityTag<'_> {
        EntityTag::parse(text.as_bytes()).unwrap()
    }

    fn named(text: &str) -> Result<Named<'_>, Malformed> {
        Named::read([text.as_bytes()].into_iter())
    }

    #[test]
    fn the_comparisons_are_those_of_the_rfc() {
        // RFC 9110 section 8.8.3.2, table 3.
        for (one, other, strong, weak) in [
            ("W/\"1\"", "W/\"1\"", false, true),
            ("W/\"1\"", "W/\"2\"", false, false),
            ("W/\"1\"", "\"1\"", false, true),
            ("\"1\"", "\"1\"", true, true),
        ] {
            assert_eq!(tag(one).is_strongly(tag(other)), strong, "{one} {other}");
            assert_eq!(tag(one).is_weakly(tag(other)), weak, "{one} {other}");
        }
    }

    #[test]
    fn a_list_of_tags_may_have_commas_inside_and_gaps_between() {
        assert_eq!(
            named(" , \"a,b\" ,,W/\"\" , "),
            Ok(Named::Tags(vec![tag("\"a,b\""), tag("W/\"\"")]))
        );
        assert_eq!(named(" * "), Ok(Named::Any));
        let lines = [&b"\"a\""[..], b"\"b\""];
        assert_eq!(
            Named::read(lines.into_iter()),
            Ok(Named::Tags(vec![tag("\"a\""), tag("\"b\"")]))
        );
    }

    #[test]
    fn what_is_no_list_of_tags_is_malformed() {
        for text in [
            "",
            ",",
            "4",
            "\"a",
            "\"a\" \"b\"",
            "w/\"a\"",
            "W/ \"a\"",
            "*, *",
            "*,\"a\"",
            "\"a b\"",
        ] {
            assert_eq!(named(text), Err(Malformed), "{text}");
        }
        assert_eq!(Named::of(&HeaderMap::new(), header::IF_MATCH), None);
    }

    #[test]
    fn a_strong_tag_tells_the_codings_of_an_answer_apart_and_is_known_in_each() {
        let mut headers = HeaderMap::new();
        headers.insert(header::ETAG, HeaderValue::from_static("\"4\""));
        mark_coded(&mut headers, "gzip");
        assert_eq!(headers[header::ETAG], "\"4-gzip\"");
        assert!(tag("\"4-gzip\"").is_strongly(tag("\"4\"")));
        assert!(tag("\"4-gzip\"").is_strongly(tag("\"4-gzip\"")));
        assert!(!tag("\"4\"").is_strongly(tag("\"4-gzip\"")));
        assert_eq!(tag("W/\"4-br\"").uncoded(), tag("W/\"4-br\""));
        headers.insert(header::ETAG, HeaderValue::from_static("W/\"4\""));
        mark_coded(&mut headers, "br");
        assert_eq!(headers[header::ETAG], "W/\"4\"");
    }

    proptest! {
        #[test]
        fn any_header_is_read_or_refused(bytes in vec(any::<u8>(), 0..40)) {
            let _ = Named::read([&bytes[..]].into_iter());
        }

        #[test]
        fn every_tag_of_a_list_is_found(texts in vec("(W/)?\"[!#-~]{0,8}\"", 1..5)) {
            let list = texts.join(", ");
            let tags = texts.iter().map(|it| tag(it)).collect();
            prop_assert_eq!(named(&list), Ok(Named::Tags(tags)));
        }
    }
}
