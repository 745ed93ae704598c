//! JSON text (RFC 8259): a strict scanner over it, and the writing of strings.

use std::borrow::Cow;

use crate::fault::{Fault, malformed};
use crate::wire::MAX_DEPTH;

type Result<T> = std::result::Result<T, Fault>;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;
const SPACES: u64 = ONES * 0x20;

/// Takes values off the front of a JSON text.
#[derive(Clone)]
pub(crate) struct Scanner<'a> {
    text: &'a str,
    offset: usize,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Scanner<'a> {
        Scanner { text, offset: 0 }
    }

    /// The next byte after white space, which is passed over.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.offset) {
                Some(b' ' | b'\n' | b'\t' | b'\r') => self.offset += 1,
                other => return other.copied(),
            }
        }
    }

    /// Passes over this byte if it is next.
    #[inline]
    pub(crate) fn accept(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.offset += usize::from(found);
        found
    }

    pub(crate) fn expect(&mut self, byte: u8, expected: &'static str) -> Result<()> {
        if self.accept(byte) { Ok(()) } else { Err(self.unexpected(expected)) }
    }

    /// Passes over these bytes if they are next, white space before them not included.
    #[inline]
    pub(crate) fn accept_bytes(&mut self, bytes: &[u8]) -> bool {
        let found = starts_with(&self.text.as_bytes()[self.offset..], bytes);
        self.offset += if found { bytes.len() } else { 0 };
        found
    }

    /// After an element: whether another follows, that is a comma; or `close` ends the list.
    #[inline]
    pub(crate) fn another(&mut self, close: u8) -> Result<bool> {
        match self.peek() {
            Some(b',') => {
                self.offset += 1;
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.offset += 1;
                Ok(false)
            }
            _ => Err(self.unexpected(if close == b'}' {
                "expected ',' or '}'"
            } else {
                "expected ',' or ']'"
            })),
        }
    }

    /// A member's name and the colon after it.
    pub(crate) fn name(&mut self) -> Result<Cow<'a, str>> {
        if self.peek() != Some(b'"') {
            return Err(self.unexpected("expected a name in double quotes"));
        }
        let name = self.string()?;
        self.expect(b':', "expected ':'")?;
        Ok(name)
    }

    /// A string that is next and has no escapes: the common case, kept small.
    #[inline]
    pub(crate) fn plain_string(&mut self) -> Option<&'a str> {
        if self.peek() != Some(b'"') {
            return None;
        }
        let start = self.offset + 1;
        let end = start + plain_length(&self.text.as_bytes()[start..]);
        if self.text.as_bytes().get(end) != Some(&b'"') {
            return None;
        }
        self.offset = end + 1;
        Some(&self.text[start..end])
    }

    /// A string whose opening quote is next.
    pub(crate) fn string(&mut self) -> Result<Cow<'a, str>> {
        self.expect(b'"', "expected a string")?;
        let start = self.offset;
        self.offset += plain_length(&self.text.as_bytes()[start..]);
        let plain = &self.text[start..self.offset];
        match self.text.as_bytes().get(self.offset) {
            Some(b'"') => {
                self.offset += 1;
                Ok(Cow::Borrowed(plain))
            }
            Some(b'\\') => self.escaped(plain.to_owned()).map(Cow::Owned),
            _ => Err(self.unexpected("expected the end of a string")),
        }
    }

    fn escaped(&mut self, mut value: String) -> Result<String> {
        loop {
            let start = self.offset;
            self.offset += plain_length(&self.text.as_bytes()[start..]);
            value.push_str(&self.text[start..self.offset]);
            match self.text.as_bytes().get(self.offset) {
                Some(b'"') => {
                    self.offset += 1;
                    return Ok(value);
                }
                Some(b'\\') => {
                    self.offset += 1;
                    value.push(self.escape()?);
                }
                _ => return Err(self.unexpected("expected the end of a string")),
            }
        }
    }

    fn escape(&mut self) -> Result<char> {
        let letter = self.text.as_bytes().get(self.offset).copied();
        let plain = match letter {
            Some(letter @ (b'"' | b'\\' | b'/')) => char::from(letter),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.offset += 1;
                return self.unicode();
            }
            _ => return Err(self.unexpected("expected an escape")),
        };
        self.offset += 1;
        Ok(plain)
    }

    /// Four hexadecimal digits, and four more for the other half of a surrogate pair.
    fn unicode(&mut self) -> Result<char> {
        let first = self.hexadecimal()?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first).ok_or_else(|| self.unexpected("unpaired surrogate"));
        }
        if !self.accept_bytes(b"\\u") {
            return Err(self.unexpected("unpaired surrogate"));
        }
        let second = self.hexadecimal()?;
        if !(0xdc00..0xe000).contains(&second) {
            return Err(self.unexpected("unpaired surrogate"));
        }
        let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        char::from_u32(code).ok_or_else(|| self.unexpected("unpaired surrogate"))
    }

    fn hexadecimal(&mut self) -> Result<u32> {
        let digits = self.text.as_bytes().get(self.offset..self.offset + 4).unwrap_or_default();
        let mut value = 0;
        for &digit in digits {
            let digit = char::from(digit).to_digit(16);
            value = value * 16 + digit.ok_or_else(|| self.unexpected("expected four digits"))?;
        }
        if digits.is_empty() {
            return Err(self.unexpected("expected four digits"));
        }
        self.offset += 4;
        Ok(value)
    }

    /// The text of a number that is next, or nothing if something else is.
    pub(crate) fn number(&mut self) -> Result<&'a str> {
        self.peek();
        let rest = &self.text[self.offset..];
        match number_length(rest.as_bytes()) {
            Some(length) => {
                self.offset += length;
                Ok(&rest[..length])
            }
            None => Err(self.unexpected("expected a value")),
        }
    }

    /// `true`, `false` or `null`.
    pub(crate) fn word(&mut self, word: &'static str) -> Result<()> {
        self.peek();
        if self.accept_bytes(word.as_bytes()) {
            Ok(())
        } else {
            Err(self.unexpected("expected a value"))
        }
    }

    /// Passes over one value of any kind, which must be JSON all the same.
    pub(crate) fn skip_value(&mut self, depth: u32) -> Result<()> {
        match self.peek() {
            Some(b'{') => self.skip_members(depth),
            Some(b'[') => self.skip_elements(depth),
            Some(b'"') => self.string().map(drop),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            _ => self.number().map(drop),
        }
    }

    fn skip_members(&mut self, depth: u32) -> Result<()> {
        let depth = self.deeper(depth)?;
        self.expect(b'{', "expected '{'")?;
        if self.accept(b'}') {
            return Ok(());
        }
        loop {
            self.name()?;
            self.skip_value(depth)?;
            if !self.another(b'}')? {
                return Ok(());
            }
        }
    }

    fn skip_elements(&mut self, depth: u32) -> Result<()> {
        let depth = self.deeper(depth)?;
        self.expect(b'[', "expected '['")?;
        if self.accept(b']') {
            return Ok(());
        }
        loop {
            self.skip_value(depth)?;
            if !self.another(b']')? {
                return Ok(());
            }
        }
    }

    /// One level further down, if there is one.
    pub(crate) fn deeper(&self, depth: u32) -> Result<u32> {
        if depth >= MAX_DEPTH {
            return Err(malformed(self.offset, "nested more than 100 levels deep"));
        }
        Ok(depth + 1)
    }

    /// Only white space is left.
    pub(crate) fn end(&mut self) -> Result<()> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.unexpected("expected the end")),
        }
    }

    pub(crate) fn unexpected(&self, expected: &'static str) -> Fault {
        malformed(self.offset, expected)
    }
}

