//! The protobuf wire format: varints, tags, lengths and groups, read and written by hand.
//!
//! <https://protobuf.dev/programming-guides/encoding/>

/// How deeply messages, JSON values and groups may nest.
pub(crate) const MAX_DEPTH: u32 = 100;

pub(crate) const VARINT: u8 = 0;
pub(crate) const FIXED64: u8 = 1;
pub(crate) const LENGTH: u8 = 2;
pub(crate) const START_GROUP: u8 = 3;
pub(crate) const END_GROUP: u8 = 4;
pub(crate) const FIXED32: u8 = 5;

/// Bytes that are no protobuf message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    #[error("malformed protobuf: it ends too early")]
    Truncated,
    #[error("malformed protobuf: a varint of more than 64 bits")]
    LongVarint,
    #[error("malformed protobuf: a field number out of range")]
    FieldNumber,
    #[error("malformed protobuf: an unknown wire type")]
    WireType,
    #[error("malformed protobuf: a group that does not begin")]
    EndGroup,
    #[error("malformed protobuf: nested more than 100 levels deep")]
    TooDeep,
    #[error("malformed protobuf: a string that is not UTF-8")]
    NotUtf8,
}

type Result<T> = std::result::Result<T, WireError>;

/// Takes fields off the front of a message.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// A field number, at least 1, and a wire type.
    #[inline]
    pub(crate) fn tag(&mut self) -> Result<(u32, u8)> {
        let key = self.varint()?;
        if key < 8 || key > u64::from(u32::MAX) {
            return Err(WireError::FieldNumber);
        }
        Ok(((key >> 3) as u32, (key & 7) as u8))
    }

    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64> {
        match self.rest.split_first() {
            Some((&byte, rest)) if byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64> {
        let mut value = 0;
        for (index, &byte) in self.rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                if index == 9 && byte > 1 {
                    return Err(WireError::LongVarint);
                }
                self.rest = &self.rest[index + 1..];
                return Ok(value);
            }
        }
        Err(if self.rest.len() < 10 { WireError::Truncated } else { WireError::LongVarint })
    }

    #[inline]
    pub(crate) fn length_delimited(&mut self) -> Result<&'a [u8]> {
        let length = self.varint()?;
        let length = usize::try_from(length).map_err(|_| WireError::Truncated)?;
        self.bytes(length)
    }

    #[inline]
    pub(crate) fn fixed32(&mut self) -> Result<u32> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(u32::from_le_bytes(*bytes))
    }

    #[inline]
    pub(crate) fn fixed64(&mut self) -> Result<u64> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(u64::from_le_bytes(*bytes))
    }

    #[inline]
    pub(crate) fn bytes(&mut self, length: usize) -> Result<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// The payload of a field whose tag was just read: without length, and for a group
    /// without its end tag.
    pub(crate) fn payload(&mut self, number: u32, wire_type: u8) -> Result<&'a [u8]> {
        if wire_type == LENGTH {
            return self.length_delimited();
        }
        if wire_type == START_GROUP {
            return self.group(number, 0);
        }
        let before = self.rest;
        self.skip(number, wire_type)?;
        Ok(&before[..before.len() - self.rest.len()])
    }

    /// Passes over the payload of a field whose tag was just read.
    pub(crate) fn skip(&mut self, number: u32, wire_type: u8) -> Result<()> {
        self.skip_nested(number, wire_type, 0)
    }

    fn skip_nested(&mut self, number: u32, wire_type: u8, depth: u32) -> Result<()> {
        match wire_type {
            VARINT => self.varint().map(drop),
            FIXED64 => self.bytes(8).map(drop),
            LENGTH => self.length_delimited().map(drop),
            START_GROUP => self.group(number, depth).map(drop),
            FIXED32 => self.bytes(4).map(drop),
            END_GROUP => Err(WireError::EndGroup),
            _ => Err(WireError::WireType),
        }
    }

    fn group(&mut self, number: u32, depth: u32) -> Result<&'a [u8]> {
        if depth >= MAX_DEPTH {
            return Err(WireError::TooDeep);
        }
        let whole = self.rest;
        loop {
            let content = whole.len() - self.rest.len();
            let (inner, wire_type) = self.tag()?;
            if wire_type == END_GROUP && inner == number {
                return Ok(&whole[..content]);
            }
            self.skip_nested(inner, wire_type, depth + 1)?;
        }
    }
}

