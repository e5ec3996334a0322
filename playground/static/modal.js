/** A bot's form in a dialog: text inputs, labels, menus. */

import { h, icon } from "./dom.js";
import { markdown } from "./markdown.js";

/**
 * Opens `modal` ({title, components}); `send(values)` hands it in and throws with words if that failed.
 * `world` gives the people, roles and channels that menus offer.
 */
export function openModal(modal, world, send) {
  const parts = modal.components.map((each) => part(each, world));
  const inputs = parts.flatMap((each) => each.inputs);
  const problem = h("p", { class: "complaint", role: "alert" });
  const submit = h("button", { type: "submit", class: "button primary" }, "Submit");
  const close = () => dialog.close();
  const form = h("form", { class: "modal-form" },
    h("header", {}, h("h2", { id: "modal-title" }, modal.title),
      h("button", { type: "button", class: "quiet", "aria-label": "Close", onclick: close }, icon("close"))),
    h("div", { class: "modal-body" }, parts.map((each) => each.element), problem),
    h("footer", {}, h("button", { type: "button", class: "button secondary", onclick: close }, "Cancel"), submit));
  const dialog = h("dialog", { class: "modal", "aria-labelledby": "modal-title", "data-modal": modal.custom_id }, form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!inputs.every((each) => each.check())) return;
    submit.disabled = true;
    problem.textContent = "";
    try {
      await send(valuesOf(inputs));
      dialog.close();
    } catch (error) {
      problem.textContent = error.message;
      submit.disabled = false;
    }
  });
  const back = document.activeElement;
  dialog.addEventListener("close", () => {
    dialog.remove();
    back?.focus?.();
  });
  document.body.append(dialog);
  dialog.showModal();
  (inputs[0]?.control ?? submit).focus();
}

function valuesOf(inputs) {
  return Object.fromEntries(inputs.map((each) => [each.id, each.value()]));
}

function part(data, world) {
  if (data.type === 1) {
    const inner = data.components.map((each) => labelled(each, each.label, null, world));
    return { element: h("div", {}, inner.map((each) => each.element)), inputs: inner.flatMap((each) => each.inputs) };
  }
  if (data.type === 18) return labelled(data.component, data.label, data.description, world);
  if (data.type === 10) return { element: h("div", { class: "prose" }, markdown(data.content, world.names)), inputs: [] };
  return { element: h("p", { class: "subtext" }, `A field of type ${data.type}, which this page cannot show.`), inputs: [] };
}

function labelled(data, label, description, world) {
  const make = { 3: menu, 4: text, 5: menu, 6: menu, 7: menu, 8: menu }[data.type];
  if (!make) return part({ type: data.type }, world);
  const input = make(data, world);
  const note = h("span", { class: "complaint", role: "alert" });
  input.id = data.custom_id;
  input.control.id = `modal-${data.custom_id}`;
  input.check = () => {
    note.textContent = input.complaint() ?? "";
    if (note.textContent) input.control.focus();
    return !note.textContent;
  };
  const required = data.required ?? true;
  const element = h("div", { class: "field", "data-field": data.custom_id },
    h("label", { for: input.control.id }, label, required ? h("span", { class: "must", "aria-hidden": "true" }, " *") : null),
    description && h("small", {}, description), input.control, note);
  return { element, inputs: [input] };
}

function text(data) {
  const control = h(data.style === 2 ? "textarea" : "input", { name: data.custom_id, placeholder: data.placeholder ?? null,
    rows: data.style === 2 ? "4" : null, value: data.value ?? "", maxlength: data.max_length ?? 4000, autocomplete: "off",
    "aria-required": String(data.required ?? true) });
  control.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) control.form.requestSubmit();
  });
  return { control, value: () => control.value, complaint: () => {
    const count = [...control.value].length;
    if (!count) return (data.required ?? true) ? "This field is required." : null;
    return count < (data.min_length ?? 0) ? `Must be at least ${data.min_length} characters.` : null;
  } };
}

function menu(data, world) {
  const people = () => world.everyone().map((each) => ({ value: each.id, label: each.global_name || each.username }));
  const roles = () => world.roles().map((each) => ({ value: each.id, label: each.name }));
  const options = { 3: () => data.options ?? [], 5: people, 6: roles, 7: () => [...people(), ...roles()],
    8: () => [...world.channels.values()].filter((each) => each.name).map((each) => ({ value: each.id, label: `#${each.name}` })) }[data.type]();
  const preset = new Set((data.default_values ?? []).map((each) => each.id));
  const many = (data.max_values ?? 1) > 1;
  const control = h("select", { name: data.custom_id, multiple: many, size: many ? Math.min(6, options.length) : null },
    many ? null : h("option", { value: "" }, data.placeholder ?? "Choose one"),
    options.map((each) => h("option", { value: each.value, selected: Boolean(each.default) || preset.has(each.value) }, each.label)));
  const chosen = () => [...control.selectedOptions].map((each) => each.value).filter(Boolean);
  return { control, value: chosen, complaint: () => {
    const least = (data.required ?? true) ? Math.max(1, data.min_values ?? 1) : 0;
    const most = data.max_values ?? 1;
    if (chosen().length < least) return least === 1 ? "Choose one." : `Choose at least ${least}.`;
    return chosen().length > most ? `Choose at most ${most}.` : null;
  } };
}
