//! The TypeScript of a service: its types as interfaces, its methods as a class.

use registry::Registry;

use crate::{
    Error, File,
    method::{Body, By, Call},
    names::{camel, iterator, pascal, snake, wrap},
    service::Service,
    services,
    shape::{Field, Kind, Shape, Type},
};

const WIDTH: usize = 96;

/// One file for each service, and one that holds them all together.
pub fn typescript(registry: &Registry) -> Result<Vec<File>, Error> {
    let services = services(registry)?;
    let mut files: Vec<File> =
        services.iter().map(|it| (format!("{}.ts", it.name), service(it))).collect();
    files.push(("services.ts".to_owned(), together(&services)));
    Ok(files)
}

fn service(service: &Service) -> String {
    let package = &service.package;
    let mut out = format!(
        "// Written by `cargo xtask gen` from {package}. Do not edit.\n\n\
         import type {{ Caller, CallOptions, Operation }} from \"../operation.js\";\n"
    );
    for it in &service.types {
        out += &declaration(it);
    }
    for call in &service.methods {
        out += &object(&call.request_name(), &request_text(call), &call.fields);
    }
    for call in &service.methods {
        out += &operation(call);
    }
    out += "\n";
    out += &comment("", &service.text, false);
    out += &format!("export class {} {{\n  readonly #caller: Caller;\n\n", pascal(&service.name));
    out += "  constructor(caller: Caller) {\n    this.#caller = caller;\n  }\n";
    for call in &service.methods {
        out += &method(call);
    }
    out + "}\n"
}

/// What gives a client every service, and a package the types of every service.
fn together(services: &[Service]) -> String {
    let mut out = "// Written by `cargo xtask gen`. Do not edit.\n\n".to_owned();
    out += "import type { Caller } from \"../operation.js\";\n";
    for it in services {
        out += &format!("import {{ {} }} from \"./{}.js\";\n", pascal(&it.name), it.name);
    }
    out += "\n";
    for it in services {
        out += &format!("export type * as {} from \"./{}.js\";\n", camel(&it.name), it.name);
    }
    out += "\n/** Every service of the platform. */\nexport class Services {\n";
    for it in services {
        out += &comment("  ", &it.text, false);
        out += &format!("  readonly {}: {};\n", camel(&it.name), pascal(&it.name));
    }
    out += "\n  constructor(caller: Caller) {\n";
    for it in services {
        out += &format!("    this.{} = new {}(caller);\n", camel(&it.name), pascal(&it.name));
    }
    out + "  }\n}\n"
}

fn declaration(it: &Type) -> String {
    match &it.kind {
        Kind::Object(fields) => object(&it.name, &it.text, fields),
        Kind::Choice(values) => {
            let values = Shape::Choice(values.clone());
            format!(
                "\n{}export type {} = {};\n",
                comment("", &it.text, false),
                it.name,
                shape(&values)
            )
        }
    }
}

fn object(name: &str, text: &str, fields: &[Field]) -> String {
    let text = comment("", text, false);
    if fields.is_empty() {
        return format!("\n{text}export type {name} = Record<string, never>;\n");
    }
    let mut out = format!("\n{text}export interface {name} {{\n");
    for field in fields {
        let mark = if field.required { "" } else { "?" };
        out += &comment("  ", &field.text, field.deprecated);
        out += &format!("  {}{mark}: {};\n", member(&field.name), shape(&field.shape));
    }
    out + "}\n"
}

fn request_text(call: &Call) -> String {
    format!("What `{}` takes.", camel(&call.name))
}

