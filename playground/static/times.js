/** Moments in words of the reader's language, as in Discord; those written as `<t:…:R>` tick by themselves. */

import { h } from "./dom.js";

const STYLES = {
  t: { timeStyle: "short" },
  T: { timeStyle: "medium" },
  d: { dateStyle: "short" },
  D: { dateStyle: "long" },
  f: { dateStyle: "long", timeStyle: "short" },
  F: { dateStyle: "full", timeStyle: "short" },
  s: { dateStyle: "short", timeStyle: "short" },
  S: { dateStyle: "short", timeStyle: "medium" },
};
const UNITS = [["year", 31557600], ["month", 2629800], ["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
const formats = new Map();

/** `make(language)` once for each language; `kind` tells apart what is made. */
function spoken(kind, make) {
  const language = document.documentElement.dataset.locale || "en-US";
  const key = `${language} ${kind}`;
  if (!formats.has(key)) formats.set(key, make(language));
  return formats.get(key);
}

export function inWords(date, style, now = new Date()) {
  if (style === "R") return distance((date - now) / 1000);
  return spoken(style, (language) => new Intl.DateTimeFormat(language, STYLES[style] ?? STYLES.f)).format(date);
}

function distance(seconds) {
  const relative = spoken("R", (language) => new Intl.RelativeTimeFormat(language, { numeric: "auto" }));
  for (const [unit, length] of UNITS) {
    if (Math.abs(seconds) >= length || unit === "second") return relative.format(Math.trunc(seconds / length), unit);
  }
}

export function stamp(seconds, style = "f") {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return h("span", {}, "invalid date");
  return h("time", { datetime: date.toISOString(), "data-style": style, title: inWords(date, "F") },
    inWords(date, style));
}

/** Keeps every relative moment on the page true; one clock for all. */
export function tick() {
  const now = new Date();
  for (const element of document.querySelectorAll('time[data-style="R"]')) {
    const words = inWords(new Date(element.dateTime), "R", now);
    if (element.textContent !== words) element.textContent = words;
  }
}

export function day(date, now = new Date()) {
  const days = Math.round((midnight(now) - midnight(date)) / 86400000);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  return inWords(date, "D");
}

function midnight(date) {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate());
}

export function sameDay(one, other) {
  return midnight(one).getTime() === midnight(other).getTime();
}