/// The payloads of one length-delimited field, in order.
pub(crate) fn payloads(bytes: &[u8], wanted: u32) -> impl Iterator<Item = Result<&[u8]>> {
    let mut reader = Reader::new(bytes);
    std::iter::from_fn(move || {
        while !reader.is_empty() {
            let field = reader.tag().and_then(|(number, wire_type)| {
                Ok((number, wire_type, reader.payload(number, wire_type)?))
            });
            match field {
                Ok((number, LENGTH, payload)) if number == wanted => return Some(Ok(payload)),
                Ok(_) => {}
                Err(error) => {
                    reader = Reader::new(&[]);
                    return Some(Err(error));
                }
            }
        }
        None
    })
}

/// The last payload of one length-delimited field, empty if there is none.
pub(crate) fn last(bytes: &[u8], wanted: u32) -> Result<&[u8]> {
    payloads(bytes, wanted).try_fold(&[][..], |_, payload| payload)
}

#[inline]
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[inline]
pub(crate) fn put_tag(out: &mut Vec<u8>, number: u32, wire_type: u8) {
    put_varint(out, u64::from(number) << 3 | u64::from(wire_type));
}

/// A length-delimited field.
pub(crate) fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_tag(out, number, LENGTH);
    put_sized(out, bytes);
}

/// Bytes after their length.
#[inline]
pub(crate) fn put_sized(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Reserves the length of what follows: one byte, which suffices for most messages.
#[inline]
pub(crate) fn open_length(out: &mut Vec<u8>) -> usize {
    out.push(0);
    out.len()
}

/// Reserves as many bytes for the length of what follows as it is likely to need.
#[inline]
pub(crate) fn open_length_of(out: &mut Vec<u8>, width: usize) -> usize {
    out.resize(out.len() + width, 0);
    out.len()
}

/// Patches the length reserved by [`open_length`]; what follows moves if it needs more bytes.
#[inline]
pub(crate) fn close_length(out: &mut Vec<u8>, start: usize) {
    close_length_of(out, start, 1);
}

/// Patches the length reserved by [`open_length_of`], and tells how many bytes it needed; what
/// follows moves if that is another number.
#[inline]
pub(crate) fn close_length_of(out: &mut Vec<u8>, start: usize, width: usize) -> usize {
    let length = out.len() - start;
    let needed = varint_length(length);
    let at = start - width;
    if needed != width {
        move_to(out, start, at + needed);
    }
    let mut rest = length;
    for byte in &mut out[at..at + needed - 1] {
        *byte = rest as u8 | 0x80;
        rest >>= 7;
    }
    out[at + needed - 1] = rest as u8;
    needed
}

/// Moves what begins at `from` so that it begins at `to` and is the end.
fn move_to(out: &mut Vec<u8>, from: usize, to: usize) {
    let length = out.len() - from;
    if from < to {
        out.resize(to + length, 0);
    }
    out.copy_within(from..from + length, to);
    out.truncate(to + length);
}

/// How many bytes a length takes as a varint.
fn varint_length(length: usize) -> usize {
    (usize::BITS - length.leading_zeros()).div_ceil(7).max(1) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_varint_comes_back(value: u64) {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value);
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.varint(), Ok(value));
            prop_assert!(reader.is_empty());
        }

        #[test]
        fn a_patched_length_covers_exactly_the_content(
            length in prop_oneof![0usize..70_000, 120..136usize],
            width in 1..4usize,
        ) {
            let mut out = vec![7];
            let start = open_length_of(&mut out, width);
            out.extend((0..length).map(|i| i as u8));
            let needed = close_length_of(&mut out, start, width);
            prop_assert_eq!((needed, out.len()), (varint_length(length), 1 + needed + length));
            let mut reader = Reader::new(&out[1..]);
            let content = reader.length_delimited().unwrap();
            prop_assert!(reader.is_empty() && content.len() == length);
            prop_assert!(content.iter().enumerate().all(|(i, b)| *b == i as u8));
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>) {
            let mut reader = Reader::new(&bytes);
            while let Ok((number, wire_type)) = reader.tag() {
                if reader.skip(number, wire_type).is_err() {
                    break;
                }
            }
        }
    }

    #[test]
    fn a_group_ends_at_its_own_end_tag() {
        let bytes = [0x0b, 0x13, 0x14, 0x08, 0x01, 0x0c, 0x10, 0x05];
        let mut reader = Reader::new(&bytes);
        let (number, wire_type) = reader.tag().unwrap();
        assert_eq!(reader.payload(number, wire_type).unwrap(), &bytes[1..5]);
        assert_eq!(reader.rest(), &bytes[6..]);
    }
}
