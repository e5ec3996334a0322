/** The gestures that belong to the whole page: its icons' buttons, keys, right clicks, dropped files. */

import { icon } from "./dom.js";
import { openMenu } from "./menu.js";

const $ = (selector) => document.querySelector(selector);

/** `page` is the chat: {composer, world, channel, side(open), go(channel, message), menuDeeds()} */
export function listen(page) {
  $(".open-side").append(icon("menu"));
  $(".pick").append(icon("attach"));
  $(".send").append(icon("send"));
  $(".later").prepend(icon("down"));
  $(".open-side").addEventListener("click", () => page.side(!document.body.classList.contains("side-open")));
  $("main").addEventListener("pointerdown", (event) => event.target.closest(".open-side") || page.side(false));
  document.addEventListener("keydown", (event) => anyKey(page, event));
  $(".messages").addEventListener("contextmenu", (event) => rightClick(page, event));
  document.addEventListener("click", (event) => {
    const name = event.target.closest("[data-type-command]")?.dataset.typeCommand;
    if (name) page.composer.open(name);
    const inside = event.target.closest("[data-to-channel]");
    if (!inside) return;
    event.preventDefault();
    page.go(inside.dataset.toChannel, inside.dataset.toMessage);
  });
  drops(page);
}

const TAKES_LETTERS = "input, textarea, select, dialog, .popover, .strip, video";

/** Letters typed where nothing takes them are meant for the message. */
function anyKey(page, event) {
  if (event.key === "Escape") page.side(false);
  const idle = !document.activeElement?.closest(TAKES_LETTERS);
  const letter = event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey && !event.altKey;
  if (idle && letter && !page.composer.strip.open) page.composer.text.focus();
}

function rightClick(page, event) {
  const element = event.target.closest(".message[data-message-id]");
  if (!element || event.target.closest("a, video, img, input")) return;
  event.preventDefault();
  const message = page.world.messages.get(page.channel).get(element.dataset.messageId);
  const { clientX: x, clientY: y } = event;
  openMenu(message, { left: x + 1, right: x, top: y, bottom: y }, element, page.world, page.menuDeeds());
}

/** A sign shows while files hang over the page; they go to the option under them, or where there is room. */
function drops(page) {
  const sign = $(".drop-here");
  let deep = 0;
  const files = (event) => event.dataTransfer?.types.includes("Files");
  const show = (change) => {
    deep = Math.max(0, deep + change);
    sign.hidden = deep === 0;
  };
  addEventListener("dragenter", (event) => files(event) && show(1));
  addEventListener("dragleave", (event) => files(event) && show(-1));
  addEventListener("dragover", (event) => files(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!files(event)) return;
    event.preventDefault();
    show(-deep);
    page.composer.takeFiles([...event.dataTransfer.files], event.target.closest?.(".option")?.dataset.option);
  });
}
