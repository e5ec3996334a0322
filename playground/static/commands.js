/** Slash commands as data: what can be typed, and what a typed line means. No element is touched here. */

export const SUB = 1, GROUP = 2, STRING = 3, INTEGER = 4, BOOLEAN = 5, USER = 6, CHANNEL = 7, ROLE = 8,
  MENTIONABLE = 9, NUMBER = 10, ATTACHMENT = 11;

/** Commands that this person can call in this channel: allowed there and permitted; a guild's own goes first. */
export function available(commands, channel) {
  const place = channel?.guild_id ? 0 : 1;
  const may = place === 0 && channel?.permissions ? BigInt(channel.permissions) : null;
  const guild = new Set(commands.filter((each) => each.guild_id && each.guild_id === channel?.guild_id)
    .map((each) => `${each.type ?? 1} ${each.name}`));
  return commands.filter((each) => {
    if (each.guild_id ? each.guild_id !== channel?.guild_id : guild.has(`${each.type ?? 1} ${each.name}`)) return false;
    if (channel?.installs && !(each.integration_types ?? [0]).some((kind) => channel.installs.includes(kind))) return false;
    if (each.contexts && !each.contexts.includes(place)) return false;
    if (!each.contexts && each.dm_permission === false && place === 1) return false;
    const wanted = each.default_member_permissions; // "0" is for administrators alone
    if (wanted === null || wanted === undefined || may === null || may & 8n) return true;
    return BigInt(wanted) !== 0n && (may & BigInt(wanted)) === BigInt(wanted);
  });
}

/**
 * Every slash command that can be called, subcommands by their whole path:
 * [{name (as called), shown (in the person's language), description, options}].
 */
export function entries(commands, locale) {
  return commands.filter((each) => (each.type ?? 1) === 1).flatMap((each) => walk(each, locale, "", ""))
    .sort((one, other) => one.name.localeCompare(other.name));
}

function walk(node, locale, before, shownBefore) {
  const name = `${before}${node.name}`;
  const shown = `${shownBefore}${told(node, "name", locale)}`;
  const inner = (node.options ?? []).filter((each) => each.type === SUB || each.type === GROUP);
  if (inner.length) return inner.flatMap((each) => walk(each, locale, `${name} `, `${shown} `));
  return [{ name, shown, description: told(node, "description", locale), options: node.options ?? [] }];
}

/** A name or description in the person's language, else the plain one. */
export function told(node, key, locale) {
  return node[`${key}_localizations`]?.[locale] ?? node[key] ?? "";
}

/** What fits the letters typed after the slash: by start first, then anywhere in name or description. */
export function suggestions(all, typed) {
  const wanted = typed.trim().toLowerCase();
  const rank = (each) => {
    if (each.name.startsWith(wanted) || each.shown.startsWith(wanted)) return 0;
    if (each.name.includes(wanted) || each.shown.includes(wanted)) return 1;
    return wanted && each.description.toLowerCase().includes(wanted) ? 2 : 3;
  };
  return all.map((each) => [rank(each), each]).filter(([at]) => at < 3).sort((one, other) => one[0] - other[0])
    .map(([, each]) => each);
}

/** `/animate prompt: a red star seed: 7` as {entry, values: {prompt, seed}, rest}, or null if no command fits. */
export function readLine(line, all) {
  const calls = all.flatMap((entry) => [...new Set([entry.name, entry.shown])].map((name) => ({ entry, name })));
  const call = calls.filter(({ name }) => line === `/${name}` || /^\s/.test(line.slice(name.length + 1)) && line.startsWith(`/${name}`))
    .sort((one, other) => other.name.length - one.name.length)[0];
  if (!call) return null;
  const found = call.entry;
  const body = line.slice(call.name.length + 1);
  const names = new Set(found.options.map((each) => each.name));
  const marks = [...body.matchAll(/(?:^|\s)([^\s:]+):/gu)].filter((each) => names.has(each[1]));
  const values = {};
  marks.forEach((mark, at) => {
    values[mark[1]] = body.slice(mark.index + mark[0].length, marks[at + 1]?.index ?? body.length).trim();
  });
  return { entry: found, values, rest: body.slice(0, marks[0]?.index ?? body.length).trim() };
}

/** Why a typed value would not do, in the client's words; null when it does. */
export function complaint(option, text) {
  if (text === "") return option.required ? "This option is required. Specify a value." : null;
  if (option.type === STRING && !option.choices) return lengthComplaint(option, text);
  if (option.type === INTEGER || option.type === NUMBER) return numberComplaint(option, text);
  return null;
}

function lengthComplaint({ min_length: least = 0, max_length: most = 6000 }, text) {
  const count = [...text].length;
  if (count < least) return `Must be at least ${least} characters; this is ${count}.`;
  return count > most ? `Must be at most ${most} characters; this is ${count}.` : null;
}

function numberComplaint(option, text) {
  const shape = option.type === INTEGER ? /^[+-]?\d+$/ : /^[+-]?(\d+\.?\d*|\.\d+)$/;
  if (!shape.test(text)) return option.type === INTEGER ? "Input a whole number." : "Input a number.";
  const value = Number(text);
  if (Math.abs(value) > Number.MAX_SAFE_INTEGER) return "This number is too large.";
  const { min_value: least, max_value: most } = option;
  if (least !== undefined && most !== undefined && (value < least || value > most)) return `Must be between ${least} and ${most}.`;
  if (least !== undefined && value < least) return `Must be at least ${least}.`;
  return most !== undefined && value > most ? `Must be at most ${most}.` : null;
}

/** The text of an input as the value that the command takes. */
export function valueOf(option, text) {
  if (option.type === INTEGER || option.type === NUMBER) return Number(text);
  if (option.type === BOOLEAN) return text === "true";
  return text;
}
