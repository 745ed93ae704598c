// The page: reads the contract once, then shows what the address names.

import { load } from "./api.js";
import { element, notice } from "./element.js";
import { Navigation } from "./navigation.js";
import { operationView } from "./operation.js";
import { overviewView } from "./overview.js";
import { comeBack } from "./session.js";
import { openSignIn, signInBar } from "./sign-in.js";

const CONTRACT = new URL("../openapi.json", import.meta.url).pathname;
const THEME = "loop.reference.theme";
const THEMES = ["auto", "light", "dark"];

const main = document.getElementById("main");
const menu = document.getElementById("menu");

async function start() {
  let api;
  try {
    api = await load(CONTRACT);
  } catch (error) {
    main.replaceChildren(unread(error));
    return;
  }
  document.getElementById("who").replaceWith(signInBar(api));
  const navigation = new Navigation(document.getElementById("navigation"), api);
  await comeBack(api.oauth("tokenUrl")).catch((error) => openSignIn(api, error.message));
  // Views are kept, so that what was typed and answered is there when one comes back.
  const views = new Map();
  const show = (isFirst) => route(api, navigation, views, isFirst);
  addEventListener("hashchange", () => show(false));
  show(true);
}

function route(api, navigation, views, isFirst) {
  const id = hash();
  const operation = api.find(id);
  if (!views.has(id)) {
    views.set(id, id === "" ? overviewView(api) : operation ? operationView(api, operation) : unknown(id));
  }
  const view = views.get(id);
  main.replaceChildren(view);
  navigation.show(operation);
  openMenu(false);
  const title = api.info.title ?? "API";
  document.title = operation ? `${operation.summary} · ${title}` : `${title} reference`;
  if (isFirst) return;
  scrollTo(0, 0);
  view.querySelector("h1")?.focus({ preventScroll: true });
}

function hash() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return location.hash.slice(1);
  }
}

function unknown(id) {
  return element("article", {}, element("h1", { tabindex: "-1" }, "No such operation"),
    element("p", {}, `The contract has no operation named “${id}”. It may have been renamed. `,
      element("a", { href: "#" }, "See all operations")));
}

function unread(error) {
  return element("article", {}, element("h1", {}, "The contract cannot be read"),
    notice("failure", `Reading ${CONTRACT}: ${error.message}.`),
    element("button", { type: "button", class: "primary", onclick: () => location.reload() }, "Try again"));
}

function openMenu(isOpen) {
  document.body.classList.toggle("menu", isOpen);
  menu.setAttribute("aria-expanded", String(isOpen));
}

function chooseTheme(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  const button = document.getElementById("theme");
  button.querySelector(".words").textContent = `Theme: ${theme}`;
  button.setAttribute("aria-label", `Theme: ${theme}`);
  button.onclick = () => {
    const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    localStorage.setItem(THEME, next);
    chooseTheme(next);
  };
}

// The address names an operation, so the skip link must not change it.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
menu.addEventListener("click", () => openMenu(!document.body.classList.contains("menu")));
document.addEventListener("keydown", (event) => event.key === "Escape" && openMenu(false));
const stored = localStorage.getItem(THEME);
chooseTheme(THEMES.includes(stored) ? stored : "auto");
start();
