/** Components, the old rows and Components V2: buttons, menus, containers, galleries. */

import { h, icon, keyed, stable } from "./dom.js";
import { markdown } from "./markdown.js";
import { attachment, swapped, unfurled } from "./media.js";

const STYLES = { 1: "primary", 2: "secondary", 3: "success", 4: "danger", 5: "link", 6: "primary" };

/**
 * `context` is what a component needs of its message: {names, live, attachments,
 * press(custom_id), choose(custom_id, values), people, channels, roles}.
 */
export function components(parent, list, context) {
  keyed(parent, list.map((data, at) => ({ at, data })), {
    key: ({ at, data }) => `${at}:${data.type}`,
    make: ({ data }) => component(data, context),
    patch: (old, { data }) => patch(old, data, context),
  });
}

/** Containers and rows are patched inside, so a clip in one plays on while a button beside it changes. */
function patch(old, data, context) {
  const before = old.dataItem.data;
  if (data.type === 12) return gallery(old, data, context);
  if (data.type !== 17 && data.type !== 1) return false;
  if (stable({ ...before, components: 0 }) !== stable({ ...data, components: 0 })) return false;
  components(data.type === 17 ? old.querySelector(":scope > .inside") ?? old : old, data.components, context);
  return true;
}

const MAKERS = {
  1: (data, context) => row(data, context),
  2: (data, context) => button(data, context),
  3: (data, context) => select(data, context, () => data.options ?? []),
  5: (data, context) => select(data, context, () => context.people()),
  6: (data, context) => select(data, context, () => context.roles()),
  7: (data, context) => select(data, context, () => [...context.people(), ...context.roles()]),
  8: (data, context) => select(data, context, () => context.channels(data.channel_types)),
  9: (data, context) => h("div", { class: "section" },
    h("div", { class: "section-text" }, data.components.map((each) => component(each, context))),
    data.accessory && h("div", { class: "accessory" }, component(data.accessory, context))),
  10: (data, context) => h("div", { class: "prose" }, markdown(data.content, context.names)),
  11: (data, context) => h("div", { class: "thumb" }, unfurled(data, context.live)),
  12: (data, context) => {
    const element = h("div", { class: "gallery" });
    gallery(element, data, context);
    return element;
  },
  13: (data, context) => attachment(fileOf(data, context), context.live),
  14: (data) => h("hr", { class: `${data.divider === false ? "blank" : ""} ${data.spacing === 2 ? "wide" : ""}` }),
  17: (data, context) => container(data, context),
};

function component(data, context) {
  const make = MAKERS[data.type];
  return make ? make(data, context) : h("div", { class: "subtext" }, `A component of type ${data.type}, which this page cannot show.`);
}

function gallery(element, data, context) {
  element.dataset.count = Math.min(data.items.length, 4);
  keyed(element, data.items.map((item, at) => ({ at, item: resolved(item, context) })), {
    key: ({ at }) => at, make: ({ item }) => unfurled(item, context.live),
    patch: (old, { item }) => !item.spoiler && swapped(old, item.media.url),
  });
  return true;
}

function row(data, context) {
  const element = h("div", { class: "row" });
  components(element, data.components, context);
  return element;
}

function container(data, context) {
  const colour = Number.isInteger(data.accent_color) ? `#${data.accent_color.toString(16).padStart(6, "0")}` : null;
  const inside = h("div", { class: "inside" });
  components(inside, data.components, context);
  const element = h("div", { class: "container", style: colour ? { "--edge": colour } : {} }, inside);
  if (!data.spoiler) return element;
  const lift = h("button", { type: "button", class: "lift", onclick: () => {
    element.classList.add("open");
    lift.remove();
  } }, "Spoiler: show");
  element.classList.add("covered");
  element.append(lift);
  return element;
}

