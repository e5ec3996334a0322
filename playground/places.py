"""Guilds, channels, threads, roles and members: how they come, change and go."""

from playground import shape
from playground.events import Event
from playground.permissions import EVERYONE, Can
from playground.records import DIRECT, GROUP, TEXT, THREAD, Channel, Guild, Json, Member, Role, User
from playground.world import World


def found(world: World) -> None:
    """The world of a first start: one guild, three people, a moderator, and a channel closed to the bot."""
    if world.guilds:
        return
    people = [
        User(world.ids.next(), name.casefold(), name, locale=locale)
        for name, locale in (("Ada", "en-US"), ("Ben", "en-GB"), ("Cyd", "ja"), ("Mod", "en-US"))
    ]
    world.keep(*people)
    ada, *_, mod = people
    guild = add_guild(world, "Zoetrope", ada)
    for person in people[1:]:
        join(world, guild, person)
    keepers = add_role(world, guild, "Moderator", EVERYONE | Can.MANAGE_MESSAGES | Can.MANAGE_GUILD)
    give_role(world, guild, mod, keepers)
    add_channel(world, guild, "clips", topic="Clips are made here")
    closed = add_channel(world, guild, "quiet", topic="The bot may read here, no more")
    allow(world, closed, world.users[world.bot_id], deny=Can.SEND_MESSAGES | Can.ADD_REACTIONS)


def add_person(world: World, name: str, guild: Guild | None = None, locale: str = "en-US") -> User:
    person = User(world.ids.next(), name.casefold(), name, locale=locale)
    world.keep(person)
    if guild is not None:
        join(world, guild, person)
    return person


def add_guild(world: World, name: str, owner: User, *, with_bot: bool = True) -> Guild:
    guild = Guild(world.ids.next(), name, owner.id)
    world.keep(guild, Role(guild.id, guild.id, "@everyone", EVERYONE))
    join(world, guild, owner)
    if with_bot:
        join(world, guild, world.users[world.bot_id])
    return guild


def join(world: World, guild: Guild, user: User) -> None:
    """A user joins; for the bot, the guild appears."""
    member = Member(guild.id, user.id, world.clock())
    world.keep(member)
    if user.id == world.bot_id:
        world.tell(Event("GUILD_CREATE", lambda viewer: shape.guild(world, guild), guild.id, people=False))
        return
    body = shape.member(world, member) | {"guild_id": str(guild.id)}
    world.tell(Event("GUILD_MEMBER_ADD", lambda viewer: body, guild.id, people=False))


def leave(world: World, guild: Guild, user: User) -> None:
    """A user goes; for the bot, the guild is gone, as after a kick."""
    member = world.members[guild.id, user.id]
    if user.id == world.bot_id:
        body: Json = {"id": str(guild.id)}
        world.tell(Event("GUILD_DELETE", lambda viewer: body, guild.id, people=False))
        world.forget(member)
        return
    body = {"guild_id": str(guild.id), "user": shape.user(user)}
    world.forget(member)
    world.tell(Event("GUILD_MEMBER_REMOVE", lambda viewer: body, guild.id, people=False))


def remove_guild(world: World, guild: Guild) -> None:
    """The guild is deleted, with all that is in it."""
    body: Json = {"id": str(guild.id)}
    world.tell(Event("GUILD_DELETE", lambda viewer: body, guild.id, people=False))
    for channel in [one for one in world.channels.values() if one.guild_id == guild.id]:
        _empty(world, channel)
        world.forget(channel)
    world.forget(*[one for one in world.members.values() if one.guild_id == guild.id])
    world.forget(*[one for one in world.roles.values() if one.guild_id == guild.id], guild)


def add_role(world: World, guild: Guild, name: str, permissions: int) -> Role:
    role = Role(world.ids.next(), guild.id, name, int(permissions), position=1)
    world.keep(role)
    _tell_role(world, "GUILD_ROLE_CREATE", role)
    return role


def change_role(world: World, role: Role, permissions: int) -> None:
    """Other permissions for a role; the one whose id is the guild's is @everyone."""
    role.permissions = int(permissions)
    world.keep(role)
    _tell_role(world, "GUILD_ROLE_UPDATE", role)


