/** The menu of a message: reactions, the bot's own entries under Apps, and delete. */

import { h, icon } from "./dom.js";
import { available, told } from "./commands.js";
import { arrows, place } from "./emojis.js";
import { EPHEMERAL } from "./message.js";

/** Opens at `rectangle`; the focus goes back to `anchor`. `deeds`: {menu(message, name), remove, pick, copy}. */
export function openMenu(message, rectangle, anchor, world, deeds) {
  document.querySelector(".menu")?.remove();
  const close = () => {
    box.remove();
    document.removeEventListener("pointerdown", outside, true);
    anchor?.focus?.({ preventScroll: true });
  };
  const outside = (event) => box.contains(event.target) || close();
  const item = (label, deed, attributes = {}, picture = null) => h("button", { type: "button", role: "menuitem",
    ...attributes, onclick: () => {
      close();
      deed();
    } }, h("span", {}, label), picture && icon(picture));
  const box = h("div", { class: "popover menu", role: "menu", "aria-label": "Message" }, rows(message, world, deeds, item, anchor));
  box.addEventListener("keydown", (event) => arrows(event, box, close));
  document.body.append(box);
  place(box, rectangle);
  document.addEventListener("pointerdown", outside, true);
  box.querySelector("button")?.focus();
}

function rows(message, world, deeds, item, anchor) {
  const hidden = ((message.flags ?? 0) & EPHEMERAL) !== 0;
  const channel = world.channels.get(message.channel_id);
  const apps = hidden ? [] : available(world.commands, channel).filter((each) => each.type === 3);
  const mine = message.author.id === world.person.id || world.may(channel, 13n);
  return [
    hidden ? null : item("Add reaction", () => deeds.pick(message, anchor), {}, "smile"),
    message.content ? item("Copy text", () => navigator.clipboard?.writeText(message.content), {}, "file") : null,
    h("div", { class: "menu-title", id: "menu-apps" }, "Apps"),
    h("div", { role: "group", "aria-labelledby": "menu-apps" }, apps.length
      ? apps.map((each) => item(told(each, "name", world.locale), () => deeds.menu(message, each.name),
        { "data-menu-command": each.name }))
      : h("div", { class: "menu-none" }, hidden ? "None for a private answer" : "The bot offers none")),
    hidden ? item("Dismiss message", () => deeds.remove(message), {}, "close") : null,
    !hidden && mine ? item("Delete message", () => deeds.remove(message), { class: "danger" }, "bin") : null,
  ];
}