/// `bytes.starts_with(short)`, without a call for what mostly is a few bytes long.
#[inline]
fn starts_with(bytes: &[u8], short: &[u8]) -> bool {
    let Some(front) = bytes.get(..short.len()) else { return false };
    match short.len() {
        8.. => {
            let words = front.as_chunks::<8>().0.iter().zip(short.as_chunks::<8>().0);
            words.fold(true, |same, (one, other)| same & (one == other))
                && front.last_chunk::<8>() == short.last_chunk::<8>()
        }
        4.. => {
            front.first_chunk::<4>() == short.first_chunk::<4>()
                && front.last_chunk::<4>() == short.last_chunk::<4>()
        }
        _ => front.iter().eq(short),
    }
}

/// Whether the whole text is a JSON number.
pub(crate) fn is_number(text: &[u8]) -> bool {
    number_length(text) == Some(text.len())
}

/// The length of the JSON number at the front, if there is one.
fn number_length(bytes: &[u8]) -> Option<usize> {
    let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut at = usize::from(bytes.first() == Some(&b'-'));
    let whole = digits(at);
    if whole == 0 || (whole > 1 && bytes[at] == b'0') {
        return None;
    }
    at += whole;
    if bytes.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        if fraction == 0 {
            return None;
        }
        at += 1 + fraction;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        at += 1 + usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let exponent = digits(at);
        if exponent == 0 {
            return None;
        }
        at += exponent;
    }
    Some(at)
}

/// Writes a string in quotes, escaping what RFC 8259 section 7 says must be.
pub(crate) fn write_string(out: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    out.push(b'"');
    loop {
        let plain = plain_length(rest);
        out.extend_from_slice(&rest[..plain]);
        let Some(&byte) = rest.get(plain) else { break };
        write_escape(out, byte);
        rest = &rest[plain + 1..];
    }
    out.push(b'"');
}

