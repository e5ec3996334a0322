/** The gallery's page: lists of clips that play where they are seen, and one clip with all about it. */

const words = JSON.parse(document.body.dataset.words);
const signedIn = document.body.dataset.in === "yes";
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const lists = ["mine", "kept", "public"];
const home = signedIn ? "mine" : "public";

const grid = document.querySelector("#clips");
const said = document.querySelector(".said");
const more = document.querySelector(".more button");
const search = document.querySelector(".search");
const view = document.querySelector(".clip-view");

/** What is looked at now: the list under the dialog, and what of it was asked for. */
let look = { list: home, words: "", after: "" };
let asked = 0;

/** An element of plain values: whatever a person wrote becomes a text node, never markup. */
function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "muted") element.muted = element.defaultMuted = value;
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== ""));
  return element;
}

async function ask(address, options) {
  const answer = await fetch(address, { credentials: "same-origin", ...options });
  if (answer.status === 204) return null;
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(body.message ?? words.lost);
  return body;
}

/* Thumbnails play while they are seen; where motion is unwanted, only while they are pointed at. */

const sight = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) {
      target.src ||= target.dataset.src;
      if (!calm.matches) play(target);
    } else {
      target.pause();
    }
  }
}, { threshold: 0.25 });

function play(video) {
  video.play().catch(() => {}); // it was paused again meanwhile, or its file is gone
}

function film(clip, attributes = {}) {
  return h("video", { "data-src": clip.file, poster: clip.poster, muted: true, loop: true, playsinline: true, preload: "metadata",
    disablepictureinpicture: true, width: clip.width, height: clip.height, tabindex: "-1", "aria-hidden": "true", ...attributes });
}

function thumbnail(clip) {
  const video = film(clip);
  sight.observe(video);
  const when = new Date(clip.when);
  const link = h("a", { class: "clip", href: `/clip/${clip.id}`, "aria-label": clip.alt, "data-id": clip.id }, video,
    h("span", { class: "title" }, clip.title),
    h("span", { class: "note" },
      h("time", { datetime: clip.when }, when.toLocaleDateString(document.documentElement.lang, { dateStyle: "medium" })),
      h("span", {}, [clip.state, clip.kept ? "⭐" : ""].filter(Boolean).join(" "))));
  for (const event of ["pointerenter", "focus"]) link.addEventListener(event, () => play(video));
  for (const event of ["pointerleave", "blur"]) link.addEventListener(event, () => { if (calm.matches) video.pause(); });
  return h("li", {}, link);
}

/* A list */

function address({ list, words: searched }) {
  const query = searched ? `?${new URLSearchParams({ words: searched })}` : "";
  return `/${list}${query}`;
}