fn operation(call: &Call) -> String {
    let mut members = vec![
        format!("name: {:?}", call.operation),
        format!("verb: {:?}", call.verb),
        format!("path: {:?}", call.path),
    ];
    match &call.body {
        Body::None => {}
        Body::Json => members.push("body: { as: \"json\" }".to_owned()),
        Body::Form => members.push("body: { as: \"form\" }".to_owned()),
        Body::Field(name) => members.push(format!("body: {{ as: \"json\", field: {name:?} }}")),
        Body::Bytes(name) => members.push(format!("body: {{ as: \"bytes\", field: {name:?} }}")),
    }
    if call.answer == Some(Shape::Bytes) {
        members.push("answer: \"bytes\"".to_owned());
    }
    members.extend(call.keyed.then(|| "keyed: true".to_owned()));
    members.extend(call.public.then(|| "public: true".to_owned()));
    if let Some(pages) = &call.pages {
        let by = match pages.by {
            By::Token => "token",
            By::Offset => "offset",
        };
        members.push(format!("pages: {{ by: {by:?}, items: {:?} }}", pages.items));
    }
    let lines: String = members.iter().map(|it| format!("  {it},\n")).collect();
    format!("\nconst {}: Operation = {{\n{lines}}};\n", constant(call))
}

fn method(call: &Call) -> String {
    let answer = call.answer.as_ref().map_or_else(|| "void".to_owned(), shape);
    let name = camel(&call.name);
    let default = if call.needs_nothing() { " = {}" } else { "" };
    let parameters = format!(
        "(\n    request: {}{default},\n    options: CallOptions = {{}},\n  )",
        call.request_name()
    );
    let mut out = format!(
        "\n{}  {name}{parameters}: Promise<{answer}> {{\n    \
         return this.#caller.call({}, request, options);\n  }}\n",
        comment("  ", &call.text, call.deprecated),
        constant(call),
    );
    if let Some(pages) = &call.pages {
        let text = format!("The items of every page of `{name}`, asked for as they are needed.");
        out += &format!(
            "\n{}  {}{parameters}: AsyncGenerator<{}, void, undefined> {{\n    \
             return this.#caller.items({}, request, options);\n  }}\n",
            comment("  ", &text, call.deprecated),
            camel(&iterator(&call.name)),
            shape(&pages.item),
            constant(call),
        );
    }
    out
}

fn constant(call: &Call) -> String {
    snake(&call.name).to_uppercase()
}

fn shape(of: &Shape) -> String {
    match of {
        Shape::Text => "string".to_owned(),
        Shape::Integer | Shape::Number => "number".to_owned(),
        Shape::Bool => "boolean".to_owned(),
        Shape::Null => "null".to_owned(),
        Shape::Bytes => "Uint8Array".to_owned(),
        Shape::Any => "unknown".to_owned(),
        Shape::Choice(values) => {
            values.iter().map(|it| format!("{it:?}")).collect::<Vec<_>>().join(" | ")
        }
        Shape::List(inner) => format!("Array<{}>", shape(inner)),
        Shape::Map(inner) => format!("Record<string, {}>", shape(inner)),
        Shape::Named(name) => name.clone(),
        Shape::Either(shapes) => {
            let mut texts: Vec<String> = shapes.iter().map(shape).collect();
            texts.dedup();
            texts.join(" | ")
        }
    }
}

/// A member's name, in quotes where the language asks for them.
fn member(name: &str) -> String {
    let plain = |it: char| it.is_ascii_alphanumeric() || it == '_';
    match name.chars().all(plain) && !name.starts_with(|it: char| it.is_ascii_digit()) {
        true => name.to_owned(),
        false => format!("{name:?}"),
    }
}

fn comment(indent: &str, text: &str, deprecated: bool) -> String {
    let text = text.replace("*/", "*\\/");
    let mut lines = wrap(&text, WIDTH - indent.len() - 3);
    lines.extend(deprecated.then(|| "@deprecated".to_owned()));
    match &lines[..] {
        [] => String::new(),
        [line] => format!("{indent}/** {line} */\n"),
        lines => {
            let lines: String = lines
                .iter()
                .map(|it| format!("{indent} * {it}").trim_end().to_owned() + "\n")
                .collect();
            format!("{indent}/**\n{lines}{indent} */\n")
        }
    }
}