/// Writes the bytes of a string off the wire; false if they are not UTF-8. Most are plain
/// ASCII, which one scan establishes.
#[inline]
pub(crate) fn write_utf8(out: &mut Vec<u8>, bytes: &[u8]) -> bool {
    if is_plain_ascii(bytes) {
        out.reserve(bytes.len() + 2);
        out.push(b'"');
        out.extend_from_slice(bytes);
        out.push(b'"');
        return true;
    }
    let text = std::str::from_utf8(bytes);
    text.map(|text| write_string(out, text)).is_ok()
}

/// Whether all bytes are ASCII and none needs an escape.
#[inline]
fn is_plain_ascii(bytes: &[u8]) -> bool {
    let odd = |word: u64| specials(word) | (word & HIGH);
    let (words, rest) = bytes.as_chunks::<8>();
    let found = words.iter().fold(0, |found, word| found | odd(u64::from_le_bytes(*word)));
    // The last eight bytes again, or what there is of them among spaces.
    let last = match (bytes.last_chunk::<8>(), rest) {
        (_, []) => SPACES,
        (Some(last), _) => u64::from_le_bytes(*last),
        (None, rest) => rest.iter().fold(SPACES, |word, byte| word << 8 | u64::from(*byte)),
    };
    found | odd(last) == 0
}

fn write_escape(out: &mut Vec<u8>, byte: u8) {
    const HEXADECIMAL: &[u8; 16] = b"0123456789abcdef";
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        _ => {
            let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&[HEXADECIMAL[high], HEXADECIMAL[low]]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// How many bytes at the front need no escape: up to a quote, a backslash or a control.
#[inline]
pub(crate) fn plain_length(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut plain = 0;
    for word in words {
        let special = specials(u64::from_le_bytes(*word));
        if special != 0 {
            return plain + (special.trailing_zeros() / 8) as usize;
        }
        plain += 8;
    }
    let is_plain = |byte: &&u8| **byte >= 0x20 && **byte != b'"' && **byte != b'\\';
    plain + rest.iter().take_while(is_plain).count()
}

/// The high bit of each byte of `word` that is a quote, a backslash or below 0x20. Bits after
/// the first may be wrong, because a subtraction borrows from its neighbour.
#[inline]
fn specials(word: u64) -> u64 {
    let zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let quote = zero(word ^ (ONES * 0x22));
    let backslash = zero(word ^ (ONES * 0x5c));
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (quote | backslash | control) & HIGH
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive(bytes: &[u8]) -> usize {
        let special = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
        bytes.iter().position(special).unwrap_or(bytes.len())
    }

    proptest! {
        #[test]
        fn a_front_is_told_from_another(text in "[ab]{0,24}", short in "[ab]{0,20}", at in 0..24usize) {
            let (text, short) = (text.as_bytes(), short.as_bytes());
            prop_assert_eq!(starts_with(text, short), text.starts_with(short));
            prop_assert!(starts_with(text, &text[..at.min(text.len())]));
        }

        #[test]
        fn eight_bytes_at_a_time_finds_what_one_at_a_time_does(bytes: Vec<u8>) {
            prop_assert_eq!(plain_length(&bytes), naive(&bytes));
        }

        #[test]
        fn quotes_and_controls_are_found_among_plain_text(text in "[a-z\"\\\\\\x00-\\x21\u{80}é]{0,40}") {
            prop_assert_eq!(plain_length(text.as_bytes()), naive(text.as_bytes()));
        }

        #[test]
        fn a_written_string_reads_back_and_is_json(text: String) {
            let mut out = Vec::new();
            write_string(&mut out, &text);
            let json = String::from_utf8(out).unwrap();
            prop_assert_eq!(&serde_json::from_str::<String>(&json).unwrap(), &text);
            prop_assert_eq!(Scanner::new(&json).string().unwrap(), text);
        }

        #[test]
        fn a_string_off_the_wire_is_written_as_any_other(text in "[a-z\"\\\\\\x00-\\x21\u{80}é]{0,20}", bytes: Vec<u8>) {
            let mut expected = Vec::new();
            write_string(&mut expected, &text);
            let mut out = Vec::new();
            prop_assert!(write_utf8(&mut out, text.as_bytes()));
            prop_assert_eq!(out, expected);
            prop_assert_eq!(write_utf8(&mut Vec::new(), &bytes), std::str::from_utf8(&bytes).is_ok());
        }

        #[test]
        fn values_are_accepted_exactly_when_they_are_json(text in "[\\[\\]{},:\"0-9eE.+\\- tfnrulase\\\\d]{0,12}") {
            let mut scanner = Scanner::new(&text);
            let ours = scanner.skip_value(0).and_then(|()| scanner.end()).is_ok();
            prop_assert_eq!(ours, serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok());
        }
    }
}
