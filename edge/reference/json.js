// JSON as it was sent: laid out and coloured, every number and string to the letter. Reading it
// into values and writing them again would round long decimals.

import { element } from "./element.js";

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

// Text beyond this is shown as it came, for a page that stays quick.
const LARGEST = 500_000;

// An element with the text; laid out, if it is JSON.
export function jsonView(text, label) {
  const tokens = text.length <= LARGEST && isJson(text) ? layOut(text) : [["plain", text]];
  const spans = tokens.map(([kind, it]) => (kind === "plain" ? it : element("span", { class: kind }, it)));
  return element("pre", { class: "json", tabindex: "0", role: "region", "aria-label": label }, ...spans);
}

// The same text with two spaces for each level. Text that is not JSON stays as it is.
export function format(text) {
  return isJson(text) ? layOut(text).map(([, it]) => it).join("") : text;
}

export function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

// The same value as Python writes it.
export function toPython(text) {
  const words = { true: "True", false: "False", null: "None" };
  return layOut(text).map(([, it]) => words[it] ?? it).join("");
}

export function tokens(text) {
  return text.match(TOKEN) ?? [];
}

// Pairs of a kind and a text, which joined are the document.
function layOut(text) {
  const found = tokens(text);
  const out = [];
  let depth = 0;
  const line = () => out.push(["plain", "\n" + "  ".repeat(depth)]);
  found.forEach((token, index) => {
    const [before, after] = [found[index - 1], found[index + 1]];
    if ("}]".includes(token)) {
      depth -= 1;
      if (!"{[".includes(before)) line();
    }
    out.push([kind(token, after), token]);
    if ("{[".includes(token)) {
      depth += 1;
      if (!"}]".includes(after)) line();
    } else if (token === ",") line();
    else if (token === ":") out.push(["plain", " "]);
  });
  return out;
}

function kind(token, after) {
  if (token.startsWith('"')) return after === ":" ? "name" : "text";
  if ("{}[],:".includes(token)) return "plain";
  return /^[-\d]/.test(token) ? "number" : "word";
}
