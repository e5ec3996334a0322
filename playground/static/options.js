/** The inputs of a command's options, one kind each; all answer value(), complaint(), focus(), set(). */

import { h, icon, sizeOf } from "./dom.js";
import { ATTACHMENT, BOOLEAN, CHANNEL, INTEGER, MENTIONABLE, NUMBER, ROLE, USER, complaint, told, valueOf } from "./commands.js";
import { Hints } from "./hints.js";

/**
 * `context`: {world, samples, complete(option, text) gives choices, typed(field), letter(key), filled(field), back(field),
 * submit(), leave(field)}
 */
export function field(option, context) {
  if (option.type === ATTACHMENT) return new FileField(option, context);
  const list = listOf(option, context.world);
  return list ? new ListField(option, list, context) : new TextField(option, context);
}

function listOf(option, world) {
  const people = () => world.everyone().map((each) => ({ value: each.id, label: each.global_name || each.username }));
  const roles = () => world.roles().map((each) => ({ value: each.id, label: `@${each.name}` }));
  if (option.choices?.length) {
    return option.choices.map((each) => ({ value: String(each.value), label: told(each, "name", world.locale) }));
  }
  switch (option.type) {
    case BOOLEAN: return [{ value: "true", label: "True" }, { value: "false", label: "False" }];
    case USER: return people();
    case ROLE: return roles();
    case MENTIONABLE: return [...people(), ...roles()];
    case CHANNEL: return [...world.channels.values()].filter((each) => each.name).map((each) => ({ value: each.id, label: `#${each.name}` }));
    default: return null;
  }
}

/** What every kind shares: the pill, its name, the line for complaints. */
class Field {
  constructor(option, context) {
    Object.assign(this, { option, context });
    this.note = h("span", { class: "complaint", id: `note-${option.name}`, role: "alert" });
    this.element = h("div", { class: `option ${option.required ? "required" : ""}`, "data-option": option.name },
      h("label", { for: `option-${option.name}`, title: told(option, "description", context.world.locale) },
      told(option, "name", context.world.locale)));
  }

  finish(...parts) {
    if (!this.option.required) {
      parts.push(h("button", { type: "button", class: "drop", "aria-label": `Remove ${this.option.name}`,
        onclick: () => this.context.leave(this) }, icon("close")));
    }
    this.element.append(...parts, this.note);
    this.control.setAttribute("aria-describedby", this.note.id);
    this.control.addEventListener("keydown", (event) => this.keyed(event));
  }

  keyed(event) {
    if (event.isComposing || event.defaultPrevented) return;
    if (event.key === "Enter" && !event.shiftKey && event.target.tagName !== "BUTTON") {
      event.preventDefault();
      this.context.submit();
    } else if (event.key === "Backspace" && !this.text() && event.target.tagName !== "SELECT") {
      event.preventDefault();
      this.context.back(this);
    }
  }

  /** Shows the complaint, if any; true when the value will do. */
  check() {
    const words = this.complaint();
    this.note.textContent = words ?? "";
    this.element.classList.toggle("wrong", Boolean(words));
    this.control.setAttribute("aria-invalid", String(Boolean(words)));
    return !words;
  }

  relieve() {
    if (this.element.classList.contains("wrong")) this.check();
  }

  complaint() {
    return complaint(this.option, this.text());
  }

  focus() {
    this.control.focus();
  }
}

class TextField extends Field {
  constructor(option, context) {
    super(option, context);
    const number = option.type === INTEGER || option.type === NUMBER;
    this.control = h(number || option.autocomplete ? "input" : "textarea", { id: `option-${option.name}`, rows: "1",
      type: number || option.autocomplete ? "text" : null, inputmode: number ? (option.type === INTEGER ? "numeric" : "decimal") : null,
      placeholder: placeholder(option, context.world.locale), autocomplete: "off", spellcheck: number ? "false" : null, "aria-required": String(Boolean(option.required)) });
    this.control.classList.toggle("short", number);
    this.control.addEventListener("input", () => this.typed());
    if (option.autocomplete) this.ask();
    this.finish(this.control);
    if (this.hints) this.element.append(this.hints.box);
  }

  ask() {
    this.hints = new Hints({ label: `Suggestions for ${this.option.name}`, draw: (item) => [h("span", {}, item.label)],
      take: (item) => this.take(item) });
    this.control.setAttribute("role", "combobox");
    this.control.addEventListener("focus", () => this.wonder(0));
    this.control.addEventListener("blur", () => this.hints.hide());
  }

  keyed(event) {
    if (!this.hints?.key(event)) super.keyed(event);
  }

  take({ value, label }) {
    this.chosen = { value, label };
    this.control.value = label;
    this.relieve();
  }

