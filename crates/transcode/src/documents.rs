//! A stream of JSON documents, cut out of bytes that come in pieces of any size.
//!
//! The stream is NDJSON, that is documents one after the other with white space between, or one
//! JSON array whose elements are the documents. The first byte that is no white space decides:
//! `[` begins an array. What stands between documents is checked here; what is inside of one is
//! left to its reader, as long as quotes and brackets tell where it ends.

use crate::fault::{RequestError, malformed};
use crate::json::plain_length;

/// Takes JSON documents out of a request body while it arrives.
#[derive(Debug)]
pub struct Documents {
    /// The most bytes that one document may have.
    limit: usize,
    buffer: Vec<u8>,
    /// How much of the buffer is handed out or passed over.
    taken: usize,
    /// How much of the buffer was looked at.
    scanned: usize,
    /// How many bytes came before the buffer.
    passed: usize,
    place: Place,
    /// The document that began at `taken`.
    open: Option<Open>,
    finished: bool,
}

/// Between which documents the reader stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    Lines,
    /// After `[`.
    ArrayStart,
    /// After an element.
    Element,
    /// After a comma.
    Comma,
    ArrayEnd,
}

/// A document whose end is not found yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    /// An object, a list or a string.
    Bracketed { depth: usize, text: Text },
    /// A number, `true`, `false` or `null`: it ends where something else begins.
    Word,
}

/// Whether a byte is inside of a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    Outside,
    Inside,
    /// After a backslash.
    Escaped,
}

impl Documents {
    /// Takes documents of at most `limit` bytes each.
    pub fn new(limit: usize) -> Documents {
        Documents {
            limit,
            buffer: Vec::new(),
            taken: 0,
            scanned: 0,
            passed: 0,
            place: Place::Start,
            open: None,
            finished: false,
        }
    }

    /// Adds the next bytes of the body.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.taken);
        self.passed += self.taken;
        self.scanned -= self.taken;
        self.taken = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// Says that no more bytes come.
    pub fn finish(&mut self) {
        self.finished = true;
    }

    /// Whether all bytes are there: a document that is not found now never comes.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// The next document. None if more bytes are needed or, after [`Documents::finish`], if
    /// there are no more documents. After an error the rest of the body has no meaning.
    pub fn next_document(&mut self) -> Result<Option<&[u8]>, RequestError> {
        if self.open.is_none() {
            self.open = self.begin()?;
        }
        let Some(open) = &mut self.open else { return self.none() };
        let length = open.end(&self.buffer[self.scanned..]);
        self.scanned = length.map_or(self.buffer.len(), |length| self.scanned + length);
        if self.scanned - self.taken > self.limit {
            return Err(RequestError::DocumentTooLarge { limit: self.limit });
        }
        let ends_with_the_body = self.finished && *open == Open::Word;
        if length.is_none() && !ends_with_the_body {
            return self.none();
        }
        let start = std::mem::replace(&mut self.taken, self.scanned);
        self.open = None;
        if self.place != Place::Lines {
            self.place = Place::Element;
        }
        Ok(Some(&self.buffer[start..self.taken]))
    }

    /// Passes over what stands before a document and begins it, if its first byte is there.
    fn begin(&mut self) -> Result<Option<Open>, RequestError> {
        while let Some(&byte) = self.buffer.get(self.scanned) {
            self.taken = self.scanned;
            self.place = match (self.place, byte) {
                (place, b' ' | b'\t' | b'\r' | b'\n') => place,
                (Place::Start, b'[') => Place::ArrayStart,
                (Place::ArrayStart | Place::Element, b']') => Place::ArrayEnd,
                (Place::Element, b',') => Place::Comma,
                (Place::Element, _) => return Err(self.wrong("expected ',' or ']'")),
                (Place::ArrayEnd, _) => return Err(self.wrong("expected the end")),
                (place, _) => {
                    let open = Open::at(byte).ok_or_else(|| self.wrong("expected a document"))?;
                    self.place = if place == Place::Start { Place::Lines } else { place };
                    return Ok(Some(open));
                }
            };
            self.scanned += 1;
        }
        self.taken = self.scanned;
        Ok(None)
    }

