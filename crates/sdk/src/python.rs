//! The Python of a service: its types as typed dictionaries, its methods as two classes, one that
//! blocks and one that is awaited.

use registry::Registry;

use crate::{
    Error, File,
    method::{Body, By, Call},
    names::{iterator, pascal, snake, wrap},
    service::Service,
    services,
    shape::{Field, Kind, Shape, Type},
};

const WIDTH: usize = 96;

/// Names that a parameter cannot have.
const TAKEN: [&str; 37] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue",
    "def", "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import",
    "in", "is", "lambda", "nonlocal", "not", "options", "or", "pass", "raise", "return", "self",
    "try", "while", "with", "yield",
];

/// How the calls of a class are made.
#[derive(Clone, Copy, PartialEq)]
enum Style {
    Blocking,
    Awaited,
}

/// One file for each service, and one that holds them all together.
pub fn python(registry: &Registry) -> Result<Vec<File>, Error> {
    let services = services(registry)?;
    let mut files: Vec<File> =
        services.iter().map(|it| (format!("{}.py", snake(&it.name)), service(it))).collect();
    files
        .push(("__init__.py".to_owned(), "\"\"\"Written by `cargo xtask gen`.\"\"\"\n".to_owned()));
    files.push(("services.py".to_owned(), together(&services)));
    Ok(files)
}

fn service(service: &Service) -> String {
    let mut out = String::new();
    for it in &service.types {
        out += &declaration(it);
    }
    for call in &service.methods {
        out += &operation(call);
    }
    for style in [Style::Blocking, Style::Awaited] {
        out += &class(service, style);
    }
    head(&service.package, &out) + &out
}

/// What a file imports: no more than it uses.
fn head(package: &str, body: &str) -> String {
    let mut out = format!(
        "\"\"\"Written by `cargo xtask gen` from {package}. Do not edit.\"\"\"\n\n\
         from __future__ import annotations\n\n"
    );
    for (module, names) in [
        ("collections.abc", &["AsyncIterator[", "Iterator["][..]),
        ("typing", &["Any", "Literal[", "TypedDict", "cast("]),
        (
            ".._operation",
            &["AsyncCaller", "Body(", "Caller", "CallOptions", "Operation(", "Pages("],
        ),
    ] {
        let used = names.iter().filter(|it| body.contains(**it));
        let used: Vec<_> = used.map(|it| it.trim_end_matches(['[', '('])).collect();
        let gap = if module.starts_with('.') { "\n" } else { "" };
        if !used.is_empty() {
            out += &format!("{gap}from {module} import {}\n", used.join(", "));
        }
    }
    out
}

fn class(service: &Service, style: Style) -> String {
    let (prefix, caller) = style.names();
    let mut out = format!("\n\nclass {prefix}{}:\n", pascal(&service.name));
    out += &docstring("    ", &service.text);
    out += &format!(
        "\n    def __init__(self, caller: {caller}) -> None:\n        self._caller = caller\n"
    );
    for call in &service.methods {
        out += &method(call, style);
        out += &items(call, style);
    }
    out
}

/// What gives both clients every service.
fn together(services: &[Service]) -> String {
    let mut out = "\"\"\"Written by `cargo xtask gen`. Do not edit.\"\"\"\n\n".to_owned();
    out += "from .._operation import AsyncCaller, Caller\n";
    for it in services {
        let (module, name) = (snake(&it.name), pascal(&it.name));
        out += &format!("from .{module} import Async{name}, {name}\n");
    }
    for style in [Style::Blocking, Style::Awaited] {
        let (prefix, caller) = style.names();
        out += &format!("\n\nclass {prefix}Services:\n");
        out += &docstring("    ", "Every service of the platform.");
        out += &format!("\n    def __init__(self, caller: {caller}) -> None:\n");
        for it in services {
            let (module, name) = (snake(&it.name), pascal(&it.name));
            out += &format!("        self.{module} = {prefix}{name}(caller)\n");
        }
    }
    out
}

fn declaration(it: &Type) -> String {
    match &it.kind {
        Kind::Object(fields) => object(it, fields),
        Kind::Choice(values) => {
            let values = Shape::Choice(values.clone());
            format!("\n\n{} = {}\n{}", it.name, shape(&values), docstring("", &it.text))
        }
    }
}

