/** Classic embeds: title, text, fields, picture, footer. */

import { h } from "./dom.js";
import { markdown, inline } from "./markdown.js";
import { inWords } from "./times.js";

export function embed(data, names) {
  const colour = data.color ? `#${data.color.toString(16).padStart(6, "0")}` : null;
  return h("article", { class: "embed", style: colour ? { "--edge": colour } : {} },
    data.author && h("div", { class: "embed-author" }, data.author.name),
    data.title && h("div", { class: "embed-title" }, data.url ? outward(data.url, data.title, names) : inline(data.title, names)),
    data.description && h("div", { class: "prose" }, markdown(data.description, names)),
    data.fields?.length ? h("dl", { class: "fields" }, data.fields.map((field) => h("div", { class: field.inline ? "beside" : "" },
      h("dt", {}, inline(field.name, names)), h("dd", { class: "prose" }, markdown(field.value, names))))) : null,
    data.image && h("img", { src: data.image.proxy_url ?? data.image.url, alt: "", loading: "lazy" }),
    data.thumbnail && h("img", { class: "thumbnail", src: data.thumbnail.proxy_url ?? data.thumbnail.url, alt: "" }),
    (data.footer || data.timestamp) && h("footer", {}, [data.footer?.text,
      data.timestamp && inWords(new Date(data.timestamp), "f")].filter(Boolean).join(" · ")));
}

function outward(address, text, names) {
  if (!/^https?:\/\//.test(address)) return inline(text, names);
  return h("a", { href: address, target: "_blank", rel: "noreferrer noopener" }, inline(text, names));
}