    /// No document: for now, or for good if the body may end here.
    fn none(&self) -> Result<Option<&[u8]>, RequestError> {
        let ends = matches!(self.place, Place::Start | Place::Lines | Place::ArrayEnd);
        match (self.finished, self.open.is_some()) {
            (true, true) => Err(self.wrong("expected the end of a document")),
            (true, false) if !ends => Err(self.wrong("expected ']'")),
            _ => Ok(None),
        }
    }

    #[cold]
    fn wrong(&self, expected: &'static str) -> RequestError {
        *malformed(self.passed + self.scanned, expected)
    }
}

impl Open {
    /// What begins with this byte; none if no JSON value does.
    fn at(byte: u8) -> Option<Open> {
        match byte {
            b'{' | b'[' | b'"' => Some(Open::Bracketed { depth: 0, text: Text::Outside }),
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => Some(Open::Word),
            _ => None,
        }
    }

    /// After how many of these bytes the document ends, if it does.
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let Open::Bracketed { depth, text } = self else {
            let ends = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b',' | b']');
            return bytes.iter().position(ends);
        };
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            at += 1;
            match (*text, byte) {
                (Text::Escaped, _) | (Text::Outside, b'"') => *text = Text::Inside,
                (Text::Inside, b'\\') => *text = Text::Escaped,
                (Text::Inside, b'"') => *text = Text::Outside,
                (Text::Inside, _) => {}
                (Text::Outside, b'{' | b'[') => *depth += 1,
                (Text::Outside, b'}' | b']') => *depth = depth.saturating_sub(1),
                (Text::Outside, _) => {}
            }
            match *text {
                Text::Inside => at += plain_length(&bytes[at..]),
                Text::Outside if *depth == 0 => return Some(at),
                _ => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All documents of a body that comes in these pieces, and the error it ends with.
    fn split<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<String>, Option<String>) {
        let mut documents = Documents::new(40);
        let mut found = Vec::new();
        let mut take = |documents: &mut Documents| loop {
            match documents.next_document() {
                Ok(Some(document)) => found.push(String::from_utf8_lossy(document).into_owned()),
                Ok(None) => return None,
                Err(error) => return Some(error.to_string()),
            }
        };
        for piece in pieces {
            documents.push(piece);
            if let Some(error) = take(&mut documents) {
                return (found, Some(error));
            }
        }
        documents.finish();
        let error = take(&mut documents);
        (found, error)
    }

    fn whole(text: &str) -> (Vec<String>, Option<String>) {
        split([text.as_bytes()])
    }

    #[test]
    fn lines_and_arrays_have_the_same_documents() {
        let expected = [r#"{"a":[1,"}"]}"#, r#""x\"]""#, "-1.5e3", "null", "[]", "{}"];
        for text in [
            "{\"a\":[1,\"}\"]}\n\"x\\\"]\"\n-1.5e3\nnull\n[]\n{}",
            "\r\n{\"a\":[1,\"}\"]}\r\n\"x\\\"]\" -1.5e3\tnull []{}\r\n\r\n",
            r#"[{"a":[1,"}"]},"x\"]",-1.5e3,null,[],{}]"#,
            " [ {\"a\":[1,\"}\"]} ,\r\n\"x\\\"]\" , -1.5e3 ,null\n, [] , {} ] \r\n",
        ] {
            assert_eq!(whole(text), (expected.map(str::to_owned).to_vec(), None), "{text}");
        }
    }

    #[test]
    fn a_body_may_hold_no_document() {
        for text in ["", " \r\n ", "[]", " [ ] \n"] {
            assert_eq!(whole(text), (vec![], None), "{text}");
        }
    }

    #[test]
    fn what_does_not_belong_between_documents_is_an_error_at_its_byte() {
        for (text, count, error) in [
            ("{},{}", 1, "expected a document at byte 2"),
            ("{}\n]", 1, "expected a document at byte 3"),
            ("\u{feff}{}", 0, "expected a document at byte 0"),
            ("[{} {}]", 1, "expected ',' or ']' at byte 4"),
            ("[,{}]", 0, "expected a document at byte 1"),
            ("[{},]", 1, "expected a document at byte 4"),
            ("[{}]{}", 1, "expected the end at byte 4"),
            ("[{}", 1, "expected ']' at byte 3"),
            ("[1", 1, "expected ']' at byte 2"),
            ("[{},", 1, "expected ']' at byte 4"),
            ("{}\n{\"a\"", 1, "expected the end of a document at byte 7"),
            ("\"\\\"", 0, "expected the end of a document at byte 3"),
        ] {
            let (found, message) = whole(text);
            let expected = format!("the body is not valid JSON: {error}");
            assert_eq!((found.len(), message), (count, Some(expected)), "{text}");
        }
    }

    #[test]
    fn a_document_is_limited_and_the_body_is_not() {
        let fits = format!("{{{}}}", " ".repeat(38));
        let body = format!("{fits}\n").repeat(1000) + &" ".repeat(1000);
        assert_eq!(whole(&body).0.len(), 1000);
        let over = fits.replace("{", "{ ");
        for text in [&over, &over[..41], &"1".repeat(41), &format!("[{fits},{over}]")] {
            let error = whole(text).1.unwrap();
            assert_eq!(error, "a document must have at most 40 bytes", "{text}");
        }
    }

    #[test]
    fn what_is_handed_out_is_not_kept() {
        let mut documents = Documents::new(10);
        for _ in 0..1000 {
            documents.push(b"{}\n    ");
            assert_eq!(documents.next_document().unwrap(), Some(&b"{}"[..]));
            assert_eq!(documents.next_document().unwrap(), None);
        }
        assert!(documents.buffer.len() < 20);
    }

    fn body() -> impl Strategy<Value = String> {
        let document = prop_oneof![
            Just("{}"),
            Just(r#"{"a":"\\\"}]","b":[{},1]}"#),
            Just(r#""é\"😀""#),
            Just("12.5"),
            Just("true"),
            Just("[[],{}]"),
            "[\\[\\]{},:\"0-9a\\\\ \r\n]{0,8}".prop_map(|text| &*text.leak()),
        ];
        let documents = proptest::collection::vec(document, 0..6);
        let framing = prop_oneof![Just(("", "\n", "")), Just(("[", ",", "]")), Just(("", "", ""))];
        (documents, framing).prop_map(|(documents, (open, between, close))| {
            format!("{open}{}{close}", documents.join(between))
        })
    }

    proptest! {
        #[test]
        fn any_split_of_the_bytes_gives_the_same_documents(
            text in body(),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]);
            prop_assert_eq!(split(pieces), whole(&text));
            prop_assert_eq!(split(bytes.chunks(1)), whole(&text));
        }

        #[test]
        fn the_documents_of_an_array_are_its_elements(text in "\\[(null|[0-9]{1,3}|\\{\\}|\"[a-z,\\]]{0,4}\"|,| ){0,8}\\]") {
            let (found, error) = whole(&text);
            if let Ok(elements) = serde_json::from_str::<Vec<serde_json::Value>>(&text) {
                let found: Vec<serde_json::Value> =
                    found.iter().map(|document| serde_json::from_str(document).unwrap()).collect();
                prop_assert_eq!((found, error), (elements, None));
            } else {
                let parsed = found.iter().all(|d| serde_json::from_str::<serde_json::Value>(d).is_ok());
                prop_assert!(error.is_some() || !parsed, "{}", text);
            }
        }
    }
}