/// A typed dictionary. What must be there stands in a base of its own: `NotRequired` is younger
/// than the oldest Python that we support.
fn object(it: &Type, fields: &[Field]) -> String {
    let (required, optional): (Vec<_>, Vec<_>) = fields.iter().partition(|it| it.required);
    let name = &it.name;
    if fields.iter().any(|it| parameter(&it.name) != it.name && it.name != "options") {
        return by_call(it, &required, &optional);
    }
    match (required.is_empty(), optional.is_empty()) {
        (_, true) => dictionary(name, "TypedDict", "", &it.text, &required),
        (true, false) => dictionary(name, "TypedDict", ", total=False", &it.text, &optional),
        (false, false) => {
            let base = format!("_{name}Required");
            dictionary(&base, "TypedDict", "", "", &required)
                + &dictionary(name, &base, ", total=False", &it.text, &optional)
        }
    }
}

/// A typed dictionary with members whose names no class can have.
fn by_call(it: &Type, required: &[&Field], optional: &[&Field]) -> String {
    let name = &it.name;
    let base = |suffix: &str, fields: &[&Field], total: &str| {
        let line = |it: &&Field| format!("        {:?}: {:?},\n", it.name, shape(&it.shape));
        let lines: String = fields.iter().map(line).collect();
        format!(
            "\n_{name}{suffix} = TypedDict(\n    \"_{name}{suffix}\",\n    {{\n{lines}    }},\n{total})\n"
        )
    };
    let text = if it.text.is_empty() { "The members of both." } else { &it.text };
    base("Required", required, "")
        + &base("Optional", optional, "    total=False,\n")
        + &format!("\n\nclass {name}(_{name}Required, _{name}Optional):\n")
        + &docstring("    ", text)
}

fn dictionary(name: &str, base: &str, total: &str, text: &str, fields: &[&Field]) -> String {
    let mut out = format!("\n\nclass {name}({base}{total}):\n{}", docstring("    ", text));
    if !text.is_empty() && !fields.is_empty() {
        out += "\n";
    }
    for field in fields {
        out += &format!("    {}: {}\n", field.name, shape(&field.shape));
        out += &docstring("    ", &deprecation(&field.text, field.deprecated));
    }
    if text.is_empty() && fields.is_empty() {
        out += "    pass\n";
    }
    out
}

fn operation(call: &Call) -> String {
    let mut arguments = vec![
        format!("name={:?}", call.operation),
        format!("verb={:?}", call.verb),
        format!("path={:?}", call.path),
    ];
    match &call.body {
        Body::None => {}
        Body::Json => arguments.push("body=Body(\"json\")".to_owned()),
        Body::Form => arguments.push("body=Body(\"form\")".to_owned()),
        Body::Field(name) => arguments.push(format!("body=Body(\"json\", {name:?})")),
        Body::Bytes(name) => arguments.push(format!("body=Body(\"bytes\", {name:?})")),
    }
    if call.answer == Some(Shape::Bytes) {
        arguments.push("answer=\"bytes\"".to_owned());
    }
    arguments.extend(call.keyed.then(|| "keyed=True".to_owned()));
    arguments.extend(call.public.then(|| "public=True".to_owned()));
    if let Some(pages) = &call.pages {
        let by = match pages.by {
            By::Token => "token",
            By::Offset => "offset",
        };
        arguments.push(format!("pages=Pages(by={by:?}, items={:?})", pages.items));
    }
    let lines: String = arguments.iter().map(|it| format!("    {it},\n")).collect();
    format!("\n{} = Operation(\n{lines})\n", constant(call))
}

fn method(call: &Call, style: Style) -> String {
    let answer = call.answer.as_ref().map_or_else(|| "None".to_owned(), shape);
    let asked = format!("self._caller.call({}, request, options)", constant(call));
    let (define, asked) = match style {
        Style::Blocking => ("def", asked),
        Style::Awaited => ("async def", format!("await {asked}")),
    };
    let returned = match answer.as_str() {
        "None" => format!("        {asked}\n"),
        answer => format!("        return cast({answer}, {asked})\n"),
    };
    let text = deprecation(&call.text, call.deprecated);
    signature(define, &snake(&call.name), call, &answer)
        + &docstring("        ", &arguments(&text, &call.fields))
        + &request(call)
        + &returned
}

