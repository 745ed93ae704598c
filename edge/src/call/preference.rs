//! How a caller wants the JSON of an answer written: `Prefer` (RFC 7240) and `$alt` (Google's
//! system parameter).
//!
//! `Prefer: style=canonical, defaults=emit, enums=number` names three preferences. What is not
//! known or not understood is passed over, as section 2 of the RFC asks for; what is followed is
//! told by `Preference-Applied`.

use http::{HeaderMap, HeaderName, HeaderValue, header, request};
use kit::{Error, Result};
use transcode::{Defaults, Enums, PrintOptions, Style};

use super::put;

const PREFER: HeaderName = HeaderName::from_static("prefer");
const APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// What was asked for, and how an answer is written then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Preference {
    pub(super) print: PrintOptions,
    asked: Asked,
    /// Whether the answer depends on the header, as caches must know.
    by_header: bool,
}

/// The preferences that are followed.
#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    style: Option<Style>,
    defaults: Option<Defaults>,
    enums: Option<Enums>,
}

impl Preference {
    /// What a request asks for where answers have this style. Fails for an `$alt` that nobody here
    /// speaks.
    pub(super) fn of(head: &request::Parts, style: Style) -> Result<Self> {
        let mut preference = Self::usual(style);
        if head.headers.contains_key(PREFER) {
            preference.prefer(&head.headers);
        }
        if let Some(query) = head.uri.query()
            && (query.contains('$') || query.contains("%24"))
        {
            preference.alternative(query)?;
        }
        Ok(preference)
    }

    /// What whoever asks for nothing gets.
    pub(super) fn usual(style: Style) -> Self {
        Self { print: style.into(), asked: Asked::default(), by_header: false }
    }

    fn prefer(&mut self, headers: &HeaderMap) {
        let values = headers.get_all(PREFER).iter().filter_map(|it| it.to_str().ok());
        let asked = Asked::read(values);
        self.print = asked.print(self.print);
        (self.asked, self.by_header) = (asked, true);
    }

    /// `$alt=json`, `$alt=json;enum-encoding=int`.
    fn alternative(&mut self, query: &str) -> Result<()> {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        let Some((_, value)) = pairs.find(|(name, _)| name == "$alt") else { return Ok(()) };
        let mut parts = value.split(';');
        let is_json = parts.next() == Some("json");
        for option in parts {
            match option {
                "enum-encoding=int" => self.print.enums = Enums::Numbers,
                _ => return Err(unspoken()),
            }
        }
        if is_json { Ok(()) } else { Err(unspoken()) }
    }

    /// Tells the caller, and caches, what was followed.
    pub(super) fn tell(&self, headers: &mut HeaderMap) {
        if !self.by_header {
            return;
        }
        headers.append(header::VARY, HeaderValue::from_static("prefer"));
        let applied = self.asked.applied();
        if !applied.is_empty() {
            put(headers, APPLIED, &applied.join(", "));
        }
    }
}

fn unspoken() -> Error {
    Error::invalid("INVALID_FIELD", "$alt", "must be json or json;enum-encoding=int")
}

impl Asked {
    /// Of equal names the first counts, whatever it says.
    fn read<'h>(values: impl Iterator<Item = &'h str>) -> Self {
        let mut asked = Self::default();
        let mut seen = Vec::new();
        for (name, value) in values.flat_map(|it| unquoted(it, ',')).filter_map(preference) {
            if seen.iter().any(|it: &&str| it.eq_ignore_ascii_case(name)) {
                continue;
            }
            seen.push(name);
            match &*name.to_ascii_lowercase() {
                "style" => asked.style = style(value),
                "defaults" => asked.defaults = defaults(value),
                "enums" => asked.enums = enums(value),
                _ => {}
            }
        }
        asked
    }

    fn print(&self, usual: PrintOptions) -> PrintOptions {
        let PrintOptions { style, defaults, enums } = self.style.map_or(usual, Into::into);
        PrintOptions {
            style,
            defaults: self.defaults.unwrap_or(defaults),
            enums: self.enums.unwrap_or(enums),
        }
    }

    fn applied(&self) -> Vec<&'static str> {
        let style = self.style.map(|it| match it {
            Style::Canonical => "style=canonical",
            Style::Rest => "style=rest",
        });
        let defaults = self.defaults.map(|it| match it {
            Defaults::Emitted => "defaults=emit",
            Defaults::Omitted | Defaults::Countable => "defaults=omit",
        });
        let enums = self.enums.map(|it| match it {
            Enums::Numbers => "enums=number",
            Enums::Names => "enums=name",
        });
        [style, defaults, enums].into_iter().flatten().collect()
    }
}

