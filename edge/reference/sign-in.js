// Signing in: who the page speaks for, and the three ways to a token.

import { code, element, notice } from "./element.js";
import * as session from "./session.js";

let dialog;

// The button in the bar, which always says who one is.
export function signInBar(api) {
  const place = element("span", { class: "who" });
  const draw = () => place.replaceChildren(...who(api));
  session.onChange(draw);
  draw();
  return place;
}

// Opens the dialog; `problem` is told first, if there is one.
export function openSignIn(api, problem) {
  dialog?.remove();
  dialog = element("dialog", { class: "sign-in", "aria-labelledby": "sign-in-title" },
    element("h2", { id: "sign-in-title" }, "Sign in"),
    element("p", { class: "muted" }, "The token stays in this tab: closing the tab forgets it."),
    problem && notice("failure", problem),
    way("As a program", true, machineForm(api)),
    way("As a person", false, personForm(api)),
    way("With a token", false, tokenForm()),
    element("button", { type: "button", class: "quiet", onclick: () => dialog.close() }, "Close"));
  document.body.append(dialog);
  dialog.showModal();
}

function who(api) {
  const token = session.token();
  if (!token) {
    return [element("button", { type: "button", class: "primary", onclick: () => openSignIn(api) }, "Sign in")];
  }
  const until = token.until && `until ${new Date(token.until).toLocaleTimeString([], { timeStyle: "short" })}`;
  return [
    element("span", { class: "muted", title: token.scope }, [token.name ?? "Signed in", until].filter(Boolean).join(" · ")),
    element("button", { type: "button", class: "quiet", onclick: session.forget }, "Sign out"),
  ];
}

// One of the ways; opening it closes the others.
function way(title, isOpen, form) {
  return element("details", { name: "way", open: isOpen }, element("summary", {}, title), form);
}

function machineForm(api) {
  return form("Get a token", [
    field("clientId", "Client id", { required: true }),
    field("secret", "Client secret", { required: true, type: "password" }),
    field("brand", "Brand", {}, "Needed where the client may act in several."),
    field("scope", "Scopes", {}, "Space separated. Empty: all that the client may have."),
  ], (values) => session.asMachine(api.oauth("tokenUrl"), values));
}

function personForm(api) {
  if (!session.canSignInPeople()) {
    return notice("warning", "A browser signs people in over HTTPS or on this machine only.");
  }
  const asked = api.operations.filter((it) => it.callers.includes("user")).flatMap((it) => it.alternatives.flat());
  const scopes = [...new Set(asked.filter((it) => it.startsWith("read:")))];
  const body = form("Go to sign in", [
    field("clientId", "Client id", { required: true }, "An app that keeps no secret."),
    field("scope", "Scopes", { value: scopes.join(" ") }, "What the app asks for; the person decides."),
  ], (values) => session.asPerson(api.oauth("authorizationUrl"), values));
  body.append(element("p", { class: "muted" }, "The app must be registered with the redirect URI ",
    code(session.redirectUri()), "."));
  return body;
}

function tokenForm() {
  return form("Use this token", [
    field("token", "Access token", { required: true, type: "password" }),
  ], ({ token }) => session.keep(token.replace(/^Bearer\s+/i, "")));
}

function form(action, fields, act) {
  const problem = element("div", { role: "alert" });
  const button = element("button", { type: "submit", class: "primary" }, action);
  const made = element("form", { autocomplete: "off" }, ...fields, problem, button);
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    const values = Object.fromEntries([...new FormData(made)].map(([name, it]) => [name, it.trim()]));
    button.disabled = true;
    problem.replaceChildren();
    try {
      await act(values);
      made.reset();
      dialog.close();
    } catch (error) {
      problem.replaceChildren(notice("failure", error.message));
    } finally {
      button.disabled = false;
    }
  });
  return made;
}

function field(name, label, attributes, hint) {
  const id = `sign-in-${name}-${attributes.type ?? "text"}-${hint?.length ?? 0}`;
  return element("div", { class: "field" },
    element("label", { for: id }, label),
    element("input", { id, name, autocomplete: "off", spellcheck: "false", autocapitalize: "none", "aria-describedby": hint && `${id}-hint`, ...attributes }),
    hint && element("p", { class: "hint", id: `${id}-hint` }, hint));
}
