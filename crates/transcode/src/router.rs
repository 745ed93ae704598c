//! The router: a trie of path segments that finds the most specific template for a request.
//!
//! At each segment a literal goes before `*`, and `*` before `**`; after `**` the longest
//! literal tail goes first. A template with the request's verb goes before one that takes the
//! colon as part of its last segment. Each node is visited at most once for a request.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use http::Method;
use percent_encoding::percent_decode;

use crate::template::{Segment, Template};

/// What a template is served for: one HTTP method, or any (`custom { kind: "*" }`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verbs {
    Only(Method),
    Any,
}

/// The outcome of a lookup.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The number given at [`Router::insert`] and the decoded values of the variables.
    Route {
        target: usize,
        values: Vec<Vec<u8>>,
    },
    /// The path exists under these methods only, sorted.
    OtherMethods(Vec<Method>),
    Nothing,
}

/// All templates of an API.
#[derive(Debug, Default)]
pub(crate) struct Router {
    root: Node,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    target: usize,
    verbs: Verbs,
    template: Template,
}

#[derive(Debug, Default)]
struct Node {
    /// Only templates say what is in it, so it is hashed fast.
    literals: HashMap<String, Node, foldhash::fast::RandomState>,
    single: Option<Box<Node>>,
    /// What follows a `**` here, longest tail first.
    tails: Vec<Tail>,
    leaf: Leaf,
}

#[derive(Debug)]
struct Tail {
    literals: Vec<String>,
    leaf: Leaf,
}

/// The entries that end at one place, by index.
#[derive(Debug, Default)]
struct Leaf(Vec<usize>);

impl Router {
    /// Adds a template. On a clash, the target that already has the same shape and method.
    pub(crate) fn insert(
        &mut self,
        verbs: Verbs,
        template: Template,
        target: usize,
    ) -> Result<(), usize> {
        let leaf = self.root.leaf_of(&template.segments);
        let clash = leaf
            .0
            .iter()
            .map(|&entry| &self.entries[entry])
            .find(|entry| entry.verbs == verbs && entry.template.verb == template.verb);
        if let Some(entry) = clash {
            return Err(entry.target);
        }
        leaf.0.push(self.entries.len());
        self.entries.push(Entry { target, verbs, template });
        Ok(())
    }

    /// Finds the route of a method and a path. HEAD is served by GET where it has no route of
    /// its own (RFC 9110 section 9.3.2). A query after `?` is ignored.
    pub(crate) fn find(&self, method: &Method, path: &str) -> Found {
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        let Some(relative) = path.strip_prefix('/') else { return Found::Nothing };
        let mut others = BTreeSet::new();
        let mut found = self.find_method(method, relative, &mut others);
        if found.is_none() && method == Method::HEAD {
            found = self.find_method(&Method::GET, relative, &mut others);
        }
        match found {
            Some(found) => found,
            None if others.is_empty() => Found::Nothing,
            None => Found::OtherMethods(allowed(others)),
        }
    }

    fn find_method(
        &self,
        method: &Method,
        relative: &str,
        others: &mut BTreeSet<String>,
    ) -> Option<Found> {
        let last_segment = relative.rfind('/').map_or(0, |slash| slash + 1);
        if let Some(colon) = relative[last_segment..].rfind(':') {
            let colon = last_segment + colon;
            let verb = decoded(&relative[colon + 1..]);
            let found = self.search(method, &relative[..colon], Some(&verb), others);
            if found.is_some() {
                return found;
            }
        }
        self.search(method, relative, None, others)
    }

    fn search(
        &self,
        method: &Method,
        relative: &str,
        verb: Option<&str>,
        others: &mut BTreeSet<String>,
    ) -> Option<Found> {
        let parts: Vec<&str> =
            if relative.is_empty() { Vec::new() } else { relative.split('/').collect() };
        let mut search = Search { entries: &self.entries, method, verb, others };
        let index = search.descend(&self.root, &parts)?;
        let entry = &self.entries[index];
        let values = entry.template.capture(&parts);
        Some(Found::Route { target: entry.target, values })
    }
}

