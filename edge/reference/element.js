// Makes elements. Text is always text: nothing on this page parses HTML, so nothing that an
// answer or the contract says can become markup.

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function") made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...present(children));
  return made;
}

export function code(text, className) {
  return element("code", { class: className }, text);
}

// A heading, and what follows it, as a region with its name.
export function section(title, level, ...children) {
  const heading = element(`h${level}`, {}, title);
  return element("section", {}, heading, ...children);
}

export function notice(kind, ...children) {
  return element("div", { class: `notice ${kind}` }, ...children);
}

export function badge(text, kind, title) {
  return element("span", { class: `badge ${kind}`, title }, text);
}

export function method(name) {
  return element("span", { class: `method ${name}` }, name.toUpperCase());
}

// A button that copies what a function gives at that moment, and says that it did.
export function copyButton(text, label = "Copy") {
  const button = element("button", { type: "button", class: "quiet small copy" }, label);
  button.addEventListener("click", async () => {
    // There is no clipboard outside a secure context.
    const copied = await navigator.clipboard?.writeText(text()).then(() => true, () => false);
    button.textContent = copied ? "Copied" : "Cannot copy";
    setTimeout(() => (button.textContent = label), 1500);
  });
  return button;
}

// Several views of one thing behind buttons, of which one is pressed. `views` maps a name to
// a function that makes the view when it is first wanted.
export function choice(label, views, chosen, onchosen = () => {}) {
  const place = element("div", {});
  const buttons = Object.keys(views).map((name) =>
    element("button", { type: "button", class: "tab", onclick: () => choose(name) }, name),
  );
  const choose = (name) => {
    for (const button of buttons) button.setAttribute("aria-pressed", button.textContent === name);
    place.replaceChildren(views[name]());
    onchosen(name);
  };
  choose(chosen in views ? chosen : Object.keys(views)[0]);
  return element("div", { class: "choice" },
    element("div", { class: "tabs", role: "group", "aria-label": label }, ...buttons), place);
}

// The Markdown that descriptions use: paragraphs, lists, `code` and links.
export function prose(text = "") {
  const blocks = text.trim().split(/\n\s*\n/).filter(Boolean);
  return element("div", { class: "prose" }, ...blocks.map(block));
}

function block(text) {
  const lines = text.split("\n");
  if (lines.every((it) => /^\s*[-*] /.test(it))) {
    const items = lines.map((it) => element("li", {}, ...inline(it.replace(/^\s*[-*] /, ""))));
    return element("ul", {}, ...items);
  }
  return element("p", {}, ...inline(lines.join(" ")));
}

export function inline(text) {
  const parts = text.split(/(`[^`]+`|\[[^\]]+\]\(https?:\/\/[^)\s]+\))/);
  return parts.filter(Boolean).map((part) => {
    if (/^`[^`]+`$/.test(part)) return code(part.slice(1, -1));
    const link = /^\[([^\]]+)\]\((https?:\/\/[^)\s]+)\)$/.exec(part);
    return link ? element("a", { href: link[2], rel: "noreferrer" }, link[1]) : part;
  });
}

function present(children) {
  return children.flat().filter((it) => it !== undefined && it !== null && it !== false && it !== "");
}