fn style(value: &str) -> Option<Style> {
    match value {
        "canonical" => Some(Style::Canonical),
        "rest" => Some(Style::Rest),
        _ => None,
    }
}

fn defaults(value: &str) -> Option<Defaults> {
    match value {
        "emit" => Some(Defaults::Emitted),
        "omit" => Some(Defaults::Omitted),
        _ => None,
    }
}

fn enums(value: &str) -> Option<Enums> {
    match value {
        "number" => Some(Enums::Numbers),
        "name" => Some(Enums::Names),
        _ => None,
    }
}

/// The name and the value of `name = value; parameters`, the value with quotes or without.
fn preference(text: &str) -> Option<(&str, &str)> {
    let pair = unquoted(text, ';').next()?;
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    let value = value.trim();
    let value = value.strip_prefix('"').and_then(|it| it.strip_suffix('"')).unwrap_or(value);
    Some((name.trim(), value)).filter(|(name, _)| !name.is_empty())
}

/// The parts between separators that are in no quoted string.
fn unquoted(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |character| {
        quoted ^= character == '"' && !escaped;
        escaped = quoted && !escaped && character == '\\';
        character == separator && !quoted
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(prefer: &[&str], uri: &str) -> Result<Preference> {
        let mut request = http::Request::get(uri);
        for value in prefer {
            request = request.header("prefer", *value);
        }
        Preference::of(&request.body(()).unwrap().into_parts().0, Style::Rest)
    }

    fn applied(prefer: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        of(prefer, "/").unwrap().tell(&mut headers);
        assert_eq!(headers[header::VARY], "prefer");
        headers.get(APPLIED).map_or("", |it| it.to_str().unwrap()).to_owned()
    }

    #[test]
    fn what_is_followed_is_told_and_the_rest_passed_over() {
        for (prefer, expected) in [
            (
                &["style=canonical, defaults=emit, enums=number"][..],
                "style=canonical, defaults=emit, enums=number",
            ),
            (&["enums=number", "style=rest"], "style=rest, enums=number"),
            (&[r#"respond-async, Style = "canonical"; strict, wait=10"#], "style=canonical"),
            (&["style=pretty, defaults, enums=1"], ""),
            (&["style=pretty", "style=canonical"], ""),
            (&[r#"foo="a, style=canonical", defaults=omit"#], "defaults=omit"),
            (&[r#"foo="\", style=canonical", enums=name"#], "enums=name"),
            (&[",,=,"], ""),
        ] {
            assert_eq!(applied(prefer), expected, "{prefer:?}");
        }
    }

    #[test]
    fn a_style_brings_its_own_defaults() {
        let print = |prefer| of(&[prefer], "/").unwrap().print;
        assert_eq!(print("style=canonical"), Style::Canonical.into());
        assert_eq!(print("style=canonical, defaults=emit").defaults, Defaults::Emitted);
        assert_eq!(print("defaults=omit").style, Style::Rest);
    }

    #[test]
    fn a_request_without_a_word_of_it_is_answered_as_ever() {
        let preference = of(&[], "/v1/things?a=alt").unwrap();
        assert_eq!(preference.print, Style::Rest.into());
        let mut headers = HeaderMap::new();
        preference.tell(&mut headers);
        assert!(headers.is_empty());
    }

    #[test]
    fn the_system_parameter_says_how_enums_are_encoded() {
        let enums = |uri: &str| of(&[], uri).map(|it| it.print.enums).ok();
        assert_eq!(enums("/?$alt=json"), Some(Enums::Names));
        assert_eq!(enums("/?$alt=json;enum-encoding=int"), Some(Enums::Numbers));
        assert_eq!(enums("/?a=1&%24alt=json%3Benum-encoding%3Dint"), Some(Enums::Numbers));
        assert_eq!(enums("/?$a=json"), Some(Enums::Names));
        for refused in ["/?$alt", "/?$alt=proto", "/?$alt=json;pretty", "/?$alt=json;"] {
            assert_eq!(enums(refused), None, "{refused}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read(text in "[ -~]{0,40}") {
            let _ = of(&[&text], "/");
        }

        #[test]
        fn parts_without_quotes_are_those_of_a_split(text in "[a-z,;= ]{0,40}") {
            let parts: Vec<_> = unquoted(&text, ',').collect();
            prop_assert_eq!(parts, text.split(',').collect::<Vec<_>>());
        }
    }
}
