/** Where a person writes: plain words, files, or a command with its options. */

import { h, icon, sizeOf } from "./dom.js";
import { available, entries, readLine, suggestions } from "./commands.js";
import { Hints } from "./hints.js";
import { grow } from "./options.js";
import { Strip } from "./strip.js";

export class Composer {
  /** `deeds`: {say(text, files), slash(name, values, files), complete(…), typing(), warn(words)} */
  constructor(form, world, samples, deeds) {
    Object.assign(this, { form, world, deeds, files: [], channel: null });
    this.text = form.querySelector("textarea");
    this.tray = form.querySelector(".tray");
    this.line = form.querySelector(".line");
    this.input = form.querySelector('input[type="file"]');
    this.strip = new Strip(form.querySelector(".strip"), { world, samples,
      complete: (entry, values, option, text) => deeds.complete(entry.name, values, option.name, text),
      submit: () => this.send(), leave: () => this.leave() });
    this.hints = new Hints({ label: "Commands", draw: drawCommand, take: (item) => this.begin(item.entry) });
    form.prepend(this.hints.box);
    this.listen();
  }

  listen() {
    this.text.addEventListener("input", () => this.typed());
    this.text.addEventListener("keydown", (event) => this.keyed(event));
    this.text.addEventListener("blur", () => this.hints.hide());
    this.text.addEventListener("focus", () => this.text.value.startsWith("/") && this.typed());
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    this.form.addEventListener("paste", (event) => {
      const files = [...event.clipboardData.files];
      if (!files.length) return;
      event.preventDefault();
      this.takeFiles(files);
    });
    this.form.querySelector(".pick").addEventListener("click", () => this.input.click());
    this.input.addEventListener("change", () => {
      this.takeFiles([...this.input.files]);
      this.input.value = "";
    });
    this.form.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.strip.open && !event.defaultPrevented) this.leave();
    });
  }

  /** The channel changed, or what can be called in it did. */
  turn(channel, may) {
    if (this.channel !== channel?.id) this.leave();
    this.channel = channel?.id;
    this.entries = entries(available(this.world.commands, channel), this.world.locale);
    this.text.placeholder = may ? `Message ${this.world.title(channel)}, or / for commands` : "You cannot write in this channel.";
    this.text.setAttribute("aria-label", `Message ${this.world.title(channel)}`);
    this.text.disabled = !may;
    this.form.classList.toggle("closed", !may);
    if (this.hints.open) this.typed();
  }

  typed() {
    grow(this.text);
    const line = this.text.value;
    if (!line.startsWith("/")) {
      this.hints.hide();
      if (line) this.deeds.typing();
      return;
    }
    const read = /^\/\S.*\s/s.test(line) ? readLine(line, this.entries) : null;
    const deeper = read && this.entries.some((each) => each.name.startsWith(`${line.slice(1).trim()} `));
    if (read && !deeper) return this.begin(read.entry, read.values, read.rest);
    const fit = suggestions(this.entries, line.slice(1));
    const note = this.entries.length === 0 ? "The bot has no commands here yet. Is it running?"
      : fit.length === 0 && !line.includes("\n") ? "No command fits." : null;
    this.hints.show(fit.map((entry) => ({ key: entry.name, entry })), this.text, note);
    return undefined;
  }

  keyed(event) {
    if (this.hints.key(event) || event.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.send();
    }
  }

  /** Opens a command; words without a name go to its first option of text. */
  begin(entry, values = {}, rest = "") {
    const first = entry.options.find((each) => each.type === 3 && !(each.name in values));
    this.hints.hide();
    this.text.value = "";
    this.line.hidden = true;
    this.form.classList.add("commanding");
    const waiting = this.files.splice(0);
    this.drawTray();
    this.strip.start(entry, rest && first ? { ...values, [first.name]: rest } : values);
    if (waiting.length) this.takeFiles(waiting);
  }

  /** By name, as an example or a mention of a command does; false when the bot has no such command. */
  open(name, values = {}) {
    const entry = this.entries.find((each) => each.name === name);
    if (entry) this.begin(entry, values);
    return Boolean(entry);
  }

  leave() {
    this.strip.stop();
    this.line.hidden = false;
    this.form.classList.remove("commanding");
    this.text.value = "";
    grow(this.text);
    if (this.form.contains(document.activeElement) || document.activeElement === document.body) this.text.focus();
  }

  /** `option` is the one that they were dropped on, if any. */
  takeFiles(files, option) {
    const rest = this.strip.open ? this.strip.takeFiles(files, option) : files;
    if (this.strip.open && rest.length) this.deeds.warn("This command takes no more files.");
    if (this.strip.open) return;
    this.files.push(...rest);
    this.drawTray();
    this.text.focus();
  }

  drawTray() {
    for (const image of this.tray.querySelectorAll("img")) URL.revokeObjectURL(image.src);
    this.tray.hidden = this.files.length === 0;
    this.tray.replaceChildren(...this.files.map((file) => h("div", { class: "waiting" },
      file.type.startsWith("image/") ? h("img", { src: URL.createObjectURL(file), alt: "" }) : icon("file"),
      h("span", {}, h("b", {}, file.name), h("small", {}, sizeOf(file.size))),
      h("button", { type: "button", class: "quiet", "aria-label": `Remove ${file.name}`, onclick: () => {
        this.files.splice(this.files.indexOf(file), 1);
        this.drawTray();
        this.text.focus();
      } }, icon("close")))));
  }

  /** What is sent leaves the composer at once; what was refused comes back, with the reason. */
  async send() {
    try {
      await (this.strip.open ? this.sendCommand() : this.sendWords());
    } catch (error) {
      this.deeds.warn(error.message);
    }
  }

  async sendCommand() {
    if (!this.strip.check()) return;
    const [entry, values, files] = [this.strip.entry, this.strip.values(), this.strip.files()];
    const written = this.strip.written();
    this.leave();
    this.text.focus();
    try {
      await this.deeds.slash(entry.name, values, files);
    } catch (error) {
      if (this.empty()) this.begin(entry, written);
      throw error;
    }
  }

  async sendWords() {
    const text = this.text.value.trim();
    if (!text && !this.files.length) return;
    const read = readLine(text, this.entries);
    if (read) {
      this.begin(read.entry, read.values, read.rest);
      await this.sendCommand();
      return;
    }
    if ([...text].length > 2000) throw new Error(`A message has at most 2,000 characters; this has ${[...text].length}.`);
    const files = this.files.splice(0);
    this.put("", []);
    try {
      await this.deeds.say(text, Object.fromEntries(files.map((file, at) => [`file-${at}`, file])));
    } catch (error) {
      if (this.empty()) this.put(text, files);
      throw error;
    }
  }

  empty() {
    return !this.strip.open && !this.text.value && !this.files.length;
  }

  put(text, files) {
    this.text.value = text;
    this.files = files;
    this.drawTray();
    grow(this.text);
  }
}

function drawCommand({ entry }) {
  const first = [...entry.options].sort((one, other) => Boolean(other.required) - Boolean(one.required)).slice(0, 5);
  const rest = entry.options.length - first.length;
  return [h("span", { class: "hint-name" }, `/${entry.shown}`, first.map((each) =>
    h("span", { class: `hint-option ${each.required ? "required" : ""}` }, each.name)),
  rest > 0 && h("span", { class: "hint-rest" }, `${rest} more`)),
  h("span", { class: "hint-what" }, entry.description)];
}
