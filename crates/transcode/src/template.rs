//! Path templates: the grammar of `google.api.http`, parsed to segments, variables and a verb.
//!
//! ```text
//! Template = "/" Segments [ Verb ] ;
//! Segments = Segment { "/" Segment } ;
//! Segment  = "*" | "**" | LITERAL | Variable ;
//! Variable = "{" FieldPath [ "=" Segments ] "}" ;
//! FieldPath = IDENT { "." IDENT } ;
//! Verb     = ":" LITERAL ;
//! ```
//!
//! `**` stands at most once and no wildcard follows it; literals may, as in the reference
//! implementation. A variable holds no other variable, and no field is bound twice.

use percent_encoding::percent_decode_str;

/// A parsed path template, such as `/v1/{name=shelves/*}:archive`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    pub segments: Vec<Segment>,
    pub variables: Vec<Variable>,
    /// The word after the last colon, such as `archive`.
    pub verb: Option<String>,
}

/// One part of a path, between two slashes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Segment {
    /// Exactly this text, percent-decoded.
    Literal(String),
    /// Any one segment that is not empty.
    Single,
    /// Any number of segments, none included.
    Multi,
}

/// A request field that takes its value from the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Dotted names, such as `book.name`.
    pub field_path: String,
    /// The segments it covers, as a half-open range into [`Template::segments`].
    pub start: usize,
    pub end: usize,
    /// Whether its pattern can cover more than one segment: then `%2F` stays as it is.
    pub multiple: bool,
}

/// What is wrong with a template, and at which byte.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {offset}")]
pub struct TemplateError {
    pub offset: usize,
    pub reason: &'static str,
}

impl Template {
    /// Parses a template. The root, `/`, has no segments and is [`Template::root`].
    pub fn parse(text: &str) -> Result<Template, TemplateError> {
        let mut parser = Parser { text, offset: 0, segments: Vec::new(), variables: Vec::new() };
        parser.expect(b'/', "a template begins with a slash")?;
        parser.segments(false)?;
        let verb = parser.verb()?;
        if parser.offset != text.len() {
            return Err(parser.error("expected '/', ':' or the end"));
        }
        parser.check()?;
        Ok(Template { segments: parser.segments, variables: parser.variables, verb })
    }

    /// The template of the path `/`.
    pub fn root() -> Template {
        Template { segments: Vec::new(), variables: Vec::new(), verb: None }
    }
}

struct Parser<'a> {
    text: &'a str,
    offset: usize,
    segments: Vec<Segment>,
    variables: Vec<Variable>,
}

impl Parser<'_> {
    fn segments(&mut self, in_variable: bool) -> Result<(), TemplateError> {
        self.segment(in_variable)?;
        while self.accept(b'/') {
            self.segment(in_variable)?;
        }
        Ok(())
    }

    fn segment(&mut self, in_variable: bool) -> Result<(), TemplateError> {
        match self.peek() {
            Some(b'*') => {
                self.offset += 1;
                let multi = self.accept(b'*');
                self.segments.push(if multi { Segment::Multi } else { Segment::Single });
                Ok(())
            }
            Some(b'{') if in_variable => Err(self.error("a variable holds no other variable")),
            Some(b'{') => self.variable(),
            _ => {
                let literal = self.literal()?;
                self.segments.push(Segment::Literal(literal));
                Ok(())
            }
        }
    }

    fn variable(&mut self) -> Result<(), TemplateError> {
        self.expect(b'{', "expected '{'")?;
        let field_path = self.field_path()?;
        let start = self.segments.len();
        if self.accept(b'=') {
            self.segments(true)?;
        } else {
            self.segments.push(Segment::Single);
        }
        self.expect(b'}', "expected '}'")?;
        let end = self.segments.len();
        let multiple = end - start > 1 || self.segments[start] == Segment::Multi;
        self.variables.push(Variable { field_path, start, end, multiple });
        Ok(())
    }

    fn field_path(&mut self) -> Result<String, TemplateError> {
        let start = self.offset;
        self.identifier()?;
        while self.accept(b'.') {
            self.identifier()?;
        }
        Ok(self.text[start..self.offset].to_owned())
    }

    fn identifier(&mut self) -> Result<(), TemplateError> {
        let start = self.offset;
        while self.peek().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_') {
            self.offset += 1;
        }
        match self.text.as_bytes().get(start) {
            Some(first) if start < self.offset && !first.is_ascii_digit() => Ok(()),
            _ => Err(self.error("expected a field name")),
        }
    }

    /// A LITERAL: the characters of RFC 3986's `pchar` except the colon, percent-decoded.
    fn literal(&mut self) -> Result<String, TemplateError> {
        let start = self.offset;
        while self.peek().is_some_and(is_literal) {
            if self.peek() == Some(b'%') && !self.is_escape() {
                return Err(self.error("'%' is followed by two hexadecimal digits"));
            }
            self.offset += 1;
        }
        if start == self.offset {
            return Err(self.error("a segment is not empty"));
        }
        let decoded = percent_decode_str(&self.text[start..self.offset]).decode_utf8();
        Ok(decoded.map_err(|_| self.error("a literal is UTF-8"))?.into_owned())
    }

    fn verb(&mut self) -> Result<Option<String>, TemplateError> {
        if self.accept(b':') { self.literal().map(Some) } else { Ok(None) }
    }

    /// What the grammar cannot say.
    fn check(&self) -> Result<(), TemplateError> {
        let mut after_multi = self.segments.iter().skip_while(|s| **s != Segment::Multi).skip(1);
        if after_multi.any(|segment| !matches!(segment, Segment::Literal(_))) {
            return Err(self.error("no wildcard follows '**'"));
        }
        for (index, variable) in self.variables.iter().enumerate() {
            if self.variables[..index].iter().any(|v| v.field_path == variable.field_path) {
                return Err(self.error("a field is bound twice"));
            }
        }
        Ok(())
    }

    fn is_escape(&self) -> bool {
        let digits = self.text.as_bytes().get(self.offset + 1..self.offset + 3);
        digits.is_some_and(|d| d.iter().all(u8::is_ascii_hexdigit))
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.offset).copied()
    }

    fn accept(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.offset += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8, reason: &'static str) -> Result<(), TemplateError> {
        if self.accept(byte) { Ok(()) } else { Err(self.error(reason)) }
    }

    fn error(&self, reason: &'static str) -> TemplateError {
        TemplateError { offset: self.offset, reason }
    }
}

