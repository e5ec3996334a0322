/** The page: state from the socket, drawn into the sidebar, the list and the composer. */

import { h, icon } from "./dom.js";
import { Composer } from "./composer.js";
import { pickEmoji } from "./emojis.js";
import { listen } from "./gestures.js";
import { openMenu } from "./menu.js";
import { Messages } from "./messages.js";
import { openModal } from "./modal.js";
import { entries, available } from "./commands.js";
import { Sidebar } from "./sidebar.js";
import { Refused, Socket, act } from "./socket.js";
import { tick } from "./times.js";
import { SAMPLES, drawWelcome } from "./welcome.js";
import { World } from "./world.js";

const $ = (selector) => document.querySelector(selector);
const SEND = 11n, THINK_LONG = 15000;

class Page {
  constructor() {
    this.world = new World();
    this.channel = null;
    this.unread = new Set();
    this.typing = new Map();
    this.ends = new Map();
    this.outcomes = new Map();
    this.failures = new Map();
    this.sidebar = new Sidebar($("#side"), this.world, {
      open: (id) => this.open(id), become: (id) => this.become(id),
      direct: () => this.direct(), speak: (locale) => this.speak(locale),
    });
    this.messages = new Messages({ box: $(".scroll"), list: $(".messages"), later: $(".later"), welcome: $(".welcome"),
      earlier: $(".earlier") },
      this.world, this.deeds());
    this.composer = new Composer($("#composer"), this.world, SAMPLES, this.words());
    listen(this);
    const wanted = new URLSearchParams(location.hash.slice(1));
    this.wantedChannel = wanted.get("channel");
    this.connect(wanted.get("person") ?? sessionStorage.getItem("person") ?? "");
    setInterval(() => this.second(), 1000);
  }

  side(open) {
    document.body.classList.toggle("side-open", open);
    $(".open-side").setAttribute("aria-expanded", String(open));
  }

  // The line

  connect(person) {
    this.socket?.close();
    this.socket = new Socket(person);
    this.socket.addEventListener("told", ({ detail }) => this.told(detail.t, detail.d));
    this.socket.addEventListener("lost", () => {
      document.body.dataset.state = "lost";
      this.lost ??= this.notice("The playground is not reachable. Trying again…", 0);
    });
  }

  told(event, data) {
    this.world.take(event, data);
    if (event === "SNAPSHOT") this.arrived();
    else if (event === "MESSAGE_CREATE") this.came(data);
    else if (event === "TYPING_START") this.types(data);
    else if (event === "CHANNEL_CREATE" && data.id === this.wantedChannel) this.open(data.id);
    else if (event === "INTERACTION_SUCCESS") this.ended(data.id, null);
    else if (event === "INTERACTION_FAILURE") this.ended(data.id, data.text);
    else if (event === "INTERACTION_MODAL_CREATE") this.modal(data);
    this.draw();
  }

  arrived() {
    document.body.dataset.state = "ready";
    document.documentElement.dataset.locale = this.world.locale;
    this.lost?.remove();
    this.lost = null;
    this.failures = new Map();
    sessionStorage.setItem("person", this.world.person.id);
    const kept = [this.channel, this.wantedChannel, this.world.places()[0]?.channels[0]?.id];
    this.open(kept.find((id) => id && this.world.channels.has(id)) ?? null);
  }

  came(message) {
    this.typing.delete(message.author.id);
    if (message.channel_id !== this.channel) this.unread.add(message.channel_id);
  }

  types({ channel_id: channel, user_id: user }) {
    if (user === this.world.person.id || channel !== this.channel) return;
    this.typing.set(user, Date.now() + 9000);
  }

  /** An interaction ended: whoever waits for it hears why it failed, or null. */
  ended(id, failure) {
    const pending = this.world.pending.get(id);
    if (failure && pending?.type !== 2) {
      if (pending?.message_id) this.failures.set(pending.message_id, failure);
      this.world.pending.delete(id);
    }
    this.outcomes.set(id, failure);
    this.ends.get(id)?.(failure);
    this.ends.delete(id);
  }

  settled(id) {
    if (this.outcomes.has(id)) return Promise.resolve(this.outcomes.get(id));
    return new Promise((resolve) => {
      this.ends.set(id, resolve);
      setTimeout(() => resolve("The application did not respond"), THINK_LONG);
    });
  }

  modal(data) {
    openModal(data, this.world, async (values) => {
      const { id } = await this.act({ deed: "submit", modal: data, values });
      const failure = await this.settled(id);
      if (failure) throw new Refused(`${failure}. Please try again.`);
    });
  }

  // What a person does

  act(deed, files) {
    return act(this.world.person.id, { channel_id: this.channel, ...deed }, files);
  }

  async try(deed) {
    try {
      return await deed();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.notice(error.message);
      return null;
    }
  }

  deeds() {
    const at = (message) => ({ channel_id: message.channel_id, message_id: message.id });
    const tell = (deed) => this.try(() => this.act(deed));
    return {
      react: (message, emoji) => tell({ deed: "react", ...at(message), emoji }),
      unreact: (message, emoji) => tell({ deed: "unreact", ...at(message), emoji }),
      press: (message, data) => this.component(message, { deed: "press", ...at(message), custom_id: data.custom_id }),
      choose: (message, data, values) => this.component(message,
        { deed: "select", ...at(message), custom_id: data.custom_id, values }),
      pick: (message, anchor) => pickEmoji(anchor, (emoji) => tell({ deed: "react", ...at(message), emoji })),
      more: (message, rectangle, anchor) => openMenu(message, rectangle, anchor, this.world, this.menuDeeds()),
      dismiss: (message) => tell({ deed: "delete", ...at(message) }),
      forget: (item) => {
        this.world.pending.delete(item.id);
        this.draw();
      },
      jump: (id) => this.messages.jump(id),
      earlier: () => this.try(() => this.earlier()),
    };
  }

