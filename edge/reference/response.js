// What came back: status, time, headers and body, and in words what went wrong.

import { badge, code, copyButton, element, notice, section } from "./element.js";
import { format, jsonView } from "./json.js";

// The most of a body that is read, in bytes.
const LARGEST = 2_000_000;

// Reads a response to its end, or to the most that is shown. `onpart` hears of each part of a
// stream, so that what takes long is seen as it comes.
export async function receive(response, began, onpart) {
  const answer = {
    status: response.status,
    reason: response.statusText,
    headers: [...response.headers].sort(([one], [other]) => one.localeCompare(other)),
    type: response.headers.get("content-type") ?? "",
    text: "",
    size: 0,
    isCut: false,
    milliseconds: performance.now() - began,
  };
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  for (let part = await reader?.read(); part && !part.done; part = await reader.read()) {
    answer.size += part.value.length;
    answer.text += decoder.decode(part.value, { stream: true });
    answer.milliseconds = performance.now() - began;
    if (isStream(answer)) onpart(answer);
    if (answer.size > LARGEST) {
      answer.isCut = true;
      await reader.cancel();
      break;
    }
  }
  answer.text += decoder.decode();
  answer.milliseconds = performance.now() - began;
  return answer;
}

export function responseView(answer, { signIn, reasons }) {
  const failure = answer.status >= 400 ? details(answer) : null;
  return section("Answer", 3,
    element("p", { class: "outcome" }, status(answer),
      element("span", { class: "muted" }, `${time(answer.milliseconds)} · ${size(answer.size)}`),
      answer.text && copyButton(() => format(answer.text))),
    failure && explanation(answer, failure, signIn, reasons),
    header(answer, "idempotent-replayed") === "true" &&
      notice("info", "This is the stored answer to an earlier call with the same Idempotency-Key. Nothing was done again."),
    answer.isCut && notice("warning", "The body is longer than what is shown."),
    body(answer),
    headersOf(answer));
}

// The fields that the answer complains of: pairs of a path and a sentence.
export function violations(answer) {
  if (answer.status < 400) return [];
  const found = details(answer).details ?? [];
  return found.flatMap((it) => it.field_violations ?? it.fieldViolations ?? [])
    .map((it) => [it.field ?? "", it.description ?? "is not valid"]);
}

function explanation(answer, failure, signIn, reasons) {
  const found = violations(answer);
  // The message repeats what the list says better.
  const words = found.length === 0 && (failure.message ?? failure.error_description ?? failure.detail);
  const reason = (failure.details ?? []).map((it) => it.reason).find(Boolean);
  return notice("failure",
    element("p", {}, element("strong", {}, headline(answer)), words && ` ${words}`),
    reason && element("p", {}, "Reason ", code(reason),
      reasons.includes(reason) && ", one of those this operation names"),
    violationList(found),
    advice(answer),
    answer.status === 401 && element("button", { type: "button", class: "primary", onclick: signIn }, "Sign in"));
}

function headline({ status }) {
  const known = {
    400: "The request breaks a rule.",
    401: "You are not signed in, or the token is no longer good.",
    403: "The token may not do this.",
    404: "There is no such thing, or it is not yours to see.",
    409: "This conflicts with what is there.",
    429: "Too many calls.",
  };
  return known[status] ?? (status >= 500 ? "The platform failed." : "The request was refused.");
}

function advice(answer) {
  const scope = /scope="([^"]+)"/.exec(header(answer, "www-authenticate") ?? "")?.[1];
  const wait = header(answer, "retry-after");
  return [
    answer.status === 403 && scope && element("p", {}, "It needs the scope ", code(scope), "."),
    wait && element("p", {}, `Try again in ${wait} s.`),
  ].filter(Boolean);
}

function violationList(found) {
  if (found.length === 0) return null;
  const items = found.map(([field, words]) => element("li", {}, code(field || "request"), ` ${words}`));
  return element("ul", { class: "violations" }, ...items);
}

function body(answer) {
  if (answer.text === "") return element("p", { class: "muted" }, "No body.");
  if (!/^(text\/|application\/([\w.-]+\+)?(json|xml|x-ndjson|jsonl)|$)/.test(answer.type)) {
    return element("p", { class: "muted" }, `${size(answer.size)} of ${answer.type}.`);
  }
  return jsonView(answer.text, "Body of the answer");
}

function headersOf(answer) {
  const rows = answer.headers.map(([name, value]) =>
    element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, value)));
  return element("details", { class: "headers" },
    element("summary", {}, `${rows.length} headers`), element("table", {}, element("tbody", {}, ...rows)));
}

function status(answer) {
  const kind = answer.status < 300 ? "success" : answer.status < 400 ? "info" : "failure";
  return badge([answer.status, answer.reason || PHRASES[answer.status]].filter(Boolean).join(" "), kind);
}

// HTTP/2 carries no reason phrase.
const PHRASES = {
  200: "OK", 201: "Created", 204: "No Content", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden",
  404: "Not Found", 409: "Conflict", 412: "Precondition Failed", 422: "Unprocessable Content",
  429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable", 504: "Gateway Timeout",
};

function details(answer) {
  try {
    return JSON.parse(answer.text) ?? {};
  } catch {
    return {};
  }
}

function isStream({ type }) {
  return /^(text\/event-stream|application\/(x-ndjson|jsonl))/.test(type);
}

function header(answer, name) {
  return answer.headers.find(([key]) => key === name)?.[1];
}

function time(milliseconds) {
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}

function size(bytes) {
  return bytes < 1000 ? `${bytes} B` : `${(bytes / 1000).toFixed(1)} kB`;
}
