/** What an empty channel says: what to type first, and pictures to try it with. */

import { h } from "./dom.js";

/** Pictures of our own, for a reader with none at hand: [{name, label, src, file() gives a File}]. */
export const SAMPLES = [
  { name: "hills-sunset", label: "sunset over hills" },
  { name: "hills-night", label: "the same hills at night" },
  { name: "boat", label: "a boat on calm water" },
].map((each) => ({ ...each, src: `/static/samples/${each.name}.jpg`, file: () => fetched(each.name) }));

async function fetched(name) {
  const answer = await fetch(`/static/samples/${name}.jpg`);
  return new File([await answer.blob()], `${name}.jpg`, { type: "image/jpeg" });
}

const EXAMPLES = [
  { name: "animate", what: "Words become a clip.", says: "a red star over the sea",
    values: async () => ({ prompt: "a red star over the sea" }), pictures: [] },
  { name: "img2vid", what: "A camera moves through your picture.", says: "with a sample picture",
    values: async () => ({ image: await SAMPLES[2].file() }), pictures: [SAMPLES[2]] },
  { name: "interp", what: "One picture turns into the other.", says: "from sunset to night",
    values: async () => ({ first: await SAMPLES[0].file(), last: await SAMPLES[1].file() }), pictures: [SAMPLES[0], SAMPLES[1]] },
];

/** `open(name, values)` opens a command in the composer; only what the bot has synced is offered. */
export function drawWelcome(element, { place, online, names, open, slash }) {
  const told = JSON.stringify([place, online, names]);
  if (element.told === told) return;
  element.told = told;
  const offered = EXAMPLES.filter((each) => names.includes(each.name));
  element.replaceChildren(
    h("h1", {}, !online ? "Waiting for the bot" : offered.length ? "Make your first clip" : "The bot is here"),
    h("p", {}, lead(online, offered.length, names.length)),
    h("div", { class: "examples" }, online && offered.map((each) => example(each, open))),
    online && names.length > offered.length
      ? h("p", { class: "hint-line" }, "Or type ", h("button", { type: "button", class: "mention", onclick: slash }, "/"),
        ` to see all ${names.length} commands.`) : "");
}

function lead(online, offered, commands) {
  if (!online) return "This page notices by itself when it is here.";
  if (offered) return "Pick one to start, look at what it fills in below, and send it.";
  return commands ? "Type / to see what it can do." : "It has no commands here yet.";
}

function example({ name, what, says, values, pictures }, open) {
  return h("button", { type: "button", class: "example", "data-example": name,
    onclick: async () => open(name, await values()) },
  h("span", { class: "example-pictures" }, pictures.length
    ? pictures.map((each) => h("img", { src: each.src, alt: "" })) : h("span", { class: "example-words" }, `“${says}”`)),
  h("b", {}, `/${name}`), h("span", {}, what), h("small", {}, pictures.length ? says : "from a few words"));
}
