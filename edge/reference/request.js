// What a filled-in form asks of the API: a request, before any token is added.

// A value that cannot be made into a request; `field` is the form control it stands in.
export class Unfit extends Error {
  constructor(field, message) {
    super(message);
    this.field = field;
  }
}

// Where paths begin: this page is served beside the API, which may be below a path of its host.
export const ROOT = new URL("..", import.meta.url).href.slice(0, -1);

// `values` maps `in:name` of each parameter to its text; `body` is text and its media type.
export function request(operation, values, body, root = ROOT) {
  const query = new URLSearchParams();
  const headers = [];
  let path = operation.path;
  for (const parameter of operation.parameters) {
    const text = values[key(parameter)] ?? "";
    if (parameter.in === "path") path = path.replace(`{${parameter.name}}`, segment(parameter, text));
    if (text === "") continue;
    if (parameter.in === "query") for (const one of listed(parameter, text)) query.append(parameter.name, one);
    if (parameter.in === "header") headers.push([parameter.name, text]);
  }
  const search = query.size > 0 ? `?${query}` : "";
  const made = { method: operation.method.toUpperCase(), url: root + path + search, headers, body: null };
  if (body && body.text.trim() !== "") {
    made.headers.push(["Content-Type", body.type]);
    made.body = isForm(body.type) ? formOf(body.text) : checked(body);
    made.type = body.type;
  }
  return made;
}

export function key(parameter) {
  return `${parameter.in}:${parameter.name}`;
}

export function isForm(type) {
  return type === "application/x-www-form-urlencoded";
}

export function speaksJson(type) {
  return /[/+]json\b/.test(type);
}

function segment(parameter, text) {
  if (text === "") throw new Unfit(key(parameter), "The path needs it.");
  // A variable of several segments (`{name=shelves/*}`) has a pattern, which allows its slashes.
  const pattern = parameter.schema?.pattern;
  const keepsSlashes = pattern && new RegExp(pattern, "u").test(text);
  return keepsSlashes ? text.split("/").map(encodeURIComponent).join("/") : encodeURIComponent(text);
}

// A list is written one value a line.
function listed(parameter, text) {
  const isList = [parameter.schema?.type].flat().includes("array");
  return isList ? text.split("\n").filter((it) => it !== "") : [text];
}

function checked({ type, text }) {
  if (speaksJson(type)) parsed(text);
  return text;
}

// The members of a JSON object as a form.
function formOf(text) {
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(parsed(text))) {
    for (const one of [value].flat()) form.append(name, typeof one === "object" ? JSON.stringify(one) : String(one));
  }
  return form.toString();
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Unfit("body", `This is not JSON: ${error.message}`);
  }
}
