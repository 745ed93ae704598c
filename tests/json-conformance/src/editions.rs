//! Edition 2023 in the terms of proto2 and proto3, which a descriptor pool knows.
//!
//! A file of an edition says by features what its syntax said before. Each file becomes the
//! proto2 or proto3 file that means the same; one that mixes both in a way that neither can
//! say is refused. Descriptors are in their JSON form, where a feature has a name.

use std::collections::HashSet;

use anyhow::{Context as _, bail, ensure};
use serde_json::{Map, Value, json};

/// Rewrites the files of a `google.protobuf.FileDescriptorSet` that are of an edition.
pub fn lower(set: &mut Value) -> anyhow::Result<()> {
    for file in elements(set, "file") {
        if file["syntax"] == "editions" {
            let name = file["name"].to_string();
            lower_file(file).with_context(|| format!("the file {name}"))?;
        }
    }
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    Explicit,
    Implicit,
    Required,
}

/// The features that change what bytes or JSON mean. Those of utf8_validation do not: JSON is
/// UTF-8 in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Features {
    presence: Presence,
    closed: bool,
    packed: bool,
    delimited: bool,
}

impl Features {
    const EDITION_2023: Features =
        Features { presence: Presence::Explicit, closed: false, packed: true, delimited: false };

    /// These, where the options of a file, an enum or a field do not say otherwise.
    fn with(self, options: &Value) -> Features {
        let features = &options["features"];
        let choice = |name: &str, inherited: bool, yes: &str| match features[name].as_str() {
            Some(value) => value == yes,
            None => inherited,
        };
        Features {
            presence: match features["fieldPresence"].as_str() {
                Some("EXPLICIT") => Presence::Explicit,
                Some("IMPLICIT") => Presence::Implicit,
                Some("LEGACY_REQUIRED") => Presence::Required,
                _ => self.presence,
            },
            closed: choice("enumType", self.closed, "CLOSED"),
            packed: choice("repeatedFieldEncoding", self.packed, "PACKED"),
            delimited: choice("messageEncoding", self.delimited, "DELIMITED"),
        }
    }
}

fn lower_file(file: &mut Value) -> anyhow::Result<()> {
    ensure!(file["edition"] == "EDITION_2023", "is of {}", file["edition"]);
    let features = Features::EDITION_2023.with(&file["options"]);
    // In proto2 enums are closed, in proto3 they are open. All else a field can say itself.
    file["syntax"] = if features.closed { "proto2".into() } else { "proto3".into() };
    let scope = match file["package"].as_str() {
        Some(package) => format!(".{package}"),
        None => String::new(),
    };
    lower_scope(file, "messageType", &scope, features)
}

/// What a file or a message declares: messages, under the given key, enums and extensions.
fn lower_scope(
    parent: &mut Value,
    messages: &str,
    scope: &str,
    features: Features,
) -> anyhow::Result<()> {
    for declared in elements(parent, "enumType") {
        let closed = features.with(&declared["options"]).closed;
        ensure!(closed == features.closed, "{} differs from its file", declared["name"]);
    }
    for field in elements(parent, "extension") {
        lower_field(field, features, &HashSet::new())?;
    }
    for message in elements(parent, messages) {
        let name = message["name"].as_str().context("a message without a name")?;
        let scope = format!("{scope}.{name}");
        lower_message(message, &scope, features)?;
    }
    Ok(())
}

fn lower_message(message: &mut Value, scope: &str, features: Features) -> anyhow::Result<()> {
    // The entries of maps are as they always were.
    if is_entry(message) {
        return Ok(());
    }
    let nested = elements(message, "nestedType").iter().filter(|nested| is_entry(nested));
    let entries: HashSet<String> =
        nested.filter_map(|entry| Some(format!("{scope}.{}", entry["name"].as_str()?))).collect();
    for field in elements(message, "field") {
        lower_field(field, features, &entries)?;
    }
    lower_scope(message, "nestedType", scope, features)
}

fn is_entry(message: &Value) -> bool {
    message["options"]["mapEntry"] == true
}

fn lower_field(
    field: &mut Value,
    inherited: Features,
    entries: &HashSet<String>,
) -> anyhow::Result<()> {
    let features = inherited.with(&field["options"]);
    let is_map = field["typeName"].as_str().is_some_and(|name| entries.contains(name));
    let is_message = field["type"] == "TYPE_MESSAGE";
    if is_message && features.delimited && !is_map {
        field["type"] = "TYPE_GROUP".into();
    }
    let packable = !is_message && field["type"] != "TYPE_STRING" && field["type"] != "TYPE_BYTES";
    if field["label"] == "LABEL_REPEATED" {
        if packable {
            object(field, "options")?.insert("packed".to_owned(), features.packed.into());
        }
        return Ok(());
    }
    let has_presence = is_message || !field["oneofIndex"].is_null() || !field["extendee"].is_null();
    match features.presence {
        Presence::Required => field["label"] = "LABEL_REQUIRED".into(),
        Presence::Explicit if !has_presence && !inherited.closed => {
            field["proto3Optional"] = true.into();
        }
        Presence::Implicit if !has_presence && inherited.closed => {
            bail!("{} is implicit beside closed enums", field["name"]);
        }
        _ => {}
    }
    Ok(())
}

