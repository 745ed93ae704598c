// A schema as people read it: members, types, rules, and what the platform protects. Members of
// members are made when they are opened, so that a schema may contain itself.

import { badge, code, element, inline, prose } from "./element.js";

// Keywords that have a place of their own. All others are shown as they stand.
const PLACED = new Set([
  "$ref", "$defs", "type", "format", "description", "title", "properties", "required", "items",
  "additionalProperties", "enum", "const", "default", "example", "examples", "allOf", "oneOf",
  "anyOf", "minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum", "pattern",
  "exclusiveMinimum", "exclusiveMaximum", "deprecated", "readOnly", "writeOnly", "x-phi",
  "discriminator", "uniqueItems", "nullable", "minProperties", "maxProperties",
]);

export function schemaView(api, schema) {
  const it = api.resolve(schema);
  return element("div", { class: "schema" },
    element("p", { class: "type" }, typeName(api, schema), ...marks(it)),
    it.description && prose(it.description), rules(it), inside(api, it));
}

// The type in words, such as "array of clinical.v1.Biomarker".
export function typeName(api, schema) {
  const it = api.resolve(schema);
  const named = schema?.$ref?.split("/").pop();
  if (it.type === "array") return `array of ${typeName(api, it.items ?? {})}`;
  if (named) return named;
  if (isMap(it)) return `map of string to ${typeName(api, it.additionalProperties)}`;
  if (it.oneOf) return "one of";
  if (it.anyOf) return "any of";
  const types = [it.type ?? (it.properties || it.allOf ? "object" : "any value")].flat();
  return types.join(" or ") + (it.format ? ` · ${it.format}` : "");
}

// What a value must keep, one sentence a rule.
export function ruleTexts(it) {
  const texts = [
    range(it.minLength, it.maxLength, "character"),
    range(it.minItems, it.maxItems, "item"),
    range(it.minProperties, it.maxProperties, "member"),
    bound("at least", it.minimum),
    bound("at most", it.maximum),
    bound("more than", it.exclusiveMinimum),
    bound("less than", it.exclusiveMaximum),
    it.uniqueItems && "no item twice",
    it.const !== undefined && `always ${JSON.stringify(it.const)}`,
    it.default !== undefined && `${JSON.stringify(it.default)} if absent`,
  ];
  return texts.filter(Boolean);
}

export function protection(it) {
  const why = "Protected health information: masked in every log, and each access is recorded.";
  const secret = "A secret: masked in every log.";
  if (!it["x-phi"]) return null;
  const isSecret = it["x-phi"] === "secret";
  return badge(isSecret ? "secret" : `PHI · ${it["x-phi"]}`, "phi", isSecret ? secret : why);
}

function member(api, name, schema, isRequired) {
  const it = api.resolve(schema);
  return element("li", {},
    element("p", { class: "member" }, code(name, "name"),
      element("span", { class: "type" }, typeName(api, schema)),
      isRequired && badge("required", "required"), ...marks(it)),
    it.description && element("div", { class: "prose" }, ...prose(it.description).childNodes),
    rules(it), nested(api, it));
}

function marks(it) {
  return [
    it.deprecated && badge("deprecated", "warning"),
    it.readOnly && badge("only in answers", "plain"),
    it.writeOnly && badge("only in requests", "plain"),
    protection(it),
  ].filter(Boolean);
}

function rules(it) {
  const texts = ruleTexts(it).map((text) => element("li", {}, text));
  if (it.pattern) texts.push(element("li", {}, "matches ", code(it.pattern)));
  const example = it.examples?.[0] ?? it.example;
  if (example !== undefined) texts.push(element("li", {}, "such as ", code(JSON.stringify(example))));
  const values = it.enum?.map((value) => code(String(value)));
  if (values) texts.push(element("li", {}, "one of ", ...values.flatMap((one, at) => (at ? [", ", one] : [one]))));
  for (const [keyword, value] of Object.entries(it)) {
    if (!PLACED.has(keyword)) texts.push(element("li", {}, code(`${keyword}: ${JSON.stringify(value)}`)));
  }
  return texts.length > 0 && element("ul", { class: "rules" }, ...texts);
}

// Members below a member, closed until somebody wants them.
function nested(api, it) {
  const below = it.type === "array" ? api.resolve(it.items) : isMap(it) ? api.resolve(it.additionalProperties) : it;
  if (!isComposed(below)) {
    // The rules of a list's scalar items are rules all the same.
    return below !== it && rules(below);
  }
  const count = Object.keys(below.properties ?? {}).length;
  const label = count ? `${count} member${count === 1 ? "" : "s"}` : "Variants";
  const details = element("details", { class: "nested" }, element("summary", {}, label));
  details.addEventListener("toggle", () => details.append(inside(api, below)), { once: true });
  return details;
}

function inside(api, it) {
  const below = it.type === "array" ? api.resolve(it.items) : isMap(it) ? api.resolve(it.additionalProperties) : it;
  const parts = [];
  for (const part of below.allOf ?? []) parts.push(inside(api, api.resolve(part)));
  const members = Object.entries(below.properties ?? {});
  if (members.length > 0) {
    const items = members.map(([name, one]) => member(api, name, one, below.required?.includes(name)));
    parts.push(element("ul", { class: "members" }, ...items));
  }
  for (const [words, variants] of [["One of these", below.oneOf], ["Any of these", below.anyOf]]) {
    if (variants) parts.push(choices(api, words, variants));
  }
  if (below.additionalProperties === true) parts.push(element("p", { class: "more" }, "Other members may be there."));
  return element("div", {}, ...parts);
}

function choices(api, words, variants) {
  const items = variants.map((one) => element("li", {}, schemaView(api, one)));
  return element("div", {}, element("p", {}, ...inline(`${words}:`)), element("ul", { class: "members" }, ...items));
}

function isComposed(it) {
  return Boolean(it.properties || it.allOf || it.oneOf || it.anyOf);
}

function isMap(it) {
  return typeof it.additionalProperties === "object" && !it.properties;
}

function range(least, most, noun) {
  const plural = (count) => `${count} ${noun}${count === 1 ? "" : "s"}`;
  if (least > 0 && least === most) return `exactly ${plural(most)}`;
  if (least > 0 && most !== undefined) return `${least} to ${plural(most)}`;
  if (most !== undefined) return `at most ${plural(most)}`;
  return least > 0 && `at least ${plural(least)}`;
}

function bound(words, value) {
  return value !== undefined && `${words} ${value}`;
}