async function show(next) {
  look = { after: "", ...next };
  search.elements.words.value = look.words;
  for (const link of document.querySelectorAll("[data-list]")) {
    if (link.dataset.list === look.list) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.body.dataset.state = "loading";
  more.hidden = true;
  said.textContent = words.loading;
  const number = ++asked;
  try {
    const page = await ask(`/api/clips?${new URLSearchParams(look)}`);
    if (number !== asked) return; // another list was chosen meanwhile
    if (!look.after) {
      sight.disconnect();
      grid.replaceChildren();
    }
    const items = page.clips.map(thumbnail);
    grid.append(...items);
    if (look.after) items[0]?.firstElementChild.focus();
    look.after = page.next ?? "";
    more.hidden = page.next === null;
    said.textContent = grid.childElementCount ? "" : look.words ? words.none_found : words[`none_${look.list}`];
  } catch (error) {
    if (number === asked) said.textContent = error.message || words.lost;
  }
  if (number === asked) document.body.dataset.state = "ready";
}

/* One clip */

async function open(id) {
  const stage = view.querySelector(".stage");
  let clip;
  try {
    clip = await ask(`/api/clips/${encodeURIComponent(id)}`);
  } catch (error) {
    said.textContent = error.message;
    if (!grid.childElementCount) document.body.dataset.state = "ready";
    return;
  }
  const video = film(clip, { src: clip.file, controls: true, autoplay: !calm.matches, "aria-label": clip.alt, "aria-hidden": null, tabindex: null });
  stage.replaceChildren(video);
  view.querySelector("h2").textContent = clip.title;
  const parts = clip.again.split(/((?<=^| )-[a-z]+)/); // a flag is not broken after its hyphen
  view.querySelector(".again").replaceChildren(...parts.map((part, number) => (number % 2 ? h("span", { class: "flag" }, part) : part)));
  view.querySelector(".facts").replaceChildren(...clip.facts.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
  view.querySelector(".save").href = clip.file;
  view.querySelector(".copy").textContent = words.copy;
  keeping(clip);
  const tree = family(clip);
  view.querySelector(".family").hidden = tree === null;
  view.querySelector(".tree").replaceChildren(tree ?? "");
  if (!view.open) view.showModal();
  view.querySelector(".clip-body").scrollTop = 0;
  document.title = `${clip.title} · Zoetrope`;
}

function keeping(clip) {
  const button = view.querySelector(".keep");
  button.textContent = clip.kept ? `⭐ ${words.drop}` : `⭐ ${words.keep}`;
  button.setAttribute("aria-pressed", String(clip.kept));
  button.onclick = async () => {
    const body = JSON.stringify({ on: !clip.kept });
    try {
      const answer = await ask(`/api/clips/${clip.id}/keep`, { method: "POST", body, headers: { "Content-Type": "application/json" } });
      clip.kept = answer.kept;
      keeping(clip);
      view.dataset.stale = ""; // the list behind it has another star
    } catch (error) {
      button.textContent = error.message; // it was deleted meanwhile, or the person is signed out
    }
  };
}

/** What came from what, as lists within lists; nothing for a clip that is alone. */
function family(clip) {
  if (clip.family.length < 2) return null;
  const items = new Map();
  const roots = h("ul");
  for (const one of clip.family) {
    const item = h("li", {}, one.id === null ? h("span", { class: "unseen" }, words.unseen) : branch(one, clip.id));
    items.set(one.key, item);
    const parent = items.get(one.parent);
    if (!parent) roots.append(item);
    else {
      if (parent.lastElementChild.tagName !== "UL") parent.append(h("ul"));
      parent.lastElementChild.append(item);
    }
  }
  return roots;
}

function branch(one, current) {
  const video = film(one);
  sight.observe(video);
  const here = one.id === current;
  return h("a", { href: `/clip/${one.id}`, "aria-label": one.alt, "aria-current": here ? "true" : null, "data-id": one.id }, video,
    h("span", { class: "title" }, one.title),
    h("small", {}, [`${words.seed} ${one.seed}`, here ? words.this : ""].filter(Boolean).join(" · ")));
}

function closed() {
  view.querySelector(".stage").replaceChildren();
  document.title = `${words.title} · Zoetrope`;
  if (location.pathname.startsWith("/clip/")) history.pushState(null, "", address(look));
  if ("stale" in view.dataset || !grid.childElementCount) {
    delete view.dataset.stale;
    show({ list: look.list, words: look.words });
  }
}

/* The ways through the page */

async function go() {
  const [, first, id] = location.pathname.split("/");
  if (first === "clip") {
    await open(id);
    return;
  }
  if (view.open) view.close();
  const list = lists.includes(first) ? first : home;
  const searched = new URLSearchParams(location.search).get("words") ?? "";
  await show({ list: signedIn ? list : "public", words: searched });
}

function visit(path) {
  history.pushState(null, "", path);
  go();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-list], a[data-id], a.brand");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
  event.preventDefault();
  visit(link.getAttribute("href"));
});
search.addEventListener("submit", (event) => {
  event.preventDefault();
  visit(address({ list: look.list, words: search.elements.words.value.trim() }));
});
more.addEventListener("click", () => show({ ...look }));
view.addEventListener("close", closed);
view.addEventListener("click", (event) => { if (event.target === view) view.close(); });
view.querySelector(".close").addEventListener("click", () => view.close());
view.querySelector(".copy").hidden = !navigator.clipboard; // browsers give it to safe addresses only
view.querySelector(".copy").addEventListener("click", async (event) => {
  await navigator.clipboard.writeText(view.querySelector(".again").textContent);
  event.target.textContent = words.copied;
});
document.querySelector(".leave").addEventListener("click", async () => {
  await ask("/sign-out", { method: "POST" });
  location.assign("/");
});
addEventListener("popstate", go);

if (location.pathname.startsWith("/clip/")) await show({ list: home, words: "" });
await go();
