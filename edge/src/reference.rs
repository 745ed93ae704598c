//! The API reference: a page that reads `/openapi.json`, shows it, and tries what it shows.
//!
//! Its files are in this binary and ask nobody else for anything. They are sent with a policy
//! (Content Security Policy Level 3, Trusted Types) under which no script or style but these
//! runs, no other host is asked, and no text becomes markup.
//!
//! The page is our own, 80 kB without a build step. Of the libraries, Scalar (3.6 MB) and RapiDoc
//! need inline styles, Scalar asks hosts of its maker, and Swagger UI (1.9 MB) needs `data:`
//! images; none shows what our contracts say beyond OpenAPI as more than raw extensions.

use std::sync::LazyLock;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use tonic::body::Body;

use crate::{call::put, home::Document};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

/// What every file allows, as header and value.
const GUARDS: [(HeaderName, HeaderValue); 3] = [
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    // An authorization code comes back in this page's address.
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
];

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// Path, content type and content of each file.
const FILES: [(&str, &str, &[u8]); 17] = [
    ("/reference", HTML, include_bytes!("../reference/index.html")),
    ("/reference/api.js", JS, include_bytes!("../reference/api.js")),
    ("/reference/element.js", JS, include_bytes!("../reference/element.js")),
    ("/reference/icon.svg", SVG, include_bytes!("../reference/icon.svg")),
    ("/reference/json.js", JS, include_bytes!("../reference/json.js")),
    ("/reference/main.js", JS, include_bytes!("../reference/main.js")),
    ("/reference/navigation.js", JS, include_bytes!("../reference/navigation.js")),
    ("/reference/operation.js", JS, include_bytes!("../reference/operation.js")),
    ("/reference/overview.js", JS, include_bytes!("../reference/overview.js")),
    ("/reference/request.js", JS, include_bytes!("../reference/request.js")),
    ("/reference/response.js", JS, include_bytes!("../reference/response.js")),
    ("/reference/samples.js", JS, include_bytes!("../reference/samples.js")),
    ("/reference/schema.js", JS, include_bytes!("../reference/schema.js")),
    ("/reference/session.js", JS, include_bytes!("../reference/session.js")),
    ("/reference/sign-in.js", JS, include_bytes!("../reference/sign-in.js")),
    ("/reference/style.css", CSS, include_bytes!("../reference/style.css")),
    ("/reference/try.js", JS, include_bytes!("../reference/try.js")),
];

static DOCUMENTS: LazyLock<[Document; FILES.len()]> = LazyLock::new(|| {
    FILES.map(|(_, content_type, bytes)| Document::new(content_type, Bytes::from_static(bytes)))
});

/// One file of the page: its place among all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asset(usize);

impl Asset {
    pub(crate) fn at(path: &str) -> Option<Self> {
        // Every request passes here, and hardly any is for this page.
        path.strip_prefix(FILES[0].0)?;
        FILES.iter().position(|it| it.0 == path).map(Self)
    }

    pub(crate) fn path(self) -> &'static str {
        FILES[self.0].0
    }

    /// `elsewhere` is the origin of the token endpoint, if it is another than the page's.
    pub(crate) fn answer(self, headers: &HeaderMap, elsewhere: Option<&str>) -> Response<Body> {
        let mut response = DOCUMENTS[self.0].answer(headers);
        response.headers_mut().extend(GUARDS);
        if let Some(origin) = elsewhere {
            let policy =
                POLICY.replace("connect-src 'self'", &format!("connect-src 'self' {origin}"));
            put(response.headers_mut(), header::CONTENT_SECURITY_POLICY, &policy);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs};

    use super::*;

    fn text(path: &str) -> &'static str {
        let file = FILES.iter().find(|it| it.0 == path).unwrap();
        std::str::from_utf8(file.2).unwrap()
    }

    /// What stands between `before` and the next quotation mark, each time.
    fn quoted<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
        text.split(before).skip(1).filter_map(|it| it.split('"').next()).collect()
    }

    #[test]
    fn every_file_of_the_folder_is_served() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/reference");
        let found = fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name());
        let found: BTreeSet<_> = found
            .map(|it| match it.to_str().unwrap() {
                "index.html" => "/reference".to_owned(),
                name => format!("/reference/{name}"),
            })
            .collect();
        let served: BTreeSet<_> = FILES.iter().map(|it| it.0.to_owned()).collect();
        assert_eq!(found, served);
    }

    #[test]
    fn the_page_and_its_modules_name_only_what_is_served() {
        let page = text("/reference");
        for named in [quoted(page, "href=\"ref"), quoted(page, "src=\"ref")].concat() {
            let path = format!("/ref{}", named.split('#').next().unwrap());
            assert!(Asset::at(&path).is_some(), "the page names {path}");
        }
        for (path, _, _) in FILES.iter().filter(|it| it.1 == JS) {
            for module in quoted(text(path), "from \"./") {
                assert!(Asset::at(&format!("/reference/{module}")).is_some(), "{path}: {module}");
            }
            let is_named = [quoted(page, "href=\""), quoted(page, "src=\"")].concat();
            assert!(is_named.contains(&&path[1..]), "the page does not load {path} at once");
        }
    }

    #[test]
    fn no_file_names_another_host() {
        for (path, _, _) in FILES {
            let text = text(path).replace("http://www.w3.org/2000/svg", "");
            for scheme in ["http://", "https://"] {
                assert!(!text.contains(scheme), "{path} has {scheme}");
            }
        }
        let style = text("/reference/style.css");
        assert!(!style.contains("url(") && !style.contains("@import"));
    }

    #[test]
    fn what_is_near_the_page_is_not_the_page() {
        assert_eq!(Asset::at("/reference").map(Asset::path), Some("/reference"));
        for path in
            ["/", "/references", "/reference/", "/reference/../home.html", "/reference/x.js"]
        {
            assert_eq!(Asset::at(path), None, "{path}");
        }
    }
}
