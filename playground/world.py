"""The state of the stand-in: people, places, messages, commands; every change is kept, then told.

What a page needs of it: `snapshot(user_id)` for the start, `subscribe(user_id)` for what follows, and a
`playground.person.Person` for what its user does. The page itself is `playground/page.py`, which gives
`routes(world: World) -> list[aiohttp.web.AbstractRouteDef]`; the server adds them beside its own
(`/api/v10`, `/gateway`, `/cdn`) and guards all of them by Host and Origin.
"""

import asyncio
import secrets
import time
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any, TypeVar

from playground import shape, view
from playground.consent import Consents
from playground.events import Event, Subscription
from playground.interactions import Interactions
from playground.links import Links
from playground.permissions import ALL, DIRECT, EVERYONE, NEEDS_SENDING, Can, in_channel, in_guild
from playground.records import (
    GROUP,
    KINDS,
    THREAD,
    Attachment,
    Channel,
    Command,
    Guild,
    Interaction,
    Json,
    Member,
    Message,
    Record,
    Role,
    User,
)
from playground.refusal import Refusal
from playground.snowflake import Snowflakes, seconds
from playground.store import Store

T = TypeVar("T")


class World:
    """All that there is. Lives on one event loop (`loop`); only that loop's thread may change it.

    clock: seconds since 1970. answer_within and token_lives: an interaction's two deadlines, in seconds.
    privileged: the privileged intents that the application was granted (Discord's bits).
    """

    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self.store = store
        self.clock = clock
        self.loop: asyncio.AbstractEventLoop | None = None
        self.answer_within = 3.0
        self.token_lives = 900.0
        self.nonce_lives = 300.0
        self.privileged = 0
        self.bot_online = False
        self.ids = Snowflakes(clock)
        self.users: dict[int, User] = {}
        self.guilds: dict[int, Guild] = {}
        self.roles: dict[int, Role] = {}
        self.members: dict[tuple[int, int], Member] = {}
        self.channels: dict[int, Channel] = {}
        self.messages: dict[int, Message] = {}
        self.attachments: dict[int, Attachment] = {}
        self.commands: dict[int, Command] = {}
        self.interactions: dict[int, Interaction] = {}
        # By channel, its messages' ids in order.
        self.history: defaultdict[int, dict[int, None]] = defaultdict(dict)
        self._ears: list[Callable[[Event], None]] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._read()
        self.token = store.fact("token", "playground." + secrets.token_urlsafe(24))
        self.links = Links(store.fact("secret", secrets.token_hex(32)), clock)
        self.application_id = self.bot_id = int(store.fact("bot_id", str(self.ids.next())))
        if self.bot_id not in self.users:
            self.keep(User(self.bot_id, "zoetrope", bot=True))
        self.asked = Interactions(self)
        secret = store.fact("client_secret", "playground." + secrets.token_urlsafe(24))
        self.consents = Consents(self.application_id, secret, clock)

    # What is kept

    def _shelf(self, record: Record) -> tuple[dict[Any, Any], Any]:
        if isinstance(record, Member):
            return self.members, (record.guild_id, record.user_id)
        shelves: dict[str, dict[Any, Any]] = {
            "user": self.users, "role": self.roles, "guild": self.guilds, "channel": self.channels,
            "message": self.messages, "attachment": self.attachments, "command": self.commands,
            "interaction": self.interactions,
        }  # fmt: skip
        return shelves[record.kind], int(record.key)

    def _read(self) -> None:
        for kind in KINDS:
            for body in self.store.rows(kind.kind):
                record = kind(**body)
                shelf, key = self._shelf(record)
                shelf[key] = record
                if not isinstance(record, Member):
                    self.ids.skip_past(key)
        for message_id in sorted(self.messages):
            self.history[self.messages[message_id].channel_id][message_id] = None
        for path in self.store.files.iterdir():
            if not path.name.isdecimal() or int(path.name) not in self.attachments:
                path.unlink()  # a kill came between a file and its message
        self._nonced = deque((one for one in sorted(self.messages) if self.messages[one].nonce), 1000)

    def keep(self, *records: Record) -> None:
        """Puts new or changed records on disk and in memory; tells nobody."""
        self.store.put(*records)
        for record in records:
            shelf, key = self._shelf(record)
            shelf[key] = record
        self.stir()

    def forget(self, *records: Record) -> None:
        self.store.drop(*records)
        for record in records:
            shelf, key = self._shelf(record)
            shelf.pop(key, None)

    # What is told

    def listen(self, ear: Callable[[Event], None]) -> Callable[[], None]:
        """Calls `ear` with every event, on the world's loop; the answer stops it."""
        self._ears.append(ear)
        return lambda: self._ears.remove(ear) if ear in self._ears else None

    def tell(self, event: Event) -> None:
        for ear in tuple(self._ears):
            ear(event)
        self.stir()

    def stir(self) -> None:
        """Something changed: those who wait in `until` look again."""
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def until(self, predicate: Callable[[], T], timeout: float = 40.0) -> T:
        """Waits until `predicate` gives something true, and gives that; looks again at every change.

        On the world's loop only. TimeoutError after `timeout` seconds.
        """
        async with asyncio.timeout(timeout):
            while not (found := predicate()):
                future = asyncio.get_running_loop().create_future()
                self._waiting.append(future)
                await future
        return found

    def subscribe(self, user_id: int, take: Callable[[Json], None] | None = None) -> Subscription:
        """What this person's client is told from now on: `async for event in ...: event["t"], event["d"]`.

        `take`, if given, is called with each event instead.

        Discord-shaped, with ids as strings:
        - MESSAGE_CREATE, MESSAGE_UPDATE: the whole message (flags & 64: private; flags & 128: thinking).
        - MESSAGE_DELETE {"id", "channel_id"}.
        - MESSAGE_REACTION_ADD, MESSAGE_REACTION_REMOVE {"user_id", "channel_id", "message_id", "emoji"};
          MESSAGE_REACTION_REMOVE_ALL {"channel_id", "message_id"}, MESSAGE_REACTION_REMOVE_EMOJI.
        - TYPING_START {"channel_id", "user_id", "timestamp"}.
        - CHANNEL_CREATE, CHANNEL_UPDATE, CHANNEL_DELETE, THREAD_CREATE, THREAD_DELETE: the channel.
        And the client's own, only to the person concerned:
        - INTERACTION_CREATE {"id", "type", "channel_id", "name", "message_id"}: sent, unanswered.
        - INTERACTION_SUCCESS {"id"}: answered in time.
        - INTERACTION_FAILURE {"id", "type", "channel_id", "name", "message_id", "text"}:
          text is “The application did not respond”.
        - INTERACTION_MODAL_CREATE {"id", "custom_id", "title", "components"}: open it; hand this very
          object to `Person.submit`.
        - COMMANDS_UPDATE {"commands": [...]}: the commands as synced (all guilds').
        - BOT_PRESENCE {"online": bool}.
        """

        subscription = Subscription(lambda one: stop(), lambda event: view.sees(self, event, user_id), take)
        stop = self.listen(subscription.offer)
        return subscription

    def snapshot(self, user_id: int, limit: int = 50) -> Json:
        """What this person's client shows at the start, Discord-shaped, ids as strings:

        {"me": user, "people": [user], "bot": {"user": user, "online": bool}, "application_id": id,
         "guilds": [{"id", "name", "channels": [channel or thread, each with "permissions": bits as text]}],
         "dms": [channel], "commands": [command with "guild_id" if of one guild],
         "messages": {channel_id: [the last `limit` messages, oldest first, this person's private ones too]},
         "pending": [{"id", "type", "channel_id", "name", "message_id"} of this person's unanswered ones]}
        """
        return view.snapshot(self, user_id, limit)

    def last(self, channel_id: int, viewer: int, limit: int) -> list[Json]:
        """A channel's last messages as one person sees them, oldest first."""
        return view.last(self, channel_id, viewer, limit)

    # Who may do what

    def permissions(self, user_id: int, channel_id: int) -> int:
        """The permission bits of a user in a channel; 0 where the channel cannot be seen."""
        channel = self.channels.get(channel_id)
        if channel is None:
            return 0
        if channel.guild_id is None:
            inside = (*channel.recipients, self.bot_id) if channel.type != GROUP else channel.recipients
            return DIRECT if user_id in inside else 0
        guild = self.guilds.get(channel.guild_id)
        member = self.members.get((channel.guild_id, user_id))
        if guild is None or member is None:
            return 0
        place = self.channels.get(channel.parent_id or 0, channel) if channel.type == THREAD else channel
        roles = (one for one in self.roles.values() if one.guild_id == guild.id)
        bits = in_channel(in_guild(guild, member, roles), place, guild, member)
        if channel.type == THREAD and bits != ALL:
            may_send = bits & Can.SEND_MESSAGES_IN_THREADS
            bits = bits | Can.SEND_MESSAGES if may_send else bits & ~Can.SEND_MESSAGES
        return bits if bits & Can.SEND_MESSAGES else bits & ~NEEDS_SENDING

    def can(self, user_id: int, channel_id: int, wanted: Can) -> bool:
        return self.permissions(user_id, channel_id) & wanted == wanted

    def away(self, channel_id: int) -> bool:
        """Whether the bot is no member there: who brought it along can call it, and it can but answer."""
        channel = self.channels[channel_id]
        if channel.guild_id is None:
            return channel.type == GROUP
        return (channel.guild_id, self.bot_id) not in self.members

    def file_limit(self, guild_id: int | None, *, promised: bool = False) -> int:
        """The most bytes one file may have: as interactions promise it, or as uploads are held to it."""
        guild = self.guilds.get(guild_id or 0)
        if guild is None:
            return 10 << 20
        return guild.file_limit if promised or guild.true_file_limit is None else guild.true_file_limit

    # Messages

    def message(self, channel_id: int, message_id: int) -> Message:
        """The message, or 10008 where it is not."""
        found = self.messages.get(message_id)
        if found is None or found.channel_id != channel_id:
            raise Refusal(10008)
        return found

    def by_nonce(self, nonce: str) -> Message | None:
        """The bot's message that carried this nonce in the last minutes."""
        since = self.clock() - self.nonce_lives
        for message_id in reversed(self._nonced):
            message = self.messages.get(message_id)
            if seconds(message_id) < since:
                return None
            if message is not None and message.nonce == nonce:
                return message
        return None

    def post(self, message: Message, *files: tuple[Attachment, bytes]) -> Message:
        """A new message, with its files' bytes, kept and told."""
        for file, data in files:
            self.store.write(file.id, data)
        channel = self.channels[message.channel_id]
        if message.only is None:
            channel.last_message_id = message.id
        self.keep(*(file for file, _ in files), message, channel)
        self.history[message.channel_id][message.id] = None
        if message.nonce is not None:
            self._nonced.append(message.id)
        self._tell_message("MESSAGE_CREATE", message)
        return message

    def edit(self, message: Message, *files: tuple[Attachment, bytes]) -> Message:
        """A message that was changed, kept and told."""
        for file, data in files:
            self.store.write(file.id, data)
        self.keep(*(file for file, _ in files), message)
        self._tell_message("MESSAGE_UPDATE", message)
        return message

    def _tell_message(self, name: str, message: Message) -> None:
        channel = self.channels[message.channel_id]
        self.tell(
            Event(
                name,
                lambda viewer: shape.message_event(self, message, viewer),
                channel.guild_id if message.only is None else None,
                channel.id,
                message.only,
            )
        )

    def drop_files(self, ids: list[int]) -> None:
        """Files that no message has any more."""
        self.forget(*[self.attachments[one] for one in ids])
        for one in ids:
            self.store.path(one).unlink(missing_ok=True)

    def remove(self, message: Message) -> None:
        """The message goes, its files with it."""
        self.forget(message)
        self.drop_files(message.attachments)
        self.history[message.channel_id].pop(message.id, None)
        channel = self.channels.get(message.channel_id)
        body = {"id": str(message.id), "channel_id": str(message.channel_id)}
        if channel is not None and channel.guild_id is not None and message.only is None:
            body["guild_id"] = str(channel.guild_id)
        guild_id = channel.guild_id if channel and message.only is None else None
        self.tell(Event("MESSAGE_DELETE", lambda viewer: body, guild_id, message.channel_id, message.only))

    # Reactions

    @staticmethod
    def reaction(message: Message, emoji: Json) -> Json | None:
        """The row {"emoji", "users"} of an emoji, if anyone reacted with it."""
        return next((one for one in message.reactions if _same(one["emoji"], emoji)), None)

    def react(self, message: Message, emoji: Json, user_id: int) -> None:
        """Adds a reaction; the second time is no change and no event."""
        row = self.reaction(message, emoji)
        if row is None:
            if len(message.reactions) >= 20:
                raise Refusal(30010)
            row = {"emoji": emoji, "users": []}
            message.reactions.append(row)
        if user_id in row["users"]:
            return
        row["users"].append(user_id)
        self.keep(message)
        self._tell_reaction("MESSAGE_REACTION_ADD", message, emoji, user_id)

    def unreact(self, message: Message, emoji: Json, user_id: int) -> None:
        row = self.reaction(message, emoji)
        if row is None or user_id not in row["users"]:
            return
        row["users"].remove(user_id)
        if not row["users"]:
            message.reactions.remove(row)
        self.keep(message)
        self._tell_reaction("MESSAGE_REACTION_REMOVE", message, emoji, user_id)

    def clear_reactions(self, message: Message, emoji: Json | None = None) -> None:
        """All of them, or all of one emoji."""
        message.reactions = [one for one in message.reactions if emoji and not _same(one["emoji"], emoji)]
        self.keep(message)
        name = "MESSAGE_REACTION_REMOVE_EMOJI" if emoji else "MESSAGE_REACTION_REMOVE_ALL"
        self._tell_reaction(name, message, emoji, None)

    def _tell_reaction(self, name: str, message: Message, emoji: Json | None, user_id: int | None) -> None:
        channel = self.channels[message.channel_id]
        body: Json = {"channel_id": str(channel.id), "message_id": str(message.id)}
        if emoji is not None:
            body["emoji"] = emoji
        if user_id is not None:
            body |= {"user_id": str(user_id), "burst": False, "type": 0}
        if channel.guild_id is not None:
            body["guild_id"] = str(channel.guild_id)
        member = self.members.get((channel.guild_id or 0, user_id or 0))
        if name == "MESSAGE_REACTION_ADD":
            body["message_author_id"] = str(message.author_id)
            if member is not None:
                body["member"] = shape.member(self, member)
        self.tell(Event(name, lambda viewer: body, channel.guild_id, channel.id))

    def type_in(self, channel_id: int, user_id: int) -> None:
        channel = self.channels[channel_id]
        body: Json = {
            "channel_id": str(channel_id),
            "user_id": str(user_id),
            "timestamp": int(self.clock()),
        }
        if channel.guild_id is not None:
            body["guild_id"] = str(channel.guild_id)
            body["member"] = shape.member(self, self.members[channel.guild_id, user_id])
        self.tell(Event("TYPING_START", lambda viewer: body, channel.guild_id, channel_id))

    def set_bot_online(self, online: bool) -> None:
        if online != self.bot_online:
            self.bot_online = online
            self.tell(Event("BOT_PRESENCE", lambda viewer: {"online": online}, bot=False))

    def user_named(self, name: str) -> User:
        """A person by user name or shown name, whatever the case."""
        for user in self.users.values():
            if name.casefold() in (user.username.casefold(), (user.global_name or "").casefold()):
                return user
        raise KeyError(f"Nobody is called {name}; there are {[one.username for one in self.users.values()]}.")


def _same(one: Json, other: Json) -> bool:
    """Whether two emojis are one: by id, else by name without the mark that asks for the coloured form."""
    if one.get("id") or other.get("id"):
        return one.get("id") == other.get("id")
    return str(one["name"]).replace("\ufe0f", "") == str(other["name"]).replace("\ufe0f", "")


__all__ = ["EVERYONE", "World"]