/// The method that gives the items of every page, where there are pages.
fn items(call: &Call, style: Style) -> String {
    let Some(pages) = &call.pages else { return String::new() };
    let kind = match style {
        Style::Blocking => "Iterator",
        Style::Awaited => "AsyncIterator",
    };
    let text = format!(
        "The items of every page of `{}`, asked for as they are needed.",
        snake(&call.name)
    );
    signature(
        "def",
        &snake(&iterator(&call.name)),
        call,
        &format!("{kind}[{}]", shape(&pages.item)),
    ) + &docstring("        ", &deprecation(&text, call.deprecated))
        + &request(call)
        + &format!("        return self._caller.items({}, request, options)\n", constant(call))
}

fn signature(define: &str, name: &str, call: &Call, answer: &str) -> String {
    let mut out = format!("\n    {define} {name}(\n        self,\n        *,\n");
    for field in &call.fields {
        let optional = if field.required { "" } else { " | None = None" };
        out += &format!("        {}: {}{optional},\n", parameter(&field.name), shape(&field.shape));
    }
    out + &format!("        options: CallOptions | None = None,\n    ) -> {answer}:\n")
}

/// The request as a dictionary by the names that the platform knows.
fn request(call: &Call) -> String {
    if call.fields.is_empty() {
        return "        request: dict[str, Any] = {}\n".to_owned();
    }
    let line = |it: &Field| format!("            {:?}: {},\n", it.name, parameter(&it.name));
    let lines: String = call.fields.iter().map(line).collect();
    format!("        request: dict[str, Any] = {{\n{lines}        }}\n")
}

fn constant(call: &Call) -> String {
    format!("_{}", snake(&call.name).to_uppercase())
}

fn parameter(name: &str) -> String {
    let name: String =
        name.chars().map(|it| if it.is_ascii_alphanumeric() { it } else { '_' }).collect();
    if TAKEN.contains(&name.as_str()) { name + "_" } else { name }
}

fn shape(of: &Shape) -> String {
    match of {
        Shape::Text => "str".to_owned(),
        Shape::Integer => "int".to_owned(),
        Shape::Number => "float".to_owned(),
        Shape::Bool => "bool".to_owned(),
        Shape::Null => "None".to_owned(),
        Shape::Bytes => "bytes".to_owned(),
        Shape::Any => "Any".to_owned(),
        Shape::Choice(values) => {
            let values: Vec<String> = values.iter().map(|it| format!("{it:?}")).collect();
            format!("Literal[{}]", values.join(", "))
        }
        Shape::List(inner) => format!("list[{}]", shape(inner)),
        Shape::Map(inner) => format!("dict[str, {}]", shape(inner)),
        Shape::Named(name) => name.clone(),
        Shape::Either(shapes) => shapes.iter().map(shape).collect::<Vec<_>>().join(" | "),
    }
}

fn deprecation(text: &str, deprecated: bool) -> String {
    if deprecated { format!("{text}\n\nDeprecated.").trim().to_owned() } else { text.to_owned() }
}

/// The text of a method and what is said of its parameters.
fn arguments(text: &str, fields: &[Field]) -> String {
    let mut out = text.to_owned();
    let told = fields.iter().filter(|it| !it.text.is_empty() || it.deprecated);
    for (at, field) in told.enumerate() {
        out += if at == 0 { "\n\nArgs:\n" } else { "\n" };
        let text = deprecation(&field.text, field.deprecated).replace('\n', " ");
        out += &format!("- {}: {text}", parameter(&field.name));
    }
    out
}

fn docstring(indent: &str, text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace("\"\"\"", "\\\"\\\"\\\"");
    let text = text.strip_suffix('"').map_or(text.clone(), |it| format!("{it}\\\""));
    let lines = wrap(&text, WIDTH - indent.len() - 6);
    match &lines[..] {
        [] => String::new(),
        [line] => format!("{indent}\"\"\"{line}\"\"\"\n"),
        [first, rest @ ..] => {
            let rest: String = rest
                .iter()
                .map(|it| format!("{indent}{it}").trim_end().to_owned() + "\n")
                .collect();
            format!("{indent}\"\"\"{first}\n{rest}{indent}\"\"\"\n")
        }
    }
}

impl Style {
    /// What stands before the names of its classes, and what makes their calls.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Blocking => ("", "Caller"),
            Self::Awaited => ("Async", "AsyncCaller"),
        }
    }
}
