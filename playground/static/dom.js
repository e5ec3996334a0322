/** Elements, built from plain values: whatever a person wrote becomes a text node, never markup. */

const SVG = "http://www.w3.org/2000/svg";

/** h("button", {class: "quiet", onclick: f, "aria-label": "Close"}, "text", node, null) */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) set(element, name, value);
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

function set(element, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else if (name === "style") for (const [key, each] of Object.entries(value)) element.style.setProperty(key, each);
  else if (name === "value" || name === "muted" || name === "checked" || name === "selected") element[name] = value;
  else element.setAttribute(name, value === true ? "" : value);
}

/** The drawn icons of the page, each a path in a box of 24. */
const ICONS = {
  attach: "M12 5v14M5 12h14",
  send: "M5 12h13M12 5l7 7-7 7",
  smile: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM8.5 14.2c1.8 2.4 5.2 2.4 7 0M9 9.6v.1M15 9.6v.1",
  more: "M6 12v.1M12 12v.1M18 12v.1",
  close: "M6 6l12 12M18 6L6 18",
  menu: "M4 7h16M4 12h16M4 17h16",
  hash: "M9.5 4L7.5 20M16.5 4l-2 16M4.5 9h16M3.5 15h16",
  letter: "M4 6h16v12H4zM4 7l8 6 8-6",
  thread: "M5 5h14v10H10l-5 4z",
  file: "M7 3h7l4 4v14H7zM14 3v4h4",
  down: "M12 5v14M6 13l6 6 6-6",
  reply: "M10 6L4 12l6 6M4 12h10c4 0 6 2 6 6",
  bin: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  out: "M9 5H5v14h14v-4M13 5h6v6M19 5l-8 8",
  picture: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9v.1",
  eye: "M3 12s3.5-6 9-6 9 6 9 6-3.5 6-9 6-9-6-9-6zM12 14.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z",
  gear: "M4 8h9M17 8h3M4 16h3M11 16h9M15 10.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM9 18.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z",
};

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** An avatar of initials whose colour follows from the name, so that nobody needs a picture. */
export function avatar(user, size = "") {
  const name = user?.global_name || user?.username || "?";
  let hue = 0;
  for (const letter of name) hue = (hue * 55 + letter.codePointAt(0) * 11) % 360;
  const initials = [...name].slice(0, 1).join("").toUpperCase();
  return h("span", { class: `avatar ${size} ${user?.bot ? "of-bot" : ""}`, style: { "--hue": String(hue) },
    "aria-hidden": "true" }, user?.bot ? drum() : initials);
}

function drum() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", "M4 8a8 3 0 0 0 16 0a8 3 0 0 0-16 0v7a8 3 0 0 0 16 0V8M8 12.5v3M12 13v3.4M16 12.5v3");
  svg.append(path);
  return svg;
}

/**
 * Makes `parent` show `items` in order with as little change as can be: what is the same stays where it is
 * (a video goes on playing), what changed is patched if `patch` can, and only the rest is made anew.
 */
export function keyed(parent, items, { key, make, patch = () => false }) {
  const spare = new Map();
  for (const child of [...parent.children]) spare.set(child.dataKey ?? Symbol("foreign"), child);
  const chosen = items.map((item) => {
    const name = key(item);
    const old = spare.get(name);
    if (old && (old.dataItem === item || sameJson(old.dataItem, item) || patch(old, item))) {
      spare.delete(name);
      old.dataItem = item;
      return old;
    }
    const element = make(item);
    element.dataKey = name;
    element.dataItem = item;
    return element;
  });
  for (const element of spare.values()) if (!chosen.includes(element)) element.remove();
  let cursor = parent.firstElementChild;
  for (const element of chosen) {
    if (element === cursor) cursor = cursor.nextElementSibling;
    else parent.insertBefore(element, cursor);
  }
}

/** Equal but for the signatures of addresses, which change each time a message is told again. */
function sameJson(one, other) {
  return stable(one) === stable(other);
}

export function stable(value) {
  return JSON.stringify(value, (name, each) =>
    (name === "url" || name === "proxy_url") && typeof each === "string" && !each.startsWith("attachment:")
      ? each.split("?")[0] : each);
}

export function sizeOf(bytes) {
  if (bytes < 1024) return `${bytes} bytes`;
  if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(0)} KiB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