fn elements<'a>(parent: &'a mut Value, key: &str) -> &'a mut [Value] {
    parent.get_mut(key).and_then(Value::as_array_mut).map_or(&mut [], Vec::as_mut_slice)
}

fn object<'a>(parent: &'a mut Value, key: &str) -> anyhow::Result<&'a mut Map<String, Value>> {
    if parent[key].is_null() {
        parent[key] = json!({});
    }
    parent[key].as_object_mut().with_context(|| format!("{key} is no object"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    /// One file with the given features and fields, lowered: its syntax and its fields.
    fn lowered(features: Value, fields: Value) -> anyhow::Result<(Value, Value)> {
        let mut set = json!({"file": [{
            "name": "a.proto", "package": "p", "syntax": "editions", "edition": "EDITION_2023",
            "options": {"features": features},
            "messageType": [{"name": "M", "field": fields, "nestedType": [
                {"name": "EEntry", "options": {"mapEntry": true},
                 "field": [{"name": "value", "type": "TYPE_MESSAGE"}]},
            ]}],
        }]});
        lower(&mut set)?;
        let file = &mut set["file"][0];
        assert_eq!(file["messageType"][0]["nestedType"][0]["field"][0]["type"], "TYPE_MESSAGE");
        Ok((file["syntax"].take(), file["messageType"][0]["field"].take()))
    }

    #[test]
    fn the_defaults_of_the_edition_are_explicit_fields_open_enums_and_packed_lists() {
        let (syntax, fields) = lowered(
            json!({}),
            json!([
                {"name": "a", "label": "LABEL_OPTIONAL", "type": "TYPE_INT32"},
                {"name": "b", "label": "LABEL_REPEATED", "type": "TYPE_INT32"},
                {"name": "c", "label": "LABEL_OPTIONAL", "type": "TYPE_MESSAGE"},
                {"name": "d", "label": "LABEL_OPTIONAL", "type": "TYPE_INT32", "oneofIndex": 0},
            ]),
        )
        .unwrap();
        assert_eq!(syntax, "proto3");
        assert_eq!(fields[0]["proto3Optional"], true);
        assert_eq!(fields[1]["options"]["packed"], true);
        assert_eq!(fields[2]["type"], "TYPE_MESSAGE");
        assert!(fields[2]["proto3Optional"].is_null() && fields[3]["proto3Optional"].is_null());
    }

    #[test]
    fn a_file_changes_the_defaults_and_a_field_those_of_its_file() {
        let (syntax, fields) = lowered(
            json!({"enumType": "CLOSED", "messageEncoding": "DELIMITED",
                   "repeatedFieldEncoding": "EXPANDED"}),
            json!([
                {"name": "a", "label": "LABEL_OPTIONAL", "type": "TYPE_INT32",
                 "options": {"features": {"fieldPresence": "LEGACY_REQUIRED"}}},
                {"name": "b", "label": "LABEL_REPEATED", "type": "TYPE_INT32"},
                {"name": "c", "label": "LABEL_OPTIONAL", "type": "TYPE_MESSAGE"},
                {"name": "d", "label": "LABEL_OPTIONAL", "type": "TYPE_MESSAGE",
                 "options": {"features": {"messageEncoding": "LENGTH_PREFIXED"}}},
                {"name": "e", "label": "LABEL_REPEATED", "type": "TYPE_MESSAGE",
                 "typeName": ".p.M.EEntry"},
            ]),
        )
        .unwrap();
        assert_eq!(syntax, "proto2");
        assert_eq!(fields[0]["label"], "LABEL_REQUIRED");
        assert_eq!(fields[1]["options"]["packed"], false);
        assert_eq!(fields[2]["type"], "TYPE_GROUP");
        assert_eq!(fields[3]["type"], "TYPE_MESSAGE");
        assert_eq!(fields[4]["type"], "TYPE_MESSAGE");
    }

    #[test]
    fn implicit_fields_stay_as_proto3_has_them_and_cannot_be_beside_closed_enums() {
        let implicit = json!([{"name": "a", "label": "LABEL_OPTIONAL", "type": "TYPE_INT32",
                               "options": {"features": {"fieldPresence": "IMPLICIT"}}}]);
        let (_, fields) = lowered(json!({}), implicit.clone()).unwrap();
        assert!(fields[0]["proto3Optional"].is_null());
        let error = lowered(json!({"enumType": "CLOSED"}), implicit).unwrap_err();
        assert_eq!(
            format!("{error:#}"),
            "the file \"a.proto\": \"a\" is implicit beside closed enums"
        );
    }
}
