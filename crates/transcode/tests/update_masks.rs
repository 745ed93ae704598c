//! The update mask of a PATCH: inferred from its body, or checked.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use http::Method;
use proptest::prelude::*;
use serde_json::{Value, json};
use support::found;
use transcode::{RequestError, Style};

/// The request message as canonical JSON.
fn sent(method: Method, target: &str, body: &str) -> Result<Value, RequestError> {
    let (path, query) = target.split_once('?').map_or((target, None), |(p, q)| (p, Some(q)));
    let found = found(method, path);
    let wire = found.request(query, Some("application/json"), body.as_bytes(), Style::Rest)?;
    let json = found.method().input().to_json(&wire, Style::Canonical).unwrap();
    Ok(serde_json::from_slice(&json).unwrap())
}

fn mask(target: &str, body: &str) -> String {
    match sent(Method::PATCH, target, body) {
        Ok(request) => match &request["updateMask"] {
            Value::String(paths) => paths.clone(),
            _ => "none".to_owned(),
        },
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_mask_is_what_the_body_field_has() {
    for (body, expected) in [
        (r#"{"main_title":"a"}"#, "mainTitle"),
        (r#"{"mainTitle":null,"authors":null}"#, "mainTitle,authors"),
        (
            r#"{"first_author":{"given_name":"a","family_name":null}}"#,
            "firstAuthor.givenName,firstAuthor.familyName",
        ),
        (r#"{"first_author":{}}"#, "firstAuthor"),
        (r#"{"first_author":null}"#, "firstAuthor"),
        (
            r#"{"sequel":{"sequel":{"main_title":"a"},"first_author":{}},"isbn":"1"}"#,
            "sequel.sequel.mainTitle,sequel.firstAuthor,isbn",
        ),
        (
            r#"{"authors":["a","b"],"labels":{"a":"b"},"metadata":{"a":{"b":1}}}"#,
            "authors,labels,metadata",
        ),
        (
            r#"{"published":"2026-01-31T09:30:00Z","subtitle":"a","marker":{},"value":{"a":1}}"#,
            "published,subtitle,marker,value",
        ),
        (r#" { "subtitle" : null , "value" : null } "#, "subtitle,value"),
        (r#"{"number":"1"}"#, "isbn"),
    ] {
        assert_eq!(mask("/works/w", body), expected, "{body}");
        let whole = format!(r#"{{"allow_missing":true,"work":{body}}}"#);
        assert_eq!(mask("/whole/works/w", &whole), expected, "{whole}");
    }
}

#[test]
fn what_is_no_change_is_not_in_the_mask() {
    for body in ["", "{}", "null", r#"{"name":"w"}"#, r#"{"name":"w","etag":"1"}"#] {
        assert_eq!(mask("/works/w", body), "none", "{body}");
    }
    for body in ["", "{}", r#"{"allow_missing":true}"#, r#"{"work":null}"#, r#"{"work":{}}"#] {
        assert_eq!(mask("/whole/works/w", body), "none", "{body}");
    }
    assert_eq!(mask("/works/w", r#"{"name":"w","etag":"1","sequel":{"name":"v"}}"#), "sequel.name");
}

#[test]
fn a_cleared_field_is_absent_from_the_message() {
    let request = sent(Method::PATCH, "/works/w", r#"{"main_title":null,"isbn":"1"}"#).unwrap();
    assert_eq!(
        request,
        json!({"work": {"name": "w", "number": "1"}, "updateMask": "mainTitle,isbn"})
    );
}

#[test]
fn without_a_resource_in_the_path_the_mask_is_of_the_request() {
    let body = r#"{"work":{"main_title":"a","name":"b","etag":"c"},"allow_missing":false}"#;
    assert_eq!(mask("/any", body), "work.mainTitle,work.name,work.etag,allowMissing");
    assert_eq!(mask("/any", r#"{"update_mask":null,"authors":[]}"#), "authors");
}

#[test]
fn a_mask_of_the_caller_is_left_as_it_is() {
    let body = r#"{"main_title":"a","isbn":"b"}"#;
    assert_eq!(
        mask("/works/w?update_mask=main_title,firstAuthor.givenName", body),
        "mainTitle,firstAuthor.givenName"
    );
    assert_eq!(mask("/works/w?updateMask=*", body), "*");
    assert_eq!(mask("/works/w?update_mask=", body), "");
    assert_eq!(
        mask("/whole/works/w", r#"{"work":{"isbn":"b"},"update_mask":"authors"}"#),
        "authors"
    );
    assert_eq!(
        mask("/any", r#"{"update_mask":"work.isbn,allow_missing"}"#),
        "work.isbn,allowMissing"
    );
    let request = sent(Method::PATCH, "/works/w?update_mask=number,authors", body).unwrap();
    let expected = json!({"work": {"name": "w", "mainTitle": "a", "number": "b"}, "updateMask": "isbn,authors"});
    assert_eq!(request, expected);
}

#[test]
fn a_mask_that_names_no_field_is_refused() {
    let long = "a".repeat(100);
    for (paths, shown) in [
        ("title", "title"),
        ("main_title,work.name", "work.name"),
        ("main_title.a", "main_title.a"),
        ("authors.a", "authors.a"),
        ("labels.a", "labels.a"),
        ("metadata.a", "metadata.a"),
        ("first_author.", "first_author."),
        ("update_mask", "update_mask"),
        (&long, &long[..64]),
    ] {
        let error = format!("update_mask: {shown:?} is not a field of library.Work");
        assert_eq!(mask(&format!("/works/w?update_mask={paths}"), "{}"), error, "{paths}");
    }
    let error = "update_mask: \"update_mask\" is not a field of library.UpdateWorkRequest";
    assert_eq!(mask("/any", r#"{"update_mask":"update_mask"}"#), error);
    let error = "update_mask: must be field names separated by commas";
    assert_eq!(mask("/works/w?update_mask=a%20b", "{}"), error);
    assert_eq!(mask("/works/w?update_mask=main_title,", "{}"), error);
}

#[test]
fn other_methods_and_bodies_without_fields_infer_nothing() {
    let put = sent(Method::PUT, "/works/w", r#"{"isbn":"1"}"#).unwrap();
    assert_eq!(put, json!({"work": {"name": "w", "number": "1"}}));
    assert_eq!(mask("/authors", r#"["a"]"#), "none");
    assert_eq!(mask("/authors?update_mask=nothing", r#"["a"]"#), "nothing");
}

#[test]
fn a_mask_does_not_outgrow_its_body() {
    let leaf = |depth: usize| {
        let open = r#"{"sequel":"#.repeat(depth);
        format!(r#"{open}{{"main_title":"a"}}{}"#, "}".repeat(depth))
    };
    assert_eq!(mask("/works/w", &leaf(90)).split('.').count(), 91);
    assert!(mask("/works/w", &leaf(200)).contains("nested more than 100 levels deep"));
    let level = r#"{"name":"","main_title":"","authors":[],"etag":"","labels":{},"metadata":{},"subtitle":"","marker":{},"isbn":"","value":1,"first_author":{"given_name":"","family_name":""},"sequel":"#;
    let many = format!("{}{{}}{}", level.repeat(90), "}".repeat(90));
    assert_eq!(mask("/works/w", &many), "update_mask: must not have more than 1000 paths");
}

/// Objects of the fields of a Work, with the paths that they name.
fn work() -> impl Strategy<Value = (Value, Vec<String>)> {
    let names = prop::sample::subsequence(vec!["authors", "isbn", "main_title", "metadata"], 0..4);
    let value = |name: &str| match name {
        "main_title" => json!("a"),
        "authors" => json!(["a"]),
        "metadata" => json!({"a": {}}),
        _ => json!(null),
    };
    let object = names.prop_map(move |names| {
        let members = names.iter().map(|name| ((*name).to_owned(), value(name)));
        let paths: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        (Value::Object(members.collect()), paths)
    });
    object.prop_recursive(4, 16, 1, |inner| {
        (inner, any::<bool>()).prop_map(|((object, paths), with_isbn)| {
            let nested = match paths.as_slice() {
                [] => vec!["sequel".to_owned()],
                paths => paths.iter().map(|path| format!("sequel.{path}")).collect(),
            };
            let isbn = with_isbn.then(|| "isbn".to_owned());
            let mut outer = json!({"sequel": object});
            if with_isbn {
                outer["isbn"] = json!("1");
            }
            (outer, isbn.into_iter().chain(nested).collect())
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_inferred_mask_is_one_that_the_caller_may_send((work, mut paths) in work()) {
        let inferred = mask("/works/w", &work.to_string());
        let mut found: Vec<_> = inferred.split(',').map(str::to_owned).collect();
        if paths.is_empty() {
            paths.push("none".to_owned());
        }
        for path in &mut paths {
            *path = path.replace("main_title", "mainTitle");
        }
        found.sort();
        paths.sort();
        prop_assert_eq!(&found, &paths);
        if inferred != "none" {
            let target = format!("/works/w?update_mask={inferred}");
            prop_assert_eq!(mask(&target, &work.to_string()), inferred);
        }
    }
}
