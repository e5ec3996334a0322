/** One message: made once, then patched part by part, so that nothing that stayed the same moves. */

import { avatar, h, icon, keyed, stable } from "./dom.js";
import { markdown } from "./markdown.js";
import { attachment, swapped } from "./media.js";
import { embed } from "./embeds.js";
import { components } from "./components.js";
import { QUICK, nameOf } from "./emojis.js";
import { inWords, stamp } from "./times.js";

export const EPHEMERAL = 64, LOADING = 128, V2 = 32768;

/**
 * `item` is {message, first, live}: first says that the author's head is shown. `deeds` is what a reader can do:
 * {react, unreact, press, choose, more, pick, dismiss, jump, typeCommand}; `world` the state, to call ids by name.
 */
export function makeMessage(item, world, deeds) {
  const { message } = item;
  const element = h("li", { class: "message", "data-message-id": message.id, tabindex: "-1", role: "article" },
    h("div", { class: "origin" }), h("div", { class: "margin" }), h("div", { class: "head" }),
    h("div", { class: "content prose" }), h("div", { class: "attachments" }), h("div", { class: "embeds" }),
    h("div", { class: "components" }), h("div", { class: "reactions", role: "group", "aria-label": "Reactions" }),
    h("div", { class: "failure", role: "status" }), h("div", { class: "private" }), toolbar(message, world, deeds));
  element.shown = {};
  patchMessage(element, item, world, deeds);
  return element;
}

export function patchMessage(element, item, world, deeds) {
  const { message, first } = item;
  const part = (name) => element.querySelector(`:scope > .${name}`);
  const fresh = (name, value, make) => {
    const told = stable(value ?? null);
    if (element.shown[name] === told) return;
    element.shown[name] = told;
    part(name).replaceChildren(...[make()].flat(2).filter(Boolean));
  };
  const flags = message.flags ?? 0;
  element.classList.toggle("first", first);
  element.classList.toggle("ephemeral", (flags & EPHEMERAL) !== 0);
  element.classList.toggle("thinking", (flags & LOADING) !== 0);
  element.classList.toggle("mine", message.author.id === world.person?.id);
  element.classList.toggle("to-me", (message.mentions ?? []).some((each) => each.id === world.person?.id));
  element.setAttribute("aria-label", `${nameOfUser(message.author)}, ${inWords(new Date(message.timestamp), "t")}`);
  fresh("origin", [message.interaction_metadata, message.interaction, message.message_reference,
    message.referenced_message?.content, first], () => origin(message, world, deeds));
  fresh("margin", [first, message.author, message.timestamp], () => first ? avatar(message.author)
    : h("time", { class: "when", datetime: message.timestamp }, inWords(new Date(message.timestamp), "t")));
  fresh("head", [first, message.author, message.timestamp], () => first ? head(message) : []);
  fresh("content", [message.content, flags & LOADING, message.edited_timestamp], () => content(message, world));
  pieces(part, item, world, deeds);
  fresh("private", flags & EPHEMERAL, () => (flags & EPHEMERAL ? privately(message, deeds) : []));
  fresh("failure", item.failure, () => item.failure ?? []);
}

/** What can hold a clip is patched, never made anew while it stays the same. */
function pieces(part, item, world, deeds) {
  const { message, live } = item;
  const attachments = message.attachments ?? [];
  const v2 = ((message.flags ?? 0) & V2) !== 0;
  const inside = v2 ? stable(message.components ?? []) : "";
  const shown = attachments.filter((each) => !v2 || !inside.includes(each.filename));
  keyed(part("attachments"), shown.map((each, at) => ({ at, each })), {
    key: ({ at, each }) => `${at}:${each.filename}`, make: ({ each }) => attachment(each, live),
    patch: (old, { each }) => old.dataItem.each.id === each.id || swapped(old, each.url),
  });
  keyed(part("embeds"), (message.embeds ?? []).map((each, at) => ({ at, each })), {
    key: ({ at }) => at, make: ({ each }) => embed(each, world.names),
  });
  components(part("components"), message.components ?? [], {
    names: world.names, live, attachments,
    press: (data) => deeds.press(message, data), choose: (data, values) => deeds.choose(message, data, values),
    people: () => world.everyone().map((each) => ({ value: each.id, label: nameOfUser(each) })),
    channels: (types) => [...world.channels.values()]
      .filter((each) => each.guild_id === world.channels.get(message.channel_id)?.guild_id && (!types?.length || types.includes(each.type)))
      .map((each) => ({ value: each.id, label: each.name ?? "direct message" })),
    roles: () => world.roles().map((each) => ({ value: each.id, label: each.name })),
  });
  keyed(part("reactions"), message.reactions ?? [], {
    key: (each) => each.emoji.id ?? each.emoji.name, make: (each) => reaction(message, each, deeds), patch: patchReaction,
  });
}

export function nameOfUser(user) {
  return user?.global_name || user?.username || "someone";
}

function head(message) {
  return [h("span", { class: "author", "data-user-id": message.author.id }, nameOfUser(message.author)),
    message.author.bot && h("span", { class: "tag" }, "bot"),
    h("time", { class: "when", datetime: message.timestamp, title: inWords(new Date(message.timestamp), "F") },
      inWords(new Date(message.timestamp), "t"))];
}

