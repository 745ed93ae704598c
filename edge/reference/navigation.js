// The list of operations beside the page, and the search that narrows it.

import { element, method } from "./element.js";

export class Navigation {
  constructor(place, api) {
    this.search = element("input", { type: "search", id: "search", placeholder: "Search", "aria-label": "Search operations", spellcheck: "false", autocomplete: "off" });
    this.outcome = element("p", { class: "outcome muted", role: "status" });
    const isTwin = (it) => api.operations.some((one) => one !== it && one.summary === it.summary);
    this.entries = api.operations.map((it) => entry(it, isTwin(it)));
    this.groups = api.groups.map(({ name, operations }) => {
      const items = operations.map((it) => this.entries.find((one) => one.operation === it).item);
      return element("section", {}, element("h2", {}, name), element("ul", {}, ...items));
    });
    this.search.addEventListener("input", () => this.#filter());
    this.search.addEventListener("keydown", (event) => this.#key(event));
    document.addEventListener("keydown", (event) => this.#shortcut(event));
    place.replaceChildren(element("div", { class: "search" }, this.search, element("kbd", { "aria-hidden": "true" }, "/")), this.outcome, ...this.groups);
  }

  // Marks the operation that is shown, and brings its entry into view.
  show(operation) {
    for (const it of this.entries) {
      if (it.operation === operation) it.link.setAttribute("aria-current", "page");
      else it.link.removeAttribute("aria-current");
    }
    this.entries.find((it) => it.operation === operation)?.item.scrollIntoView({ block: "nearest" });
  }

  get #found() {
    return this.entries.filter((it) => !it.item.hidden);
  }

  #filter() {
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const it of this.entries) it.item.hidden = !words.every((word) => it.text.includes(word));
    for (const group of this.groups) group.hidden = !group.querySelector("li:not([hidden])");
    const count = this.#found.length;
    const all = `No operation has all of “${words.join(" ")}”.`;
    this.outcome.textContent = words.length === 0 ? "" : count === 0 ? all : `${count} of ${this.entries.length}`;
  }

  // Enter opens the first that is found, Escape shows all again.
  #key(event) {
    if (event.key === "Enter") this.#found[0]?.link.click();
    if (event.key === "Escape" && this.search.value) {
      this.search.value = "";
      this.#filter();
    }
  }

  #shortcut(event) {
    const isTyping = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
    if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    document.body.classList.add("menu");
    this.search.focus();
  }
}

// Operations with the same words are told apart by their paths.
function entry(operation, isTwin) {
  const link = element("a", { href: `#${encodeURIComponent(operation.id)}`, title: `${operation.method.toUpperCase()} ${operation.path}` },
    method(operation.method), element("span", {}, isTwin ? operation.path : operation.summary));
  const { id, path, summary, description, tag, grpc, reasons, emits, alternatives } = operation;
  const text = [id, operation.method, path, summary, description, tag, grpc, reasons, emits, alternatives].flat(2).join(" ").toLowerCase();
  return { operation, link, text, item: element("li", {}, link) };
}
