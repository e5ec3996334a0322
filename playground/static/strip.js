/** A chosen command in the composer: its name, its options as a strip of inputs, and those that can be added. */

import { h, icon } from "./dom.js";
import { ATTACHMENT, STRING, told } from "./commands.js";
import { field } from "./options.js";

export class Strip {
  /** `context`: {world, samples, complete(entry, values, option, text), submit(), leave(), say(words)} */
  constructor(element, context) {
    Object.assign(this, { element, context, entry: null, fields: [] });
  }

  get open() {
    return this.entry !== null;
  }

  /** Opens a command with values by option name; a File for an attachment. Focuses what is still wanted. */
  start(entry, values = {}) {
    this.entry = entry;
    this.fields = [];
    this.list = h("div", { class: "options" });
    this.more = h("div", { class: "optional", role: "group", "aria-label": "Optional" });
    this.element.replaceChildren(
      h("div", { class: "strip-head" }, h("span", { class: "slash", "data-command": entry.name, tabindex: "-1",
        onkeydown: (event) => this.headKey(event) }, `/${entry.shown}`),
        h("span", { class: "strip-what" }, entry.description),
        h("button", { type: "button", class: "quiet", "aria-label": "Leave this command", title: "Leave (Esc)",
          onclick: () => this.context.leave() }, icon("close"))),
      this.list, h("div", { class: "strip-foot" }, this.more,
        h("button", { type: "submit", class: "button primary", title: "Send (Enter)" }, "Send")));
    this.element.hidden = false;
    for (const option of entry.options) if (option.required || option.name in values) this.add(option);
    for (const [name, value] of Object.entries(values)) this.fill(name, value);
    this.offer();
    this.next();
  }

  stop() {
    this.entry = null;
    this.fields = [];
    this.element.hidden = true;
    this.element.replaceChildren();
  }

  add(option) {
    const made = field(option, {
      world: this.context.world, samples: this.context.samples,
      complete: async (each, text) => (this.open ? this.context.complete(this.entry, this.values(), each, text) : []),
      typed: (one) => this.jump(one), letter: (key) => this.letter(key), filled: () => this.next(), back: (one) => this.back(one),
      submit: () => this.context.submit(), leave: (one) => this.drop(one),
    });
    this.fields.push(made);
    this.list.append(made.element);
    return made;
  }

  fill(name, value) {
    const found = this.fields.find((each) => each.option.name === name);
    if (value instanceof File) found?.put(value);
    else found?.set(value);
  }

  /** The optional ones that are not shown yet, as buttons. */
  offer() {
    const shown = new Set(this.fields.map((each) => each.option.name));
    const rest = this.entry.options.filter((each) => !shown.has(each.name));
    this.more.replaceChildren(...rest.map((option) => h("button", { type: "button", "data-add-option": option.name,
      title: told(option, "description", this.context.world.locale), onclick: () => this.take(option) },
      icon("attach"), told(option, "name", this.context.world.locale))));
    this.more.hidden = rest.length === 0;
  }

  take(option) {
    const made = this.add(option);
    this.offer();
    made.focus();
    return made;
  }

  drop(one) {
    this.fields = this.fields.filter((each) => each !== one);
    one.element.remove();
    this.offer();
    this.next();
  }

  /** Backspace in an empty input: an optional one goes; from the first required one the command goes. */
  back(one) {
    if (!one.option.required) this.drop(one);
    else if (this.fields[0] === one) this.context.leave();
    else this.fields[this.fields.indexOf(one) - 1].focus();
  }

  /** To the first required option without a value, else the last one. */
  next() {
    const wanting = this.fields.find((each) => each.option.required && !each.text());
    const at = wanting ?? this.fields.at(-1);
    if (at) at.focus();
    else this.element.querySelector(".slash").focus();
  }

  headKey(event) {
    if (event.key === "Enter") this.context.submit();
    else if (event.key === "Backspace") this.context.leave();
    else return;
    event.preventDefault();
  }

  /** Letters typed where a file is wanted are words: they go to the first option of text. */
  letter(key) {
    const option = this.entry.options.find((each) => each.type === STRING && !each.choices);
    if (!option) return;
    const there = this.fields.find((each) => each.option === option) ?? this.take(option);
    there.focus();
    there.control.value += key;
    there.control.dispatchEvent(new Event("input"));
  }

  /** `prompt:` typed at the start of its own input says nothing new; `seed:` typed in another leads to seed. */
  jump(one) {
    const text = one.control.value;
    const found = /(?:^|\s)([^\s:]+):\s?$/u.exec(text);
    const named = (option) => found && [option.name, told(option, "name", this.context.world.locale)].includes(found[1]);
    const option = this.entry.options.find(named);
    if (!option || (option === one.option && found.index > 0)) return;
    one.set(text.slice(0, found.index));
    if (option === one.option) return;
    (this.fields.find((each) => each.option === option) ?? this.take(option)).focus();
  }

  /** Files that were dropped or pasted go to the attachments still empty, optional ones too; gives the rest. */
  takeFiles(files, onto) {
    const rest = [...files];
    const aimed = this.fields.find((each) => each.option.name === onto && each.option.type === ATTACHMENT);
    if (aimed && rest.length) aimed.put(rest.shift());
    const empty = () => this.fields.find((each) => each.option.type === ATTACHMENT && !each.file);
    const unused = () => this.entry.options.find((each) => each.type === ATTACHMENT
      && !this.fields.some((one) => one.option === each));
    while (rest.length) {
      const option = unused();
      const place = empty() ?? (option && this.take(option)) ?? this.lastFile(rest.length === files.length);
      if (!place) break;
      place.put(rest.shift());
    }
    return rest;
  }

  lastFile(first) {
    return first ? this.fields.findLast((each) => each.option.type === ATTACHMENT) : null;
  }

  check() {
    const wrong = this.fields.filter((each) => !each.check());
    wrong[0]?.focus();
    return wrong.length === 0;
  }

  /** {name: value} of what was filled in, without files. */
  values() {
    return Object.fromEntries(this.fields.filter((each) => each.text() && each.option.type !== ATTACHMENT)
      .map((each) => [each.option.name, each.value()]));
  }

  /** {name: text or File} of all that was filled in, to open the command with again. */
  written() {
    return Object.fromEntries(this.fields.filter((each) => each.text()).map((each) =>
      [each.option.name, each.file ?? (each.chosen ? String(each.chosen.value) : each.text())]));
  }

  files() {
    return Object.fromEntries(this.fields.filter((each) => each.option.type === ATTACHMENT && each.file)
      .map((each) => [each.option.name, each.file]));
  }
}
