// What the page opens with: what the API is, and everything that can be called.

import { element, method, prose, section } from "./element.js";
import { path } from "./operation.js";

export function overviewView(api) {
  const { title, version, description, license } = api.info;
  return element("article", { class: "overview" },
    element("header", {},
      element("h1", { tabindex: "-1" }, title ?? "API"),
      element("p", { class: "muted" }, [version && `Version ${version}`, license?.name, `OpenAPI ${api.document.openapi}`].filter(Boolean).join(" · ")),
      description && prose(description)),
    ...api.groups.map(group));
}

function group({ name, description, operations }) {
  const rows = operations.map((it) => element("li", {},
    element("a", { href: `#${encodeURIComponent(it.id)}` },
      element("span", { class: "summary" }, it.summary),
      element("span", { class: "route" }, method(it.method), " ", path(it.path)))));
  return section(name, 2, description && prose(description), element("ul", { class: "operations" }, ...rows));
}
