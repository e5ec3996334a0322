/** A small box of emojis to react with; the first are those that bots of clips listen to. */

import { h } from "./dom.js";

export const QUICK = ["🔁", "❌", "⭐"];
const ALL = [
  ["🔁", "again"], ["🔄", "anew"], ["❌", "cross"], ["✉️", "letter"], ["⭐", "star"], ["🔀", "mix"], ["ℹ️", "about"],
  ["👍", "thumbs up"], ["❤️", "heart"], ["😂", "laughing"], ["😮", "surprised"], ["🎉", "party"], ["👀", "eyes"],
  ["🔥", "fire"], ["🙏", "thanks"], ["👎", "thumbs down"],
];

export function nameOf(emoji) {
  return ALL.find(([each]) => bare(each) === bare(emoji))?.[1] ?? emoji;
}

/** The same emoji is written with and without the mark that asks for colour. */
export function bare(emoji) {
  return emoji.replaceAll("\uFE0F", "");
}

/** Opens at `anchor`; calls `pick(emoji)` at most once and gives the focus back. */
export function pickEmoji(anchor, pick) {
  const close = () => {
    box.remove();
    document.removeEventListener("pointerdown", outside, true);
    anchor.focus?.({ preventScroll: true });
  };
  const outside = (event) => box.contains(event.target) || close();
  const box = h("div", { class: "popover emojis", role: "dialog", "aria-label": "React" },
    ALL.map(([emoji, name]) => h("button", { type: "button", "data-emoji": emoji, "aria-label": name, title: name,
      onclick: () => {
        close();
        pick(emoji);
      } }, emoji)));
  box.addEventListener("keydown", (event) => arrows(event, box, close));
  document.body.append(box);
  place(box, anchor.getBoundingClientRect());
  document.addEventListener("pointerdown", outside, true);
  box.firstElementChild.focus();
}

export function arrows(event, box, close) {
  const all = [...box.querySelectorAll("button:not([disabled])")];
  const at = all.indexOf(document.activeElement);
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (event.key === "Escape") close();
  else if (step) all[(at + step + all.length) % all.length]?.focus();
  else return;
  event.preventDefault();
  event.stopPropagation();
}

/** Puts a popover beside a rectangle, inside the window. */
export function place(box, { left, top, bottom, right }) {
  const { width, height } = box.getBoundingClientRect();
  const x = Math.min(Math.max(8, right - width), innerWidth - width - 8);
  const y = top - height - 6 > 8 ? top - height - 6 : Math.min(bottom + 6, innerHeight - height - 8);
  box.style.left = `${Math.max(8, left > right ? left : x)}px`;
  box.style.top = `${Math.max(8, y)}px`;
}