/** Items may name an uploaded file; the message's attachments know its size and kind. */
function resolved(item, context) {
  const known = fileNamed(item.media.url, context);
  return known ? { ...item, media: { ...known, ...item.media, url: known.url } } : item;
}

function fileNamed(address, context) {
  const name = (address ?? "").split("?")[0].split("/").pop();
  return context.attachments.find((each) => each.filename === name);
}

function fileOf(data, context) {
  const known = fileNamed(data.file.url, context) ?? {};
  const name = data.name ?? (data.file.url ?? "").split("?")[0].split("/").pop();
  return { filename: name, size: data.size, ...known, url: known.url ?? data.file.url };
}

function button(data, context) {
  const inside = [emoji(data.emoji), data.label && h("span", {}, data.label)];
  const style = STYLES[data.style] ?? "secondary";
  if (data.style === 5) {
    const safe = /^https?:\/\//.test(data.url ?? "");
    return h("a", { class: "button link", href: safe ? data.url : null, target: "_blank", rel: "noreferrer noopener" },
      inside, icon("out"));
  }
  const element = h("button", { type: "button", class: `button ${style}`, disabled: data.disabled,
    "data-custom-id": data.custom_id, "aria-label": data.label ? null : data.emoji?.name }, inside);
  element.addEventListener("click", () => busy(element, context.press(data)));
  return element;
}

async function busy(element, promise) {
  element.classList.add("busy");
  element.setAttribute("aria-busy", "true");
  try {
    await promise;
  } finally {
    element.classList.remove("busy");
    element.removeAttribute("aria-busy");
  }
}

export function emoji(data) {
  if (!data?.name) return null;
  return h("span", { class: "emoji", "aria-hidden": "true" }, data.id ? `:${data.name}:` : data.name);
}

function select(data, context, optionsOf) {
  const many = (data.max_values ?? 1) > 1;
  const options = optionsOf();
  const preset = new Set([...options.filter((each) => each.default).map((each) => each.value),
    ...(data.default_values ?? []).map((each) => each.id)]);
  const hint = data.placeholder ?? (many ? "Choose" : "Choose one");
  return many ? checklist(data, context, options, preset, hint) : dropdown(data, context, options, preset, hint);
}

function dropdown(data, context, options, preset, hint) {
  const element = h("select", { class: "select", disabled: data.disabled, "data-custom-id": data.custom_id,
    "aria-label": hint },
  h("option", { value: "", selected: preset.size === 0, disabled: data.min_values !== 0, hidden: data.min_values !== 0 }, hint),
  options.map((each) => h("option", { value: each.value, selected: preset.has(each.value), title: each.description ?? null },
    [each.emoji?.id ? "" : each.emoji?.name, each.label, each.description && `– ${each.description}`].filter(Boolean).join(" "))));
  element.addEventListener("change", () => busy(element, context.choose(data, element.value ? [element.value] : [])));
  return element;
}

function checklist(data, context, options, preset, hint) {
  const [least, most] = [data.min_values ?? 1, data.max_values ?? 1];
  const boxes = options.map((each) => h("input", { type: "checkbox", value: each.value, checked: preset.has(each.value) }));
  const done = h("button", { type: "button", class: "button primary" }, "Done");
  const chosen = () => boxes.filter((box) => box.checked).map((box) => box.value);
  const check = () => {
    const count = chosen().length;
    done.disabled = count < least;
    for (const box of boxes) box.disabled = !box.checked && count >= most;
  };
  const element = h("details", { class: "select many", "data-custom-id": data.custom_id }, h("summary", {}, hint),
    boxes.map((box, at) => h("label", {}, box, emoji(options[at].emoji), h("span", {}, options[at].label,
      options[at].description && h("small", {}, options[at].description)))), done);
  if (data.disabled) element.classList.add("disabled");
  for (const box of boxes) box.addEventListener("change", check);
  done.addEventListener("click", () => {
    element.open = false;
    busy(element, context.choose(data, chosen()));
  });
  check();
  return element;
}