  menuDeeds() {
    const { pick, dismiss } = this.messages.deeds;
    return { pick, remove: dismiss, menu: (message, name) =>
      this.try(() => this.act({ deed: "menu", message_id: message.id, name })) };
  }

  async earlier() {
    const [channel, limit] = [this.channel, this.world.messagesOf(this.channel).length + 100];
    const { messages } = await this.act({ deed: "history", limit });
    this.world.take("HISTORY", { channel_id: channel, limit, messages });
    this.drawNow();
    return messages;
  }

  async component(message, deed) {
    this.failures.delete(message.id);
    const answer = await this.try(() => this.act(deed));
    if (answer) await this.settled(answer.id);
    this.draw();
  }

  words() {
    let typed = 0;
    return {
      say: (content, files) => this.act({ deed: "say", content }, files),
      slash: (name, options, files) => this.act({ deed: "slash", name, options }, files),
      complete: async (name, options, focused, text) =>
        (await this.act({ deed: "complete", name, options: { ...options, [focused]: text }, focused })).choices,
      typing: () => {
        if (Date.now() - typed < 8000) return;
        typed = Date.now();
        this.act({ deed: "type" }).catch(() => {});
      },
      warn: (words) => this.notice(words),
    };
  }

  // Where and who

  open(id) {
    this.channel = id;
    this.unread.delete(id);
    this.typing.clear();
    this.side(false);
    this.address();
    this.draw();
    if (matchMedia("(hover: hover)").matches) this.composer.text.focus({ preventScroll: true });
  }

  /** To a message, of whatever channel and however far back. */
  async go(channel, message) {
    if (!this.world.channels.has(channel)) return this.notice("This channel is not yours to see.");
    if (channel !== this.channel) this.open(channel);
    if (!message) return undefined;
    while (!this.world.messages.get(channel)?.has(message) && this.world.hasEarlier(channel)) {
      if (!await this.try(() => this.earlier())) return undefined;
    }
    this.drawNow();
    return this.messages.jump(message) || this.notice("The message is not there any more.");
  }

  become(person) {
    this.messages.channel = null;
    this.composer.leave();
    sessionStorage.setItem("person", person);
    this.connect(person);
  }

  async direct() {
    const answer = await this.try(() => this.act({ deed: "direct" }));
    if (!answer) return;
    this.wantedChannel = answer.id;
    if (this.world.channels.has(answer.id)) this.open(answer.id);
  }

  /** The bot hears the person's language with each interaction; the page's hints follow it. */
  async speak(locale) {
    if (await this.try(() => this.act({ deed: "speak", locale }))) this.connect(this.world.person.id);
  }

  address() {
    const hash = new URLSearchParams({ person: this.world.person.id, ...(this.channel ? { channel: this.channel } : {}) });
    history.replaceState(null, "", `#${hash}`);
  }

  // The picture

  /** Draws once a frame, however much was told. */
  draw() {
    this.drawing ??= requestAnimationFrame(() => {
      this.drawing = null;
      if (this.world.person) this.drawNow();
    });
  }

  drawNow() {
    const { world } = this;
    const channel = world.channels.get(this.channel);
    const names = entries(available(world.commands, channel), world.locale);
    this.sidebar.show(this.channel, this.unread);
    $(".place").textContent = world.title(channel);
    $(".topic").textContent = channel?.topic ?? "";
    document.title = `${this.unread.size ? "• " : ""}${world.title(channel)} · Local playground`;
    drawWelcome($(".welcome"), { place: world.title(channel), online: world.online, names: names.map((each) => each.name),
      open: (name, values) => this.composer.open(name, values), slash: () => this.slash() });
    this.messages.show(channel, this.waiting(), this.failures);
    this.composer.turn(channel, Boolean(channel) && world.may(channel, SEND));
    this.drawTyping();
  }

  slash() {
    this.composer.text.value = "/";
    this.composer.text.focus();
    this.composer.typed();
  }

  /** Commands of this channel that were sent and have no answer, or failed to get one. */
  waiting() {
    return [...this.world.pending.values()].filter((each) => each.type === 2 && each.channel_id === this.channel)
      .map((each) => ({ ...each, person: this.world.person, bot: this.world.bot,
        written: each.message_id ? each.name : `/${each.name}` }));
  }

  drawTyping() {
    const now = Date.now();
    for (const [id, until] of this.typing) if (until < now) this.typing.delete(id);
    const names = [...this.typing.keys()].map((id) => this.world.names.user(id));
    const words = names.length ? `${names.join(", ")} ${names.length > 1 ? "are" : "is"} typing…` : "";
    if ($(".typing").textContent !== words) $(".typing").textContent = words;
  }

  second() {
    tick();
    this.drawTyping();
  }

  notice(words, lasts = 6000) {
    const close = h("button", { type: "button", class: "quiet", "aria-label": "Close", onclick: () => notice.remove() }, icon("close"));
    const notice = h("div", { class: "notice" }, h("span", {}, words), close);
    $(".notices").replaceChildren(notice);
    if (lasts) setTimeout(() => notice.remove(), lasts);
    return notice;
  }
}

new Page();
