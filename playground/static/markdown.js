/** The markdown of chat, read into elements: text goes in as text nodes only. */

import { h } from "./dom.js";
import { stamp } from "./times.js";

/** `names` tells how to call ids: {user(id), channel(id), role(id)}, each a string. */
export function markdown(text, names) {
  const out = [];
  for (const piece of text.split(/(```[\s\S]*?```)/)) {
    if (piece.startsWith("```") && piece.endsWith("```") && piece.length > 6) out.push(block(piece.slice(3, -3)));
    else if (piece) out.push(...lines(piece, names));
  }
  return out;
}

function block(body) {
  const [, language, code] = /^(?:([\w+-]+)\n)?([\s\S]*)$/.exec(body);
  return h("pre", { "data-language": language ?? null }, h("code", {}, code.replace(/^\n|\n$/g, "")));
}

const STARTS = [
  [/^(#{1,3}) +(.+)/, (m, names) => h(`h${m[1].length + 2}`, { class: `h${m[1].length}` }, inline(m[2], names))],
  [/^-# +(.+)/, (m, names) => h("small", { class: "subtext" }, inline(m[1], names))],
];

function lines(text, names) {
  const out = [];
  const rows = text.replace(/^\n|\n$/g, "").split("\n");
  let plain = [];
  const flush = () => {
    if (plain.length) out.push(h("p", {}, inline(plain.join("\n"), names)));
    plain = [];
  };
  for (let at = 0; at < rows.length; at += 1) {
    const made = special(rows, at, names);
    if (made) {
      flush();
      out.push(made.element);
      at = made.last;
    } else plain.push(rows[at]);
  }
  flush();
  return out;
}

function special(rows, at, names) {
  for (const [shape, make] of STARTS) {
    const found = shape.exec(rows[at]);
    if (found) return { element: make(found, names), last: at };
  }
  if (rows[at].startsWith(">>> ")) {
    const rest = [rows[at].slice(4), ...rows.slice(at + 1)].join("\n");
    return { element: h("blockquote", {}, lines(rest, names)), last: rows.length - 1 };
  }
  return run(rows, at, /^> (.*)/, (all) => h("blockquote", {}, lines(all.join("\n"), names)))
    ?? run(rows, at, /^ {0,4}[-*] +(.+)/, (all) => h("ul", {}, all.map((each) => h("li", {}, inline(each, names)))))
    ?? run(rows, at, /^ {0,4}\d{1,9}\. +(.+)/, (all) => h("ol", {}, all.map((each) => h("li", {}, inline(each, names)))));
}

/** Neighbouring rows of one shape become one element. */
function run(rows, at, shape, make) {
  const all = [];
  let last = at;
  for (; last < rows.length && shape.test(rows[last]); last += 1) all.push(shape.exec(rows[last])[1]);
  return all.length ? { element: make(all), last: last - 1 } : null;
}

const INLINE = [
  [/^\\([^\w\s])/, (m) => m[1]],
  [/^(`+)([\s\S]*?[^`])\1(?!`)/, (m) => h("code", {}, m[2].trim() ? m[2].replace(/^ | $/g, "") : m[2])],
  [/^\[((?:[^[\]\\]|\\.)+)\]\(<?(https?:\/\/[^\s)>]+)>?(?: +"[^"]*")?\)/, (m, names) => link(m[2], inline(m[1], names))],
  [/^<(https?:\/\/[^\s>]+)>/, (m) => link(m[1], [m[1]])],
  [/^https?:\/\/[^\s<>]*[^\s<>.,:;"')\]]/, (m) => link(m[0], [m[0]])],
  [/^<@!?(\d+)>/, (m, names) => h("span", { class: "mention", "data-user-id": m[1] }, `@${names.user(m[1])}`)],
  [/^<@&(\d+)>/, (m, names) => h("span", { class: "mention" }, `@${names.role(m[1])}`)],
  [/^<#(\d+)>/, (m, names) => h("span", { class: "mention" }, `#${names.channel(m[1])}`)],
  [/^<\/([^:>]+):(\d+)>/, (m) => h("button", { type: "button", class: "mention", "data-type-command": m[1] }, `/${m[1]}`)],
  [/^<a?:(\w+):\d+>/, (m) => `:${m[1]}:`],
  [/^<t:(-?\d{1,13})(?::([tTdDfFRsS]))?>/, (m) => h("span", { class: "moment" }, stamp(Number(m[1]), m[2] ?? "f"))],
  [/^\|\|([\s\S]+?)\|\|/, (m, names) => spoiler(inline(m[1], names))],
  [/^\*\*\*([\s\S]+?)\*\*\*(?!\*)/, (m, names) => h("strong", {}, h("em", {}, inline(m[1], names)))],
  [/^\*\*([\s\S]+?)\*\*(?!\*)/, (m, names) => h("strong", {}, inline(m[1], names))],
  [/^__([\s\S]+?)__(?!_)/, (m, names) => h("u", {}, inline(m[1], names))],
  [/^~~([\s\S]+?)~~/, (m, names) => h("s", {}, inline(m[1], names))],
  [/^\*(?!\s)((?:\*\*[\s\S]+?\*\*|[^*])+?)(?<!\s)\*(?!\*)/, (m, names) => h("em", {}, inline(m[1], names))],
  [/^_(?!\s)((?:__[\s\S]+?__|[^_])+?)_(?!\w)/, (m, names) => h("em", {}, inline(m[1], names)), /\w$/],
];

/** `[text, element, …]`: the first shape that fits at each place wins. */
export function inline(text, names) {
  const out = [];
  let plain = "";
  for (let at = 0; at < text.length;) {
    const found = first(text, at, plain);
    if (found) {
      if (plain) out.push(plain);
      plain = "";
      out.push(found.make(found.match, names));
      at += found.match[0].length;
    } else {
      const stretch = /^[^\\`[<h|*_~]+|^[\s\S]/.exec(text.slice(at))[0];
      plain += stretch;
      at += stretch.length;
    }
  }
  if (plain) out.push(plain);
  return out;
}

function first(text, at, before) {
  if (!/[\\`[<h|*_~]/.test(text[at])) return null;
  const rest = text.slice(at);
  for (const [shape, make, notAfter] of INLINE) {
    if (notAfter?.test(before)) continue;
    const match = shape.exec(rest);
    if (match) return { match, make };
  }
  return null;
}

/** The address of a message or channel leads to it here, on this page; all others lead out. */
const MESSAGE = /^https:\/\/(?:\w+\.)?discord\.com\/channels\/(?:@me|\d+)\/(\d+)(?:\/(\d+))?$/;

function link(address, children) {
  const here = MESSAGE.exec(address);
  if (here) return h("a", { href: "#", "data-to-channel": here[1], "data-to-message": here[2] ?? null }, children);
  return h("a", { href: address, target: "_blank", rel: "noreferrer noopener" }, children);
}

function spoiler(children) {
  const element = h("span", { class: "spoiler", role: "button", tabindex: "0", "aria-label": "Spoiler",
    "aria-expanded": "false" }, h("span", {}, children));
  const open = () => {
    element.classList.add("open");
    element.setAttribute("aria-expanded", "true");
    element.removeAttribute("aria-label");
  };
  element.addEventListener("click", open);
  element.addEventListener("keydown", (event) => event.key === "Enter" && open());
  return element;
}