function content(message, world) {
  if ((message.flags ?? 0) & LOADING) {
    return h("span", { class: "dots", role: "status" }, h("i"), h("i"), h("i"), h("span", {}, `${nameOfUser(message.author)} is thinking…`));
  }
  const out = markdown(message.content ?? "", world.names);
  if (message.edited_timestamp && out.length) {
    const mark = h("span", { class: "edited", title: inWords(new Date(message.edited_timestamp), "F") }, "(edited)");
    const last = out.at(-1);
    if (last.tagName === "P") last.append(" ", mark);
    else out.push(mark);
  }
  return out;
}

function origin(message, world, deeds) {
  const used = message.interaction_metadata ?? message.interaction;
  const name = message.interaction?.name ?? used?.name ?? used?.command_name;
  if (used?.user && name && used.type === 2) {
    const written = message.interaction_metadata?.command_type > 1 || /[A-Z ]/.test(name.split(" ")[0]) ? name : `/${name}`;
    return h("span", { class: "used" }, avatar(used.user, "small"), h("b", {}, nameOfUser(used.user)), " used ",
      h("span", { class: "mention" }, written));
  }
  const at = message.type === 19 ? message.message_reference?.message_id : null;
  if (!at) return [];
  const told = message.referenced_message ?? world.messages.get(message.channel_id)?.get(at);
  return h("button", { type: "button", class: "reference", onclick: () => deeds.jump(at) }, icon("reply"),
    told ? [avatar(told.author, "small"), h("b", {}, nameOfUser(told.author)), h("span", {}, excerpt(told, world))]
      : h("span", {}, "Original message was deleted"));
}

function excerpt(message, world) {
  const text = h("span", {}, markdown(message.content ?? "", world.names)).textContent.trim();
  return text.slice(0, 120) || (message.attachments?.length ? message.attachments[0].filename : "See the message");
}

function privately(message, deeds) {
  return [icon("eye"), h("span", {}, "Only you can see this · "),
    h("button", { type: "button", class: "linkish", onclick: () => deeds.dismiss(message) }, "Dismiss message")];
}

function reaction(message, data, deeds) {
  const element = h("button", { type: "button", class: "reaction", "data-emoji": data.emoji.name },
    h("span", { class: "emoji", "aria-hidden": "true" }, data.emoji.id ? `:${data.emoji.name}:` : data.emoji.name),
    h("span", { class: "count" }));
  element.dataItem = data;
  element.addEventListener("click", () => (element.dataItem.me ? deeds.unreact : deeds.react)(message, data.emoji.name));
  patchReaction(element, data);
  return element;
}

function patchReaction(element, data) {
  element.querySelector(".count").textContent = String(data.count);
  element.setAttribute("aria-pressed", String(Boolean(data.me)));
  element.setAttribute("aria-label", `${nameOf(data.emoji.name)} ${data.emoji.name}, ${data.count}`);
  return true;
}

/** Appears beside a message under the pointer or the focus. Private answers can take no reaction. */
function toolbar(message, world, deeds) {
  const quick = (message.flags ?? 0) & EPHEMERAL ? [] : [
    QUICK.map((each) => h("button", { type: "button", "data-emoji": each, "aria-label": `React ${nameOf(each)}`,
      title: `React ${each}`, onclick: () => deeds.react(message, each) }, each)),
    h("button", { type: "button", class: "react", "aria-label": "Add reaction", title: "Add reaction",
      onclick: (event) => deeds.pick(message, event.currentTarget) }, icon("smile"))];
  return h("div", { class: "toolbar", role: "toolbar", "aria-label": "Message actions" }, quick,
    h("button", { type: "button", class: "more", "aria-label": "More", title: "Apps and more", "aria-haspopup": "menu",
      onclick: (event) => deeds.more(message, event.currentTarget.getBoundingClientRect(), event.currentTarget) }, icon("more")));
}

/** A command that was sent and whose answer is not here yet, or never came. */
export function makePending(item, deeds) {
  const element = h("li", { class: "message first pending", role: "article", "data-pending": item.id },
    h("div", { class: "origin" }, h("span", { class: "used" }, avatar(item.person, "small"), h("b", {}, nameOfUser(item.person)),
      " used ", h("span", { class: "mention" }, item.written))),
    h("div", { class: "margin" }, avatar(item.bot)),
    h("div", { class: "head" }, h("span", { class: "author" }, nameOfUser(item.bot)), h("span", { class: "tag" }, "bot"),
      stamp(item.since / 1000, "t")),
    h("div", { class: "content prose", role: "status" }));
  patchPending(element, item, deeds);
  return element;
}

export function patchPending(element, item, deeds) {
  const body = element.querySelector(".content");
  element.classList.toggle("failed", Boolean(item.failure));
  if (!item.failure) body.replaceChildren(h("span", { class: "dots" }, h("i"), h("i"), h("i"), h("span", {}, "Sending command…")));
  else {
    body.replaceChildren(h("p", { class: "failure" }, item.failure), h("p", { class: "private" }, icon("eye"),
      h("span", {}, "Only you can see this · "),
      h("button", { type: "button", class: "linkish", onclick: () => deeds.forget(item) }, "Dismiss message")));
  }
  return true;
}