impl Node {
    fn leaf_of(&mut self, segments: &[Segment]) -> &mut Leaf {
        match segments.split_first() {
            None => &mut self.leaf,
            Some((Segment::Literal(text), rest)) => {
                self.literals.entry(text.clone()).or_default().leaf_of(rest)
            }
            Some((Segment::Single, rest)) => self.single.get_or_insert_default().leaf_of(rest),
            Some((Segment::Multi, rest)) => self.tail_of(rest),
        }
    }

    fn tail_of(&mut self, rest: &[Segment]) -> &mut Leaf {
        let literals: Vec<String> = rest
            .iter()
            .filter_map(|segment| match segment {
                Segment::Literal(text) => Some(text.clone()),
                _ => None,
            })
            .collect();
        let index = match self.tails.iter().position(|tail| tail.literals == literals) {
            Some(index) => index,
            None => {
                let longer = |tail: &Tail| tail.literals.len() >= literals.len();
                let index = self.tails.partition_point(longer);
                self.tails.insert(index, Tail { literals, leaf: Leaf::default() });
                index
            }
        };
        &mut self.tails[index].leaf
    }
}

struct Search<'a> {
    entries: &'a [Entry],
    method: &'a Method,
    verb: Option<&'a str>,
    others: &'a mut BTreeSet<String>,
}

impl Search<'_> {
    fn descend(&mut self, node: &Node, parts: &[&str]) -> Option<usize> {
        let Some((part, rest)) = parts.split_first() else {
            return self.take(&node.leaf).or_else(|| self.tail(node, parts));
        };
        if let Some(child) = node.literals.get(decoded(part).as_ref())
            && let Some(found) = self.descend(child, rest)
        {
            return Some(found);
        }
        if let Some(child) = &node.single
            && !part.is_empty()
            && let Some(found) = self.descend(child, rest)
        {
            return Some(found);
        }
        self.tail(node, parts)
    }

    fn tail(&mut self, node: &Node, parts: &[&str]) -> Option<usize> {
        node.tails.iter().find_map(|tail| {
            let covered = parts.len().checked_sub(tail.literals.len())?;
            let matches = parts[covered..].iter().zip(&tail.literals);
            matches.clone().all(|(part, literal)| decoded(part) == *literal).then_some(())?;
            self.take(&tail.leaf)
        })
    }

    /// The entry of this leaf that serves the method; the others are remembered.
    fn take(&mut self, leaf: &Leaf) -> Option<usize> {
        let mut any = None;
        for &index in &leaf.0 {
            let entry = &self.entries[index];
            if entry.template.verb.as_deref() != self.verb {
                continue;
            }
            match &entry.verbs {
                Verbs::Only(method) if method == self.method => return Some(index),
                Verbs::Only(method) => {
                    self.others.insert(method.as_str().to_owned());
                }
                Verbs::Any => any = Some(index),
            }
        }
        any
    }
}

impl Template {
    /// The variables' values, decoded, in the order of [`Template::variables`].
    fn capture(&self, parts: &[&str]) -> Vec<Vec<u8>> {
        self.variables
            .iter()
            .map(|variable| {
                let range = self.covered(variable.start..variable.end, parts.len());
                match &parts[range] {
                    [part] if !part.contains('%') => part.as_bytes().to_vec(),
                    parts if variable.multiple => decode_but_slash(&parts.join("/")),
                    parts => percent_decode(parts.concat().as_bytes()).collect(),
                }
            })
            .collect()
    }

    /// Translates a range of template segments to a range of path segments.
    fn covered(&self, range: Range<usize>, parts: usize) -> Range<usize> {
        let multi = self.segments.iter().position(|segment| *segment == Segment::Multi);
        let place = |index: usize| match multi {
            Some(multi) if index > multi => index + parts - self.segments.len(),
            _ => index,
        };
        place(range.start)..place(range.end)
    }
}

/// The methods of an `Allow` header: HEAD comes with GET, OPTIONS always.
fn allowed(mut names: BTreeSet<String>) -> Vec<Method> {
    if names.contains("GET") {
        names.insert("HEAD".to_owned());
    }
    names.insert("OPTIONS".to_owned());
    names.iter().filter_map(|name| Method::from_bytes(name.as_bytes()).ok()).collect()
}

fn decoded(part: &str) -> Cow<'_, str> {
    if part.contains('%') {
        percent_decode(part.as_bytes()).decode_utf8_lossy()
    } else {
        Cow::Borrowed(part)
    }
}