def remove_role(world: World, role: Role) -> None:
    body: Json = {"guild_id": str(role.guild_id), "role_id": str(role.id)}
    world.forget(role)
    for member in list(world.members.values()):
        if role.id in member.roles:
            member.roles.remove(role.id)
            world.keep(member)
    world.tell(Event("GUILD_ROLE_DELETE", lambda viewer: body, role.guild_id, people=False))


def _tell_role(world: World, name: str, role: Role) -> None:
    body = {"guild_id": str(role.guild_id), "role": shape.role(role)}
    world.tell(Event(name, lambda viewer: body, role.guild_id, people=False))


def give_role(world: World, guild: Guild, user: User, role: Role) -> None:
    member = world.members[guild.id, user.id]
    member.roles.append(role.id)
    world.keep(member)
    body = shape.member(world, member) | {"guild_id": str(guild.id)}
    world.tell(Event("GUILD_MEMBER_UPDATE", lambda viewer: body, guild.id, people=False))


def add_channel(world: World, guild: Guild, name: str, topic: str | None = None) -> Channel:
    position = sum(one.guild_id == guild.id for one in world.channels.values())
    channel = Channel(world.ids.next(), TEXT, name, guild.id, position=position, topic=topic)
    world.keep(channel)
    _tell_channel(world, "CHANNEL_CREATE", channel)
    return channel


def restrict(world: World, channel: Channel, on: bool = True) -> None:
    """Makes a channel age-restricted, or no longer."""
    channel.nsfw = on
    world.keep(channel)
    _tell_channel(world, "CHANNEL_UPDATE", channel)


def add_thread(world: World, parent: Channel, name: str, owner: User) -> Channel:
    thread = Channel(world.ids.next(), THREAD, name, parent.guild_id, parent.id, owner_id=owner.id)
    world.keep(thread)
    _tell_channel(world, "THREAD_CREATE", thread)
    return thread


def change_thread(world: World, thread: Channel, *, archived: bool = False, locked: bool = False) -> None:
    thread.archived, thread.locked = archived, locked
    world.keep(thread)
    _tell_channel(world, "THREAD_UPDATE", thread)


def direct(world: World, user: User) -> Channel:
    """The private channel of a user and the bot; made when first asked for."""
    for channel in world.channels.values():
        if channel.type == DIRECT and channel.recipients == [user.id]:
            return channel
    channel = Channel(world.ids.next(), DIRECT, recipients=[user.id])
    world.keep(channel)
    _tell_channel(world, "CHANNEL_CREATE", channel)
    return channel


def add_group(world: World, name: str, *people: User) -> Channel:
    """A private channel among people, where no bot can be."""
    channel = Channel(world.ids.next(), GROUP, name, recipients=[one.id for one in people])
    world.keep(channel)
    _tell_channel(world, "CHANNEL_CREATE", channel)
    return channel


def install(world: World, user: User) -> None:
    """A person adds the bot to their own account, to call it wherever they are."""
    user.installed = True
    world.keep(user)


def remove_channel(world: World, channel: Channel) -> None:
    """A channel or thread is deleted, with its threads and messages."""
    for thread in [one for one in world.channels.values() if one.parent_id == channel.id]:
        remove_channel(world, thread)
    _tell_channel(world, "THREAD_DELETE" if channel.type == THREAD else "CHANNEL_DELETE", channel)
    _empty(world, channel)
    world.forget(channel)


def _empty(world: World, channel: Channel) -> None:
    messages = [world.messages[one] for one in world.history.pop(channel.id, {})]
    world.forget(*messages)
    world.drop_files([one for message in messages for one in message.attachments])


def allow(world: World, channel: Channel, whom: User | Role, allow: int = 0, deny: int = 0) -> None:
    """Sets the channel's overwrite for a role or a member; both 0 removes it."""
    kept = [one for one in channel.overwrites if int(one["id"]) != whom.id]
    if allow or deny:
        kind = 0 if isinstance(whom, Role) else 1
        kept.append({"id": str(whom.id), "type": kind, "allow": str(int(allow)), "deny": str(int(deny))})
    channel.overwrites = kept
    world.keep(channel)
    _tell_channel(world, "CHANNEL_UPDATE", channel)


def _tell_channel(world: World, name: str, channel: Channel) -> None:
    body = shape.channel(world, channel)
    visible = None if name in ("CHANNEL_UPDATE", "CHANNEL_DELETE") else channel.id
    only = channel.recipients[0] if channel.type == DIRECT else None
    world.tell(Event(name, lambda viewer: body, channel.guild_id, visible, only))
