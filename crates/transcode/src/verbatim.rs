//! Text that is written as it stands, many times: names of members and of enum values.

use std::ops::Deref;

/// As many bytes as most names have, with quotes, comma and colon.
const SHORT: usize = 24;

/// Bytes to be appended as they are. Most are few: a block of a known size is copied without a
/// call, and what is too much of it cut off again.
#[derive(Debug)]
pub(crate) struct Verbatim {
    bytes: Box<[u8]>,
    block: [u8; SHORT],
}

impl Verbatim {
    #[inline]
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        if self.bytes.len() > SHORT {
            out.extend_from_slice(&self.bytes);
        } else {
            let end = out.len() + self.bytes.len();
            out.extend_from_slice(&self.block);
            out.truncate(end);
        }
    }
}

impl From<Vec<u8>> for Verbatim {
    fn from(bytes: Vec<u8>) -> Self {
        let mut block = [0; SHORT];
        for (to, from) in block.iter_mut().zip(&bytes) {
            *to = *from;
        }
        Self { bytes: bytes.into(), block }
    }
}

impl Deref for Verbatim {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_is_the_text_however_long() {
        for length in [0, 1, SHORT - 1, SHORT, SHORT + 1, 300] {
            let text = vec![b'a'; length];
            let mut out = b"before".to_vec();
            Verbatim::from(text.clone()).put(&mut out);
            assert_eq!(out, [&b"before"[..], &text[..]].concat());
        }
    }
}
