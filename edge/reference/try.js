// Trying an operation: a form that is filled in already, the same call as code, and the answer.

import { exampleOf } from "./api.js";
import { badge, choice, code, copyButton, element, notice, section } from "./element.js";
import { format } from "./json.js";
import { Unfit, key, request, speaksJson } from "./request.js";
import { receive, responseView, violations } from "./response.js";
import { SAMPLES } from "./samples.js";
import { protection, ruleTexts, typeName } from "./schema.js";
import * as session from "./session.js";
import { openSignIn } from "./sign-in.js";

const IDEMPOTENCY = "Idempotency-Key";

// Which language the samples were last shown in, for the operations that follow.
let language = "curl";

export function tryView(api, operation) {
  const trial = new Trial(api, operation);
  return [trial.view(), trial.samples];
}

class Trial {
  constructor(api, operation) {
    this.api = api;
    this.operation = operation;
    this.answer = element("div", { class: "answer", "aria-live": "polite" });
    this.samples = element("div", { class: "samples" });
    this.hint = element("div", {});
    this.send = element("button", { type: "submit", class: "primary send" }, "Send");
    this.stop = element("button", { type: "button", class: "quiet", hidden: true }, "Stop");
    this.fields = operation.parameters.map((it) => this.#parameter(it));
    this.body = operation.body && this.#body(operation.body);
    this.form = element("form", { autocomplete: "off", novalidate: true },
      ...this.fields.map((it) => it.place), this.body?.place, this.hint,
      element("p", { class: "actions" }, this.send, this.stop));
    this.form.addEventListener("input", () => this.#changed());
    this.form.addEventListener("submit", (event) => this.#submit(event));
    session.onChange(() => this.#who());
    this.#who();
    this.#changed();
  }

  view() {
    return section("Try it", 2, this.form, this.answer);
  }

  #parameter(parameter) {
    const id = `${this.operation.id}-${key(parameter)}`;
    const schema = this.api.resolve(parameter.schema);
    const isKey = parameter.name === IDEMPOTENCY;
    const control = controlOf(this.api, parameter, schema, id);
    // The key must be one that nobody used before, so no example will do.
    control.value = isKey ? freshKey() : text(exampleOf(parameter, schema));
    const renew = isKey && element("button", { type: "button", class: "quiet small" }, "New key");
    if (renew) renew.addEventListener("click", () => this.#set(control, freshKey()));
    const label = element("label", { for: id }, code(parameter.name),
      element("span", { class: "muted" }, ` ${parameter.in} · ${typeName(this.api, parameter.schema)}`),
      parameter.required && badge("required", "required"), protection(parameter));
    const rules = ruleTexts(schema).join(", ");
    return this.#field(key(parameter), control, [label, renew], rules && element("p", { class: "hint" }, rules));
  }

  #body({ types, required }) {
    const id = `${this.operation.id}-body`;
    const control = element("textarea", { id, spellcheck: "false", class: "code" });
    const kind = element("select", { "aria-label": "Type of the body" }, ...types.map((it) => element("option", {}, it.type)));
    const fill = () => {
      const chosen = types[kind.selectedIndex];
      control.value = chosen.example === undefined ? "" : typeof chosen.example === "string" ? chosen.example : JSON.stringify(chosen.example, null, 2);
      control.rows = Math.min(18, Math.max(4, control.value.split("\n").length));
    };
    kind.addEventListener("change", fill);
    fill();
    const tidy = element("button", { type: "button", class: "quiet small", onclick: () => this.#set(control, format(control.value)) }, "Tidy");
    const reset = element("button", { type: "button", class: "quiet small", onclick: () => (fill(), this.#changed()) }, "Example");
    const label = element("label", { for: id }, "Body", required && badge("required", "required"));
    const tools = element("span", { class: "tools" }, types.length > 1 ? kind : element("span", { class: "muted" }, types[0].type), tidy, reset);
    const type = () => types[kind.selectedIndex].type;
    const hint = types.some((it) => !speaksJson(it.type)) && element("p", { class: "hint" }, "A form is written as a JSON object here, too.");
    return { ...this.#field("body", control, [label, tools], hint), type };
  }

  // A control with its label, its hint, and a place for what is wrong with it.
  #field(name, control, head, hint) {
    const problem = element("p", { class: "problem", id: `${control.id}-problem`, role: "alert" });
    const described = [problem.id];
    if (hint) {
      hint.id = `${control.id}-hint`;
      described.unshift(hint.id);
    }
    control.setAttribute("aria-describedby", described.join(" "));
    const place = element("div", { class: "field" }, element("div", { class: "head" }, ...head), control, problem, hint);
    return { name, control, problem, place };
  }

  #set(control, value) {
    control.value = value;
    this.#changed();
  }

  #request() {
    const values = Object.fromEntries(this.fields.map((it) => [it.name, it.control.value]));
    const body = this.body && { type: this.body.type(), text: this.body.control.value };
    return request(this.operation, values, body);
  }

  get #needsToken() {
    return this.operation.alternatives.length > 0;
  }

  // The samples follow what is typed. What cannot be sent yet leaves them as they are.
  #changed() {
    this.#complain([]);
    let made;
    try {
      made = this.#request();
    } catch (error) {
      if (!(error instanceof Unfit)) throw error;
      return;
    }
    const views = Object.fromEntries(Object.entries(SAMPLES).map(([name, write]) => [name, () => {
      const sample = write(made, this.#needsToken);
      return element("div", { class: "sample" }, copyButton(() => sample),
        element("pre", { tabindex: "0", role: "region", "aria-label": `${name} sample` }, element("code", {}, sample)));
    }]));
    this.samples.replaceChildren(section("As code", 2, choice("Language", views, language, (it) => (language = it))));
  }

  // Says before the call what is likely to refuse it.
  #who() {
    const token = session.token();
    const granted = token?.scope?.split(" ");
    const suffices = this.operation.alternatives.some((all) => all.every((it) => granted?.includes(it)));
    if (!this.#needsToken) this.hint.replaceChildren();
    else if (!token) {
      const button = element("button", { type: "button", class: "link", onclick: () => openSignIn(this.api) }, "Sign in");
      this.hint.replaceChildren(element("p", { class: "muted" }, "This operation needs a token. ", button));
    } else if (granted && !suffices) {
      this.hint.replaceChildren(notice("warning", "Your token has none of the scopes that this operation takes."));
    } else this.hint.replaceChildren();
  }

  async #submit(event) {
    event.preventDefault();
    let made;
    try {
      made = this.#request();
    } catch (error) {
      if (!(error instanceof Unfit)) throw error;
      this.#complain([[error.field, error.message]], true);
      return;
    }
    await this.#call(made);
  }

  async #call(made) {
    const abort = new AbortController();
    this.stop.onclick = () => abort.abort();
    this.#busy(true);
    const headers = new Headers(made.headers);
    const token = this.#needsToken && session.token();
    if (token) headers.set("Authorization", `Bearer ${token.value}`);
    const options = { method: made.method, headers, body: made.body, signal: abort.signal, cache: "no-store", credentials: "omit" };
    const began = performance.now();
    try {
      const response = await fetch(made.url, options);
      this.#show(await receive(response, began, (part) => this.#show(part)));
      this.#reveal();
    } catch (error) {
      const words = abort.signal.aborted ? "Stopped." : `The server did not answer: ${error.message}.`;
      this.answer.replaceChildren(notice(abort.signal.aborted ? "info" : "failure", words));
    } finally {
      this.#busy(false);
    }
  }

  #show(answer) {
    const options = { signIn: () => openSignIn(this.api), reasons: this.operation.reasons };
    this.answer.replaceChildren(responseView(answer, options));
    this.#complain(violations(answer));
  }

  // Brings the answer up, in the panel if that scrolls, and in the page if it does not.
  #reveal() {
    const panel = this.answer.closest(".tried");
    const above = () => this.answer.getBoundingClientRect().top - panel.getBoundingClientRect().top;
    panel.scrollTop += above() - 16;
    this.answer.firstElementChild.scrollIntoView({ block: "nearest" });
  }

  #busy(isBusy) {
    this.send.disabled = isBusy;
    this.send.textContent = isBusy ? "Sending…" : "Send";
    this.stop.hidden = !isBusy;
  }

