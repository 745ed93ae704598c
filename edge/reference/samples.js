// The same request as code, for a shell and two languages. The token is never part of it: each
// sample reads LOOP_TOKEN from its environment.

import { format, toPython } from "./json.js";
import { isForm, speaksJson } from "./request.js";

export const SAMPLES = { curl, TypeScript: typescript, Python: python };

export function curl(request, needsToken) {
  const lines = [`curl ${shell(request.url)}`];
  const isPlain = request.method === (request.body === null ? "GET" : "POST");
  if (!isPlain) lines[0] = `curl -X ${request.method} ${shell(request.url)}`;
  if (needsToken) lines.push('-H "Authorization: Bearer $LOOP_TOKEN"');
  for (const [name, value] of request.headers) lines.push(`-H ${shell(`${name}: ${value}`)}`);
  if (request.body !== null) lines.push(`--data-raw ${shell(request.body)}`);
  return lines.join(" \\\n  ");
}

export function typescript(request, needsToken) {
  const headers = headerLines(request, needsToken && "`Bearer ${process.env.LOOP_TOKEN}`");
  const options = [];
  if (request.method !== "GET") options.push(`method: ${quote(request.method)},`);
  if (headers.length > 0) options.push("headers: {", ...headers.map((it) => `  ${it}`), "},");
  if (request.body !== null) options.push(...`body: ${typescriptBody(request)},`.split("\n"));
  const argument = options.length > 0 ? `, {\n${options.map((it) => `  ${it}`).join("\n")}\n}` : "";
  return [
    `const response = await fetch(${quote(request.url)}${argument});`,
    "if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);",
    "console.log(await response.json());",
  ].join("\n");
}

export function python(request, needsToken) {
  const headers = headerLines(request, needsToken && `"Bearer " + os.environ["LOOP_TOKEN"]`, quote);
  const lines = [`${quote(request.url)},`];
  if (headers.length > 0) lines.push("headers={", ...headers.map((it) => `    ${it}`), "},");
  if (request.body !== null) lines.push(...`${pythonBody(request)},`.split("\n"));
  lines.push("timeout=30,");
  return [
    ...(needsToken ? ["import os", ""] : []),
    "import requests",
    "",
    `response = requests.${request.method.toLowerCase()}(`,
    ...lines.map((it) => `    ${it}`),
    ")",
    "response.raise_for_status()",
    "print(response.json())",
  ].join("\n");
}

function headerLines(request, token, name = (it) => (/^\w+$/.test(it) ? it : quote(it))) {
  const lines = request.headers.map(([key, value]) => `${name(key)}: ${quote(value)},`);
  return token ? [`${name("Authorization")}: ${token},`, ...lines] : lines;
}

function typescriptBody(request) {
  if (!speaksJson(request.type)) return quote(request.body);
  return `JSON.stringify(${format(request.body)})`;
}

function pythonBody(request) {
  if (isForm(request.type)) return `data=${quote(request.body)}`;
  if (!speaksJson(request.type)) return `data=${quote(request.body)}.encode()`;
  return `json=${toPython(request.body)}`;
}

function shell(text) {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

// A string literal in JavaScript and in Python alike.
function quote(text) {
  return JSON.stringify(text);
}
