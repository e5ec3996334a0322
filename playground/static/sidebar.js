/** The left side: where one can talk, who one is, and whether the bot is there. */

import { avatar, h, icon, keyed } from "./dom.js";

export class Sidebar {
  /** `deeds`: {open(channel id), direct(), become(person id), speak(locale)} */
  constructor(root, world, deeds) {
    Object.assign(this, { world, deeds });
    this.channels = root.querySelector(".channels");
    this.people = root.querySelector(".people");
    this.presence = document.querySelector(".presence");
    this.language = root.querySelector("#language");
    this.language.addEventListener("change", () => deeds.speak(this.language.value));
  }

  show(current, unread) {
    const groups = this.world.places().map((place) => ({ ...place, current, unread: [...unread] }));
    keyed(this.channels, groups, { key: (each) => each.id, make: (each) => this.group(each) });
    keyed(this.people, this.world.everyone().map((each) => ({ person: each, me: each.id === this.world.person?.id })), {
      key: (each) => each.person.id, make: (each) => this.person(each),
    });
    this.language.value = this.world.locale;
    const name = this.world.bot ? this.world.bot.global_name || this.world.bot.username : "The bot";
    this.presence.replaceChildren(h("span", { class: `light ${this.world.online ? "on" : "off"}` }),
      h("span", {}, h("b", {}, name), h("small", {}, this.world.online ? "online" : "offline")));
    this.presence.dataset.online = String(this.world.online);
  }

  group({ id, title, channels, current, unread }) {
    return h("section", {}, h("h2", {}, title), h("ul", {}, channels.map((each) => h("li", {},
      h("button", { type: "button", class: `channel ${unread.includes(each.id) ? "unread" : ""}`, "data-channel-id": each.id,
        "aria-current": each.id === current ? "page" : null, onclick: () => this.deeds.open(each.id) },
      icon({ 1: "letter", 11: "thread", 12: "thread" }[each.type] ?? "hash"), h("span", {}, this.world.title(each, "")),
      unread.includes(each.id) && h("span", { class: "dot" }, h("span", { class: "away" }, "unread"))))),
    id === "direct" && channels.length === 0 ? h("li", {}, h("button", { type: "button", class: "channel", "data-open-direct": true,
      onclick: () => this.deeds.direct() }, icon("letter"), h("span", {}, `Message ${this.world.names.user(this.world.bot.id)}`))) : null));
  }

  person({ person, me }) {
    const name = person.global_name || person.username;
    return h("button", { type: "button", class: "person", "data-person-id": person.id, "data-person": person.username,
      "aria-pressed": String(me), title: me ? `You are ${name}` : `Become ${name}`, onclick: () => me || this.deeds.become(person.id) },
    avatar(person), h("span", {}, name, person.note && h("small", {}, person.note)));
  }
}