  // Puts each complaint beside the control it is about: a parameter by its name, all else to
  // the body.
  #complain(complaints, takesFocus = false) {
    const fields = [...this.fields, this.body].filter(Boolean);
    for (const it of fields) {
      it.problem.textContent = "";
      it.control.removeAttribute("aria-invalid");
    }
    for (const [name, words] of complaints) {
      const own = fields.find((it) => it.name === name || it.name.split(":")[1] === name);
      const it = own ?? this.body;
      if (!it) continue;
      it.problem.textContent += own ? `${words} ` : `${name}: ${words} `;
      it.control.setAttribute("aria-invalid", "true");
      if (takesFocus) it.control.focus();
    }
  }
}

function controlOf(api, parameter, schema, id) {
  const types = [schema.type].flat();
  const values = schema.enum ?? (types.includes("boolean") ? [true, false] : null);
  if (values) {
    const options = values.map((it) => element("option", {}, String(it)));
    return element("select", { id }, element("option", { value: "" }, "not sent"), ...options);
  }
  if (types.includes("array")) return element("textarea", { id, rows: 2, placeholder: "one value a line" });
  return element("input", { id, spellcheck: "false", autocapitalize: "none", autocomplete: "off" });
}

function text(example) {
  if (example === undefined || example === null) return "";
  return Array.isArray(example) ? example.join("\n") : String(example);
}

function freshKey() {
  return session.random().slice(0, 22);
}
