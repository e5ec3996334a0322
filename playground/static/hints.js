/** A list of hints above an input: arrows choose, Tab or Enter takes, Escape closes. */

import { h } from "./dom.js";

let count = 0;

export class Hints {
  /** `take(item)` is called with the chosen one; `draw(item)` gives the children of its row. */
  constructor({ label, draw, take }) {
    this.box = h("div", { class: "hints", role: "listbox", id: `hints-${count += 1}`, "aria-label": label, hidden: true });
    Object.assign(this, { draw, take, items: [], at: 0, input: null });
  }

  get open() {
    return !this.box.hidden;
  }

  show(items, input, note = null) {
    const held = this.open && this.asked === input.value ? this.items[this.at]?.key : null;
    this.asked = input.value;
    this.items = items;
    this.input = input;
    this.at = Math.max(0, items.findIndex((each) => each.key === held));
    this.rows = items.map((item, at) => h("div", { class: "hint", role: "option", id: `${this.box.id}-${at}`,
      "data-key": item.key, onpointerdown: (event) => event.preventDefault(),
      onpointermove: () => this.mark(at), onclick: () => this.choose(at) }, this.draw(item)));
    this.box.replaceChildren(...(note ? [h("div", { class: "hint-note" }, note)] : []), ...this.rows);
    this.box.hidden = items.length === 0 && !note;
    input.setAttribute("aria-controls", this.box.id);
    input.setAttribute("aria-expanded", String(this.open));
    this.mark(this.at);
  }

  hide() {
    this.box.hidden = true;
    this.items = [];
    this.input?.setAttribute("aria-expanded", "false");
    this.input?.removeAttribute("aria-activedescendant");
  }

  mark(at) {
    this.at = at;
    this.rows.forEach((row, each) => row.setAttribute("aria-selected", String(each === at)));
    if (!this.rows[at]) return;
    this.rows[at].scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", this.rows[at].id);
  }

  choose(at = this.at) {
    const item = this.items[at];
    this.hide();
    if (item) this.take(item);
  }

  /** True when the key was for the list. */
  key(event) {
    if (!this.open || event.isComposing) return false;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && this.items.length) this.mark((this.at + step + this.items.length) % this.items.length);
    else if (event.key === "Escape") this.hide();
    else if ((event.key === "Enter" || event.key === "Tab") && !event.shiftKey && this.items.length) this.choose();
    else return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  }
}