  /** Asks the bot once the typing rests; an answer that a later question overtook is dropped. */
  wonder(delay) {
    clearTimeout(this.asking);
    const turn = this.turn = (this.turn ?? 0) + 1;
    this.asking = setTimeout(async () => {
      this.element.classList.add("asking");
      const answer = await this.context.complete(this.option, this.control.value).catch(() => null);
      if (turn !== this.turn) return;
      this.element.classList.remove("asking");
      if (document.activeElement !== this.control) return;
      if (answer === null) this.hints.show([], this.control, "Loading options failed");
      else if (!answer.length) this.hints.show([], this.control, "No options match your search");
      else this.hints.show(answer.map((each) => ({ key: String(each.value), value: each.value, label: told(each, "name", this.context.world.locale) })), this.control);
    }, delay);
  }

  typed() {
    this.chosen = null;
    grow(this.control);
    this.relieve();
    this.context.typed(this);
    if (this.hints) this.wonder(250);
  }

  text() {
    return this.control.value.trim();
  }

  value() {
    if (this.chosen && this.chosen.label === this.control.value) return this.chosen.value;
    return valueOf(this.option, this.text());
  }

  set(text) {
    this.control.value = text;
    requestAnimationFrame(() => grow(this.control));
  }
}

export function grow(area) {
  if (area.tagName !== "TEXTAREA") return;
  area.style.height = "auto";
  area.style.height = `${Math.min(area.scrollHeight, 180)}px`;
}

function placeholder(option, locale) {
  const { min_value: least, max_value: most } = option;
  if (least !== undefined && most !== undefined) return `${least} to ${most}`;
  return told(option, "description", locale);
}

class ListField extends Field {
  constructor(option, list, context) {
    super(option, context);
    this.control = h("select", { id: `option-${option.name}`, "aria-required": String(Boolean(option.required)) },
      h("option", { value: "" }, "Choose…"), list.map((each) => h("option", { value: each.value }, each.label)));
    this.list = list;
    this.control.addEventListener("change", () => this.relieve());
    this.finish(this.control);
  }

  text() {
    return this.control.value;
  }

  value() {
    const choice = this.option.choices?.find((each) => String(each.value) === this.text());
    return choice ? choice.value : valueOf(this.option, this.text());
  }

  set(text) {
    const wanted = text.toLowerCase();
    const found = this.list.find((each) => each.value.toLowerCase() === wanted || each.label.toLowerCase() === wanted)
      ?? this.list.find((each) => text.includes(each.value));
    if (found) this.control.value = found.value;
  }
}

class FileField extends Field {
  constructor(option, context) {
    super(option, context);
    this.file = null;
    this.input = h("input", { type: "file", id: `file-${option.name}`, class: "away", tabindex: "-1", "aria-hidden": "true" });
    this.input.addEventListener("change", () => this.input.files[0] && this.put(this.input.files[0]));
    this.control = h("button", { type: "button", id: `option-${option.name}`, class: "pickfile",
      onclick: () => this.input.click() });
    this.samples = h("div", { class: "samples", role: "group", "aria-label": "Sample pictures" }, h("span", {}, "or try"),
      context.samples.map((each) => h("button", { type: "button", "data-sample": each.name, "aria-label": `Use the sample ${each.label}`,
        title: each.label, onclick: async () => this.put(await each.file()) }, h("img", { src: each.src, alt: "" }))));
    this.finish(this.control, this.samples, this.input);
    this.draw();
  }

  put(file) {
    this.file = file;
    this.draw();
    this.relieve();
    this.context.filled(this);
  }

  draw() {
    if (this.address) URL.revokeObjectURL(this.address);
    this.address = null;
    this.element.classList.toggle("filled", Boolean(this.file));
    this.samples.hidden = Boolean(this.file);
    if (!this.file) {
      this.control.setAttribute("aria-label", `Choose a file for ${this.option.name}`);
      this.control.replaceChildren(icon("picture"), h("span", {}, "Choose, drop or paste a file"));
      return;
    }
    this.control.setAttribute("aria-label", `${this.option.name}: ${this.file.name}. Choose another`);
    if (this.file.type.startsWith("image/")) this.address = URL.createObjectURL(this.file);
    this.control.replaceChildren(this.address ? h("img", { src: this.address, alt: "" }) : icon("file"),
      h("span", {}, h("b", {}, this.file.name), h("small", {}, sizeOf(this.file.size))));
  }

  keyed(event) {
    if ((event.key === "Backspace" || event.key === "Delete") && this.file) {
      event.preventDefault();
      this.file = null;
      this.input.value = "";
      this.draw();
    } else if (event.key === "Enter" && this.file && !event.shiftKey) {
      event.preventDefault();
      this.context.submit();
    } else if (event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      this.context.letter(event.key);
    } else super.keyed(event);
  }

  text() {
    return this.file?.name ?? "";
  }

  value() {
    return this.file;
  }

  complaint() {
    return this.option.required && !this.file ? "This option is required. Attach a file." : null;
  }

  set() {}
}