fn is_literal(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()+,;@%".contains(&byte) || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Segments joined by slashes, variables as `path[start..end]`, `!` where multiple.
    fn parsed(text: &str) -> Option<(String, String, Option<String>)> {
        let template = Template::parse(text).ok()?;
        let segments: Vec<_> = template.segments.iter().map(shown).collect();
        let variable = |v: &Variable| {
            let mark = if v.multiple { "!" } else { "" };
            format!("{}[{}..{}]{mark}", v.field_path, v.start, v.end)
        };
        let variables: Vec<_> = template.variables.iter().map(variable).collect();
        Some((segments.join("/"), variables.join(" "), template.verb))
    }

    fn shown(segment: &Segment) -> String {
        match segment {
            Segment::Literal(text) => text.clone(),
            Segment::Single => "*".to_owned(),
            Segment::Multi => "**".to_owned(),
        }
    }

    #[test]
    fn each_sentence_of_the_grammar_parses() {
        for (text, segments, variables, verb) in [
            ("/v1/messages", "v1/messages", "", None),
            ("/v1/*", "v1/*", "", None),
            ("/v1/**", "v1/**", "", None),
            ("/**", "**", "", None),
            ("/v1/{message_id}", "v1/*", "message_id[1..2]", None),
            ("/v1/{message_id=*}", "v1/*", "message_id[1..2]", None),
            ("/v1/{name=messages/*}", "v1/messages/*", "name[1..3]!", None),
            ("/v1/{name=**}", "v1/**", "name[1..2]!", None),
            ("/v1/{name=literal}", "v1/literal", "name[1..2]", None),
            ("/{a.b=x/*/y/**}", "x/*/y/**", "a.b[0..4]!", None),
            ("/v1/{a.b.c}/{d}", "v1/*/*", "a.b.c[1..2] d[2..3]", None),
            ("/v1/{name=a/**}/b", "v1/a/**/b", "name[1..3]!", None),
            ("/v1/a:go", "v1/a", "", Some("go")),
            ("/v1/{name=a/*}:go", "v1/a/*", "name[1..3]!", Some("go")),
            ("/v1/**:go", "v1/**", "", Some("go")),
            ("/v1/{_a1=*}", "v1/*", "_a1[1..2]", None),
            ("/.well-known/a~b@c", ".well-known/a~b@c", "", None),
            ("/v1/%7Ba%2Fb", "v1/{a/b", "", None),
        ] {
            let expected = (segments.into(), variables.into(), verb.map(String::from));
            assert_eq!(parsed(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_the_grammar_does_not_say_is_refused() {
        for text in [
            "",
            "/",
            "//",
            "a",
            "a/b",
            "{a}",
            ":go",
            "/:go",
            "/a/",
            "/a//b",
            "/a:",
            "/a/:go",
            "/*:",
            "/{a}:",
            "/{}",
            "/{",
            "/{a",
            "/{a.",
            "/{a.}",
            "/{.a}",
            "/{1a}",
            "/{a-b}",
            "/{a=}",
            "/{a=/b}",
            "/{a=b/}",
            "/{a=b:go}",
            "/a{b}",
            "/{a}b",
            "/{a}{b}",
            "/a*",
            "/*a",
            "/***",
            "/a:b:c",
            "/a b",
            "/a?b",
            "/a#b",
            "/{a={b}}",
            "/{a=b/{c}}",
            "/{a}/{a}",
            "/**/*",
            "/**/**",
            "/{a=**}/{b}",
            "/**/a/*",
            "/%",
            "/%2",
            "/%zz",
            "/%ff",
            "/a}",
            "/a=b",
        ] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }

    #[test]
    fn an_error_tells_where_and_why() {
        let error = Template::parse("/v1/{a={b}}").unwrap_err();
        assert_eq!(error.to_string(), "a variable holds no other variable at byte 7");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text: String, syntax in "[/*{}=.:a%2F1]{0,24}") {
            let _ = (Template::parse(&text), Template::parse(&syntax));
        }
    }
}
