// One operation: what it does, what it takes, what it answers, who may call it and how it fails.

import { badge, choice, code, copyButton, element, inline, method, prose, section } from "./element.js";
import { jsonView } from "./json.js";
import { ROOT } from "./request.js";
import { schemaView } from "./schema.js";
import { tryView } from "./try.js";

export function operationView(api, operation) {
  const [trial, samples] = tryView(api, operation);
  return element("article", { class: "operation" },
    element("div", { class: "columns" },
      element("div", { class: "told" },
        head(operation, () => trial.scrollIntoView()),
        facts(api, operation),
        parameters(api, operation),
        operation.body && bodySection(api, operation.body),
        responses(api, operation)),
      element("div", { class: "tried" }, trial, samples)));
}

function head(operation, jump) {
  return element("header", {},
    element("p", { class: "muted" }, operation.tag),
    element("h1", { tabindex: "-1" }, operation.summary),
    element("p", { class: "route" }, method(operation.method), " ", path(operation.path),
      copyButton(() => ROOT + operation.path),
      operation.deprecated && badge("deprecated", "warning"),
      element("button", { type: "button", class: "small primary jump", onclick: jump }, "Try it")),
    operation.description && prose(operation.description));
}

// The path, its parameters set off.
export function path(text) {
  const parts = text.split(/(\{[^}]+\})/).filter(Boolean);
  return element("code", { class: "path" },
    ...parts.map((it) => (it.startsWith("{") ? element("var", {}, it) : it)));
}

function facts(api, operation) {
  const rows = [
    ["Scopes", scopes(api, operation.alternatives)],
    ["Callers", operation.callers.join(", ")],
    ["Rate class", operation.rate],
    ["Safe to retry", retry(operation)],
    ["Audit", Object.entries(operation.audit ?? {}).map(([kind, entry]) => [`${kind} `, code(entry)]).flat()],
    ["Events", operation.emits.map((it) => element("div", {}, code(it)))],
    ["Reasons", operation.reasons.map((it) => element("div", {}, code(it)))],
    ["gRPC", operation.grpc && code(operation.grpc)],
    ...operation.extensions.map(([name, value]) => [name, code(JSON.stringify(value))]),
  ];
  const told = rows.filter(([, value]) => value && value.length !== 0);
  const entries = told.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, ...[value].flat())));
  return section("Contract", 2, element("dl", { class: "facts" }, ...entries));
}

function scopes(api, alternatives) {
  if (alternatives.length === 0) return "none: open to all";
  return alternatives.map((all, index) => element("div", {}, index > 0 && "or ",
    ...all.flatMap((it, at) => [at > 0 && " and ", code(it), api.scopes[it] && element("span", { class: "muted" }, ` ${api.scopes[it]}`)])));
}

function retry(operation) {
  const takesKey = operation.parameters.some((it) => it.in === "header" && it.name.toLowerCase() === "idempotency-key");
  if (takesKey) return ["with the same ", code("Idempotency-Key")];
  return ["get", "head", "put", "delete"].includes(operation.method) ? "yes" : "no";
}

function parameters(api, operation) {
  if (operation.parameters.length === 0) return null;
  const properties = (place) => operation.parameters.filter((it) => it.in === place);
  const groups = [["Path", "path"], ["Query", "query"], ["Headers", "header"], ["Cookies", "cookie"]];
  const lists = groups.filter(([, place]) => properties(place).length > 0).map(([title, place]) => {
    // A group of parameters reads like an object with members.
    const members = properties(place).map((it) => [it.name, { description: it.description, ...it.schema, "x-phi": it["x-phi"], deprecated: it.deprecated, example: it.example }]);
    const required = properties(place).filter((it) => it.required).map((it) => it.name);
    return section(title, 3, schemaMembers(api, members, required));
  });
  return section("Parameters", 2, ...lists);
}

function schemaMembers(api, members, required) {
  const kept = members.map(([name, it]) => [name, Object.fromEntries(Object.entries(it).filter(([, one]) => one !== undefined))]);
  const view = schemaView(api, { type: "object", properties: Object.fromEntries(kept), required });
  view.querySelector(".type").remove();
  return view;
}

function bodySection(api, body) {
  const title = element("p", { class: "muted" }, body.required ? "Required." : "Optional.");
  return section("Request body", 2, title, body.description && prose(body.description), contents(api, body.types));
}

function contents(api, types) {
  const views = Object.fromEntries(types.map((it) => [it.type, () => element("div", {},
    it.schema && schemaView(api, it.schema),
    it.example !== undefined && example(it))]));
  return types.length > 0 && choice("Media type", views);
}

function example(it) {
  const text = typeof it.example === "string" ? it.example : JSON.stringify(it.example, null, 2);
  return element("details", { class: "nested" }, element("summary", {}, "Example"), jsonView(text, "Example"));
}

function responses(api, operation) {
  const items = operation.responses.map((it) => {
    const details = element("details", { class: `status s${it.status[0]}`, open: it.status.startsWith("2") },
      element("summary", {}, badge(it.status, kind(it.status)), " ", ...inline(it.description)));
    const fill = () => details.append(responseBody(api, it));
    // What is closed is made when it is opened: most errors look alike.
    if (details.open) fill();
    else details.addEventListener("toggle", fill, { once: true });
    return details;
  });
  return section("Answers", 2, ...items);
}

function responseBody(api, it) {
  const headers = it.headers.map((one) => element("li", {},
    element("p", { class: "member" }, code(one.name, "name")), one.description && prose(one.description)));
  return element("div", {},
    contents(api, it.types),
    headers.length > 0 && element("details", { class: "nested" },
      element("summary", {}, `${headers.length} headers`), element("ul", { class: "members" }, ...headers)));
}

function kind(status) {
  return status.startsWith("2") ? "success" : /^[45]/.test(status) ? "failure" : "info";
}
