/** Pictures, clips, sounds and files, as they hang in a message. */

import { h, icon, sizeOf } from "./dom.js";

const VIDEO = /\.(mp4|webm|mov|m4v)$/i;
const PICTURE = /\.(png|jpe?g|gif|webp|avif)$/i;
const SOUND = /\.(mp3|ogg|wav|m4a|flac)$/i;

function kindOf(file) {
  const type = file.content_type ?? "";
  const name = file.filename ?? (file.url ?? "").split("?")[0];
  if (type.startsWith("image/svg")) return "file"; // opened by its address it could run scripts as the page
  if (type.startsWith("video/") || (!type && VIDEO.test(name))) return "video";
  if (type.startsWith("image/") || (!type && PICTURE.test(name))) return "picture";
  if (type.startsWith("audio/") || (!type && SOUND.test(name))) return "sound";
  return "file";
}

/** One attachment; `live` says that it came while the reader watched, so a clip starts by itself. */
export function attachment(file, live = false) {
  const hidden = file.filename?.startsWith("SPOILER_") || (file.flags & 8) !== 0;
  const kind = kindOf(file);
  const body = kind === "video" ? clip(file, live && !hidden)
    : kind === "picture" ? picture(file)
    : kind === "sound" ? h("audio", { src: file.url, controls: true, preload: "metadata", "aria-label": file.filename })
    : card(file);
  return h("div", { class: `attachment ${kind}`, "data-attachment-id": file.id, "data-filename": file.filename },
    hidden ? covered(body) : body);
}

/** A new picture in the old one's place is swapped inside its frame, so that previews do not flicker. */
export function swapped(element, address) {
  const image = element.querySelector(":scope .frame > img");
  if (!image || !/\.(png|jpe?g|gif|webp|avif)$/i.test((address ?? "").split("?")[0])) return false;
  image.src = address;
  image.parentElement.href = address;
  return true;
}

/** A piece of Components V2's media: `{media: {url, …}, description, spoiler}`. */
export function unfurled(item, live = false) {
  const file = { ...item.media, filename: (item.media.url ?? "").split("?")[0].split("/").pop(),
    description: item.description };
  const kind = kindOf(file);
  const body = kind === "video" ? clip(file, live && !item.spoiler) : picture(file);
  return h("div", { class: `attachment ${kind}`, "data-filename": file.filename }, item.spoiler ? covered(body) : body);
}

function clip(file, live) {
  const video = h("video", { src: file.url, controls: true, loop: true, muted: true, playsinline: true,
    preload: "metadata", "aria-label": file.description ?? `Clip ${file.filename ?? ""}`,
    width: file.width ?? null, height: file.height ?? null });
  if (file.width && file.height) video.style.aspectRatio = `${file.width} / ${file.height}`;
  video.defaultMuted = true;
  if (live && !matchMedia("(prefers-reduced-motion: reduce)").matches) video.dataset.live = "";
  sight?.observe(video);
  return video;
}

/** Clips out of sight rest; a clip that has just come plays once it is seen. */
const sight = "IntersectionObserver" in globalThis ? new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting && !target.paused) {
      target.pause();
      target.dataset.live = "";
    } else if (isIntersecting && "live" in target.dataset) {
      delete target.dataset.live;
      target.play().catch(() => {});
    }
  }
}, { threshold: 0.2 }) : null;

function picture(file) {
  const image = h("img", { src: file.url, alt: file.description ?? file.filename ?? "Picture", loading: "lazy",
    width: file.width ?? null, height: file.height ?? null });
  if (file.width && file.height) image.style.aspectRatio = `${file.width} / ${file.height}`;
  return h("a", { class: "frame", href: file.url, target: "_blank", rel: "noreferrer noopener" }, image);
}

function card(file) {
  return h("a", { class: "card", href: file.url, download: file.filename, target: "_blank", rel: "noreferrer noopener" },
    icon("file"), h("span", {}, h("b", {}, file.filename), h("small", {}, sizeOf(file.size ?? 0))));
}

function covered(body) {
  const cover = h("div", { class: "covered" }, body);
  const lift = h("button", { type: "button", class: "lift" }, icon("eye"), "Spoiler: show");
  lift.addEventListener("click", () => {
    cover.classList.add("open");
    lift.remove();
  });
  cover.append(lift);
  return cover;
}
