/** The list of messages: days, heads and who wrote next to whom; it follows the end only for who reads there. */

import { h, keyed } from "./dom.js";
import { EPHEMERAL, makeMessage, makePending, patchMessage, patchPending } from "./message.js";
import { day, sameDay } from "./times.js";
import { later } from "./world.js";

const TOGETHER = 7 * 60 * 1000;

export class Messages {
  /** `box` scrolls, `list` inside it holds the messages; `later` leads to the end, `earlier` asks for more. */
  constructor({ box, list, later, welcome, earlier }, world, deeds) {
    Object.assign(this, { box, list, later, welcome, earlier, world, deeds });
    this.atEnd = true;
    this.top = 0;
    this.channel = null;
    this.seen = new Set();
    box.addEventListener("scroll", () => this.scrolled(), { passive: true });
    later.addEventListener("click", () => this.toEnd("smooth"));
    earlier.addEventListener("click", () => this.back());
    list.addEventListener("keydown", (event) => this.walk(event));
    const watch = new ResizeObserver(() => this.atEnd && this.welcome.hidden && this.toEnd());
    watch.observe(list);
    watch.observe(box);
  }

  /** Shows a channel as the state has it now. `pending` are commands without an answer yet. */
  show(channel, pending, failures) {
    const turned = channel?.id !== this.channel;
    this.channel = channel?.id;
    if (turned) this.atEnd = true;
    const messages = this.world.messagesOf(channel?.id);
    const items = arrange(messages, this.seen, turned);
    for (const item of items) if (item.message) item.failure = failures.get(item.message.id) ?? null;
    for (const each of pending) insert(items, { kind: "pending", key: `pending-${each.id}`, pending: each });
    keyed(this.list, items, {
      key: (item) => item.key, make: (item) => this.make(item), patch: (old, item) => this.patch(old, item),
    });
    this.rove();
    this.welcome.hidden = messages.length > 0 || pending.length > 0 || !channel;
    if (this.atEnd && this.welcome.hidden) this.toEnd();
    this.later.hidden = this.atEnd;
    this.earlier.hidden = !this.world.hasEarlier(channel?.id);
  }

  /** Earlier messages come above; what was read stays where it is. */
  async back() {
    const fromEnd = this.box.scrollHeight - this.box.scrollTop;
    await this.deeds.earlier();
    this.box.scrollTop = this.box.scrollHeight - fromEnd;
  }

  make(item) {
    if (item.kind === "day") return h("li", { class: "day", role: "separator" }, h("span", {}, item.label));
    if (item.kind === "pending") return makePending(item.pending, this.deeds);
    const element = makeMessage(item, this.world, this.deeds);
    if (item.arrives) element.classList.add("arrives");
    return element;
  }

  patch(old, item) {
    if (item.kind === "message") patchMessage(old, item, this.world, this.deeds);
    else if (item.kind === "pending") patchPending(old, item.pending, this.deeds);
    else return false;
    return true;
  }

  /** Only who scrolls up leaves the end; a list that grew under the reader does not take them away. */
  scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.box;
    const up = scrollTop < this.top;
    this.top = scrollTop;
    this.atEnd = scrollHeight - scrollTop - clientHeight < 48 || (this.atEnd && !up);
    this.later.hidden = this.atEnd;
  }

  toEnd(behavior = "instant") {
    this.box.scrollTo({ top: this.box.scrollHeight, behavior });
  }

  /** False when the message is not in the list. */
  jump(id) {
    const element = this.list.querySelector(`[data-message-id="${CSS.escape(id)}"]`);
    if (!element) return false;
    this.atEnd = false;
    element.scrollIntoView({ block: "center", behavior: "instant" });
    element.classList.remove("pointed");
    requestAnimationFrame(() => element.classList.add("pointed"));
    return true;
  }

  /** One message is a stop of the Tab key: the last one, until the arrows walk from there. */
  rove() {
    const all = [...this.list.querySelectorAll(".message")];
    const stop = all.find((each) => each.contains(document.activeElement)) ?? all.at(-1);
    for (const each of all) each.tabIndex = each === stop ? 0 : -1;
  }

  walk(event) {
    if (!event.target.classList.contains("message")) return;
    const step = { ArrowUp: "previousElementSibling", ArrowDown: "nextElementSibling" }[event.key];
    if (step) {
      let next = event.target[step];
      while (next && !next.classList.contains("message")) next = next[step];
      if (!next) return;
      event.target.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
      event.preventDefault();
    } else if (event.key === "ContextMenu" || (event.shiftKey && event.key === "F10")) {
      event.preventDefault();
      event.target.querySelector(".toolbar .more")?.click();
    }
  }
}

/** A command stands where it was sent, whatever came after it. */
function insert(items, pending) {
  const at = items.findIndex((each) => each.message && later(each.message.id, pending.pending.id) > 0);
  items.splice(at < 0 ? items.length : at, 0, pending);
}

/** Messages in order become days, heads and bodies; what comes while the channel is in view is live. */
function arrange(messages, seen, turned) {
  const items = [];
  let before = null;
  for (const message of messages) {
    const when = new Date(message.timestamp);
    const newDay = !before || !sameDay(new Date(before.timestamp), when);
    if (newDay) items.push({ kind: "day", key: `day-${when.toDateString()}`, label: day(when) });
    const follows = !newDay && before.author.id === message.author.id && when - new Date(before.timestamp) < TOGETHER
      && !message.message_reference && !message.interaction_metadata && !message.interaction
      && !(((message.flags ?? 0) ^ (before.flags ?? 0)) & EPHEMERAL);
    const arrives = !turned && !seen.has(message.id);
    items.push({ kind: "message", key: message.id, message, first: !follows, live: !turned, arrives });
    before = message;
  }
  for (const message of messages) seen.add(message.id);
  return items;
}
