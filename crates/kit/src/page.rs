//! Keyset pages. A page token holds the last row's key, signed for one filter, brand and caller.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{Call, Error, PlatformKey, Result};

/// How many items a page has.
pub const DEFAULT_SIZE: u32 = 20;

/// Where one list stands: made from the call and the words of its filter.
#[derive(Clone, Debug)]
pub struct Pages {
    key: PlatformKey,
    context: String,
    size: u32,
}

impl Pages {
    /// `size` is what the caller asked for, 0 for the default; the contract limits it to 100.
    pub fn new<T>(key: &PlatformKey, call: &Call<T>, size: u32, filter: &[&str]) -> Self {
        let context = &call.context;
        let parts = [context.method.path, context.brand.as_str(), &context.caller.subject];
        let words: Vec<_> =
            parts.iter().chain(filter).map(|it| format!("{}:{it}", it.len())).collect();
        let size = if size == 0 { DEFAULT_SIZE } else { size };
        Self { key: key.clone(), context: words.concat(), size }
    }

    /// Rows to fetch: one more than are shown tells whether there is a next page.
    pub fn fetch(&self) -> i64 {
        i64::from(self.size) + 1
    }

    /// The key after which this page begins; `None` on the first.
    pub fn after(&self, token: &str) -> Result<Option<String>> {
        if token.is_empty() {
            return Ok(None);
        }
        let refused = || {
            Error::invalid(
                "PAGE_TOKEN_INVALID",
                "page_token",
                "must be the next_page_token of the same list",
            )
        };
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| refused())?;
        let (mac, key) = bytes.split_at_checked(16).ok_or_else(refused)?;
        if self.mac(key) != mac {
            return Err(refused());
        }
        String::from_utf8(key.to_vec()).map(Some).map_err(|_| refused())
    }

    /// Cuts the rows to the page's size and makes the token of the next, empty on the last page.
    pub fn cut<R>(&self, mut rows: Vec<R>, key: impl Fn(&R) -> String) -> (Vec<R>, String) {
        if rows.len() <= self.size as usize {
            return (rows, String::new());
        }
        rows.truncate(self.size as usize);
        let last = rows.last().map(key).unwrap_or_default();
        let token = [&self.mac(last.as_bytes())[..], last.as_bytes()].concat();
        (rows, URL_SAFE_NO_PAD.encode(token))
    }

    fn mac(&self, key: &[u8]) -> [u8; 16] {
        let message = [b"page token\0", self.context.as_bytes(), b"\0", key].concat();
        let mac = self.key.mac(&message);
        mac[..16].try_into().expect("16 of 32 bytes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(context: &str, size: u32) -> Pages {
        Pages { key: PlatformKey::new([7; 32]), context: context.into(), size }
    }

    #[test]
    fn a_list_is_walked_to_its_end() {
        let list = pages("list", 2);
        let (page, token) = list.cut(vec![1, 2, 3], ToString::to_string);
        assert_eq!(page, [1, 2]);
        assert_eq!(list.after(&token).unwrap().as_deref(), Some("2"));
        let (page, token) = list.cut(vec![3], ToString::to_string);
        assert_eq!((page, token.as_str()), (vec![3], ""));
    }

    #[test]
    fn a_token_serves_its_own_list_only() {
        let (_, token) = pages("mine", 1).cut(vec![1, 2], ToString::to_string);
        assert!(pages("yours", 1).after(&token).is_err());
        assert!(pages("mine", 1).after(&format!("{token}A")).is_err());
        assert!(pages("mine", 1).after("not base64!").is_err());
    }
}
