/** What the page knows: people, channels, messages, commands; changed only by what the server tells. */

const DIRECT = 1, PORTION = 50;

export class World {
  constructor() {
    this.person = null;
    this.locale = "en-US";
    this.bot = null;
    this.online = false;
    this.people = new Map();
    this.guilds = [];
    this.channels = new Map();
    this.messages = new Map();
    this.commands = [];
    this.pending = new Map();
    this.portions = new Map();
    this.names = {
      user: (id) => shown(id === this.bot?.id ? this.bot : this.people.get(id)),
      channel: (id) => this.channels.get(id)?.name ?? "unknown",
      role: (id) => this.roles().find((each) => each.id === id)?.name ?? "role",
    };
  }

  roles() {
    return this.guilds.flatMap((guild) => guild.roles ?? []);
  }

  everyone() {
    return [...this.people.values()];
  }

  /** `#general`, or whom a direct message is with. */
  title(channel, mark = "#") {
    if (!channel) return "";
    if (channel.type !== DIRECT) return `${mark}${channel.name}`;
    return `${mark ? "@" : ""}${shown(channel.recipients?.find((each) => each.id !== this.person.id) ?? this.bot)}`;
  }

  /** The channels in groups as the sidebar shows them. */
  places() {
    const all = [...this.channels.values()];
    const order = (one, other) => (one.position ?? 0) - (other.position ?? 0) || later(one.id, other.id);
    const groups = this.guilds.map((guild) => ({ id: guild.id, title: guild.name, channels:
      all.filter((each) => each.guild_id === guild.id && each.type !== 11).sort(order).flatMap((each) =>
        [each, ...all.filter((thread) => thread.parent_id === each.id).sort(order)]) }));
    const direct = all.filter((each) => each.type === DIRECT);
    return [...groups, { id: "direct", title: "Direct messages", channels: direct }];
  }

  /** Whether this person has a permission (its bit's number) in a channel. */
  may(channel, bit) {
    if (!channel?.permissions) return true;
    const bits = BigInt(channel.permissions);
    return (bits & 8n) !== 0n || (bits & (1n << bit)) !== 0n;
  }

  /** In order of their ids, which is the order of time. */
  messagesOf(channel) {
    return [...(this.messages.get(channel)?.values() ?? [])].sort((one, other) => later(one.id, other.id));
  }

  /** The server tells the last ones; a full portion means that there may be more before it. */
  hasEarlier(channel) {
    return (this.messages.get(channel)?.size ?? 0) >= (this.portions.get(channel) ?? PORTION);
  }

  on_HISTORY({ channel_id: channel, limit, messages }) {
    this.portions.set(channel, limit);
    this.messages.set(channel, new Map(messages.map((each) => [each.id, each])));
  }

  take(event, data) {
    this[`on_${event}`]?.(data);
  }

  on_SNAPSHOT(data) {
    this.person = data.me;
    this.locale = data.locale ?? "en-US";
    this.bot = data.bot.user;
    this.online = data.bot.online;
    this.people = new Map(data.people.map((each) => [each.id, each]));
    this.guilds = data.guilds;
    this.channels = new Map([...data.guilds.flatMap((guild) => guild.channels), ...data.dms].map((each) => [each.id, each]));
    this.commands = data.commands;
    this.portions = new Map();
    this.messages = new Map(Object.entries(data.messages).map(([channel, list]) =>
      [channel, new Map(list.map((each) => [each.id, each]))]));
    this.pending = new Map(data.pending.map((each) => [each.id, { ...each, since: Date.now() }]));
  }

  on_INTERACTION_CREATE(data) {
    this.pending.set(data.id, { ...data, since: Date.now() });
  }

  on_INTERACTION_SUCCESS(data) {
    this.pending.delete(data.id);
  }

  on_INTERACTION_FAILURE(data) {
    this.pending.set(data.id, { ...this.pending.get(data.id), ...data, failure: data.text });
  }

  on_COMMANDS_UPDATE(data) {
    this.commands = data.commands;
  }

  on_BOT_PRESENCE(data) {
    this.online = data.online;
  }

  on_MESSAGE_CREATE(data) {
    if (!this.messages.has(data.channel_id)) this.messages.set(data.channel_id, new Map());
    this.messages.get(data.channel_id).set(data.id, data);
  }

  on_MESSAGE_UPDATE(data) {
    const old = this.messages.get(data.channel_id)?.get(data.id);
    const reactions = data.reactions ?? old?.reactions;
    this.on_MESSAGE_CREATE({ ...old, ...data, reactions });
  }

  /** Replies to what is gone say so, instead of its words. */
  on_MESSAGE_DELETE(data) {
    const there = this.messages.get(data.channel_id);
    there?.delete(data.id);
    for (const [id, each] of there ?? []) {
      if (each.message_reference?.message_id === data.id) there.set(id, { ...each, referenced_message: null });
    }
  }

  on_MESSAGE_DELETE_BULK(data) {
    for (const id of data.ids) this.on_MESSAGE_DELETE({ channel_id: data.channel_id, id });
  }

  on_MESSAGE_REACTION_ADD(data) {
    this.reaction(data, (old, mine) => ({ ...old, count: old.count + 1, me: old.me || mine }));
  }

  on_MESSAGE_REACTION_REMOVE(data) {
    this.reaction(data, (old, mine) => ({ ...old, count: old.count - 1, me: old.me && !mine }));
  }

  on_MESSAGE_REACTION_REMOVE_ALL(data) {
    const message = this.messages.get(data.channel_id)?.get(data.message_id);
    if (message) this.messages.get(data.channel_id).set(message.id, { ...message, reactions: [] });
  }

  on_MESSAGE_REACTION_REMOVE_EMOJI(data) {
    this.reaction(data, (old) => ({ ...old, count: 0 }));
  }

  /** A message is replaced, never changed in place: the list compares the old with the new. */
  reaction(data, change) {
    const message = this.messages.get(data.channel_id)?.get(data.message_id);
    if (!message) return;
    const list = [...(message.reactions ?? [])];
    const at = list.findIndex((each) => same(each.emoji, data.emoji));
    const old = at < 0 ? { emoji: data.emoji, count: 0, me: false } : list[at];
    const next = change(old, data.user_id === this.person?.id);
    if (at < 0) list.push(next);
    else list[at] = next;
    this.messages.get(data.channel_id).set(message.id, { ...message, reactions: list.filter((each) => each.count > 0) });
  }

  on_CHANNEL_CREATE(data) {
    this.channels.set(data.id, data);
  }

  on_CHANNEL_UPDATE(data) {
    this.channels.set(data.id, { ...this.channels.get(data.id), ...data });
  }

  on_THREAD_CREATE(data) {
    this.on_CHANNEL_UPDATE(data);
  }

  on_THREAD_UPDATE(data) {
    this.on_CHANNEL_UPDATE(data);
  }

  on_CHANNEL_DELETE(data) {
    this.channels.delete(data.id);
    this.messages.delete(data.id);
  }

  on_THREAD_DELETE(data) {
    this.on_CHANNEL_DELETE(data);
  }
}

function shown(user) {
  return user ? user.global_name || user.username : "unknown";
}

function same(one, other) {
  return one.id ? one.id === other.id : one.name.replaceAll("\uFE0F", "") === other.name.replaceAll("\uFE0F", "");
}

export function later(one, other) {
  return one.length - other.length || (one < other ? -1 : one > other ? 1 : 0);
}