/// Decodes all but `%2F`, which would be taken for a border of segments.
fn decode_but_slash(text: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    for (index, piece) in text.split('%').enumerate() {
        if index == 0 {
            decoded.extend_from_slice(piece.as_bytes());
        } else if piece.get(..2).is_some_and(|code| code.eq_ignore_ascii_case("2f")) {
            decoded.push(b'%');
            decoded.extend_from_slice(piece.as_bytes());
        } else {
            decoded.extend(percent_decode(format!("%{piece}").as_bytes()));
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn router(routes: &[(&str, &str)]) -> Router {
        let mut router = Router::default();
        for (target, (method, text)) in routes.iter().enumerate() {
            let verbs = match *method {
                "*" => Verbs::Any,
                name => Verbs::Only(name.parse().unwrap()),
            };
            let template = match *text {
                "/" => Template::root(),
                text => Template::parse(text).unwrap(),
            };
            router.insert(verbs, template, target).unwrap();
        }
        router
    }

    /// The target and values of a GET, values joined by `|`.
    fn get(router: &Router, path: &str) -> Option<(usize, String)> {
        match router.find(&Method::GET, path) {
            Found::Route { target, values } => {
                let values: Vec<_> = values.iter().map(|v| String::from_utf8_lossy(v)).collect();
                Some((target, values.join("|")))
            }
            _ => None,
        }
    }

    #[test]
    fn the_most_specific_template_wins_left_to_right() {
        let router = router(&[
            ("GET", "/"),
            ("GET", "/a/b/c"),
            ("GET", "/a/b/{x}"),
            ("GET", "/a/{x}/c"),
            ("GET", "/a/{x}/{y}"),
            ("GET", "/a/{x=**}"),
            ("GET", "/a/{x=**}/z"),
            ("GET", "/a/{x=**}/y/z"),
            ("GET", "/{x=**}"),
        ]);
        for (path, target, values) in [
            ("/", 0, ""),
            ("/a/b/c", 1, ""),
            ("/a/b/d", 2, "d"),
            ("/a/d/c", 3, "d"),
            ("/a/d/e", 4, "d|e"),
            ("/a", 5, ""),
            ("/a/b", 5, "b"),
            ("/a/d/e/f", 5, "d/e/f"),
            ("/a/d/e/z", 6, "d/e"),
            ("/a/d/e/y/z", 7, "d/e"),
            ("/b", 8, "b"),
            ("/b/", 8, "b/"),
            ("/b//c", 8, "b//c"),
        ] {
            assert_eq!(get(&router, path), Some((target, values.to_owned())), "{path}");
        }
    }

    #[test]
    fn a_dead_end_falls_back_to_the_wider_template() {
        let router = router(&[("GET", "/a/b/c"), ("GET", "/a/{x}/d"), ("GET", "/a/{x=*/**}")]);
        assert_eq!(get(&router, "/a/b/d"), Some((1, "b".to_owned())));
        assert_eq!(get(&router, "/a/b/e/f"), Some((2, "b/e/f".to_owned())));
    }

    #[test]
    fn a_star_covers_exactly_one_segment_that_is_not_empty() {
        let router = router(&[("GET", "/a/{x}"), ("GET", "/b/{x=*/c/*}")]);
        for path in ["/a", "/a/", "/a/b/c", "/a//b", "a/b", "", "/b/d/c/", "//a/b"] {
            assert_eq!(get(&router, path), None, "{path}");
        }
        assert_eq!(get(&router, "/b/d/c/e"), Some((1, "d/c/e".to_owned())));
        assert_eq!(get(&router, "/a/b?c=d/e"), Some((0, "b".to_owned())));
    }

    #[test]
    fn a_colon_is_a_verb_only_where_a_template_has_it() {
        let router = router(&[
            ("GET", "/people"),
            ("GET", "/people/{id}"),
            ("GET", "/people/{id}:go"),
            ("GET", "/{x=**}:all"),
            ("GET", "/a/{x}/{y}:go"),
        ]);
        for (path, expected) in [
            ("/people/ann", Some((1, "ann"))),
            ("/people/ann:go", Some((2, "ann"))),
            ("/people/ann:other", Some((1, "ann:other"))),
            ("/people/ann:all", Some((3, "people/ann"))),
            ("/people/a:b:go", Some((2, "a:b"))),
            ("/people:all", Some((3, "people"))),
            ("/people:other", None),
            ("/people/ann%3Ago", Some((1, "ann:go"))),
            ("/a/b:go/c:go", Some((4, "b:go|c"))),
            ("/:all", Some((3, ""))),
        ] {
            let expected = expected.map(|(target, values)| (target, values.to_owned()));
            assert_eq!(get(&router, path), expected, "{path}");
        }
    }

    #[test]
    fn single_segments_are_decoded_wholly_and_longer_ones_keep_the_slash() {
        let router = router(&[
            ("GET", "/one/{x}"),
            ("GET", "/more/{x=**}"),
            ("GET", "/two/{x=p/*}"),
            ("GET", "/lit%65ral"),
        ]);
        for (path, target, value) in [
            ("/one/a%20b%2Fc", 0, "a b/c"),
            ("/one/%F0%9F%91%8D%2B+", 0, "👍++"),
            ("/one/100%", 0, "100%"),
            ("/more/a%20b/c%2Fd%2fe%21%", 1, "a b/c%2Fd%2fe!%"),
            ("/two/p/a%2Fb%3a", 2, "p/a%2Fb:"),
            ("/two/%70/a", 2, "p/a"),
            ("/literal", 3, ""),
            ("/%6Citeral", 3, ""),
        ] {
            assert_eq!(get(&router, path), Some((target, value.to_owned())), "{path}");
        }
    }

    #[test]
    fn other_methods_of_the_path_are_told_with_head_and_options() {
        let router = router(&[("GET", "/a/{x}"), ("POST", "/a/b"), ("DELETE", "/a/{x}:go")]);
        let allowed = |method: &Method, path| match router.find(method, path) {
            Found::OtherMethods(methods) => {
                methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ")
            }
            other => format!("{other:?}"),
        };
        assert_eq!(allowed(&Method::PUT, "/a/b"), "GET, HEAD, OPTIONS, POST");
        assert_eq!(allowed(&Method::OPTIONS, "/a/c"), "GET, HEAD, OPTIONS");
        assert_eq!(allowed(&Method::PUT, "/a/b:go"), "DELETE, GET, HEAD, OPTIONS");
        assert_eq!(router.find(&Method::PUT, "/b"), Found::Nothing);
        assert_eq!(get(&router, "/a/b"), Some((0, "b".to_owned())));
    }

    #[test]
    fn head_is_served_by_get_and_any_by_whatever_is_not_served_otherwise() {
        let router = router(&[("GET", "/a"), ("*", "/a"), ("HEAD", "/b"), ("GET", "/b")]);
        let target = |method: &str, path| match router.find(&method.parse().unwrap(), path) {
            Found::Route { target, .. } => Some(target),
            _ => None,
        };
        assert_eq!(target("GET", "/a"), Some(0));
        assert_eq!(target("PUT", "/a"), Some(1));
        assert_eq!(target("HEAD", "/a"), Some(1));
        assert_eq!(target("HEAD", "/b"), Some(2));
    }

    #[test]
    fn the_same_shape_twice_is_a_clash_whatever_the_names() {
        let mut router = router(&[("GET", "/a/{x}:go"), ("GET", "/a/{x}")]);
        let mut insert = |method: Method, text| {
            router.insert(Verbs::Only(method), Template::parse(text).unwrap(), 9)
        };
        assert_eq!(insert(Method::GET, "/a/{y=*}"), Err(1));
        assert_eq!(insert(Method::GET, "/a/{other}:go"), Err(0));
        assert_eq!(insert(Method::PUT, "/a/{y}"), Ok(()));
        assert_eq!(insert(Method::GET, "/a/{y=**}"), Ok(()));
    }

    proptest! {
        #[test]
        fn no_path_makes_the_router_panic(path: String, syntax in "[/a-c:%2Fgo?]{0,24}") {
            let router = router(&[
                ("GET", "/a/{x=**}/b:go"),
                ("GET", "/{x=a/*}/{y}"),
                ("GET", "/{x=**}"),
                ("*", "/a/b/c"),
            ]);
            for path in [path, syntax] {
                let _ = router.find(&Method::GET, &path);
                let _ = router.find(&Method::HEAD, &format!("/{path}"));
            }
        }
    }
}
