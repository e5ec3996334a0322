"""What the world is made of: plain records, each kept on disk as one row."""

from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

Json = dict[str, Any]

TEXT, DIRECT, GROUP, THREAD = 0, 1, 3, 11
EPHEMERAL, LOADING, COMPONENTS_V2 = 1 << 6, 1 << 7, 1 << 15


@dataclass
class Record:
    """One row: `kind` names the table it lives in, `key` the row."""

    kind: ClassVar[str] = ""

    @property
    def key(self) -> str:
        return str(self.id)  # type: ignore[attr-defined]  # every record but Member has an id

    def body(self) -> Json:
        return asdict(self)


@dataclass
class User(Record):
    kind: ClassVar[str] = "user"
    id: int
    username: str
    global_name: str | None = None
    bot: bool = False
    locale: str = "en-US"
    dms_closed: bool = False
    installed: bool = False  # the person has added the bot to their own account


@dataclass
class Role(Record):
    kind: ClassVar[str] = "role"
    id: int
    guild_id: int
    name: str
    permissions: int
    position: int = 0
    color: int = 0


@dataclass
class Member(Record):
    kind: ClassVar[str] = "member"
    guild_id: int
    user_id: int
    joined: float
    roles: list[int] = field(default_factory=list)
    nick: str | None = None

    @property
    def key(self) -> str:
        return f"{self.guild_id}:{self.user_id}"


@dataclass
class Guild(Record):
    """`file_limit` is what interactions promise, in bytes; `true_file_limit` what an upload is held to."""

    kind: ClassVar[str] = "guild"
    id: int
    name: str
    owner_id: int
    locale: str = "en-US"
    premium_tier: int = 0
    file_limit: int = 10 << 20
    true_file_limit: int | None = None


@dataclass
class Channel(Record):
    """A text channel (type 0), one private with the bot (1) or among people (3), or a thread (11).

    `overwrites` are as Discord writes them.

    `nsfw` is a text channel's: it is age-restricted, and so are its threads, which carry no such field.
    """

    kind: ClassVar[str] = "channel"
    id: int
    type: int
    name: str = ""
    guild_id: int | None = None
    parent_id: int | None = None
    position: int = 0
    topic: str | None = None
    overwrites: list[Json] = field(default_factory=list)
    recipients: list[int] = field(default_factory=list)
    owner_id: int | None = None
    archived: bool = False
    locked: bool = False
    nsfw: bool = False
    last_message_id: int | None = None


@dataclass
class Attachment(Record):
    """A file; its bytes lie in the store under its id."""

    kind: ClassVar[str] = "attachment"
    id: int
    channel_id: int
    filename: str
    size: int
    content_type: str
    width: int | None = None
    height: int | None = None
    description: str | None = None
    title: str | None = None
    ephemeral: bool = False


@dataclass
class Message(Record):
    """`only` is the one person who sees it (a private answer); reactions are {"emoji", "users"} in order."""

    kind: ClassVar[str] = "message"
    id: int
    channel_id: int
    author_id: int
    content: str = ""
    type: int = 0
    flags: int = 0
    edited: float | None = None
    embeds: list[Json] = field(default_factory=list)
    components: list[Json] = field(default_factory=list)
    attachments: list[int] = field(default_factory=list)
    reactions: list[Json] = field(default_factory=list)
    mentions: list[int] = field(default_factory=list)
    mention_roles: list[int] = field(default_factory=list)
    mention_everyone: bool = False
    nonce: str | None = None
    reference: Json | None = None
    interaction: Json | None = None
    application_id: int | None = None
    only: int | None = None
    tts: bool = False


@dataclass
class Command(Record):
    """An application command as it was synced; `guild_id` None means everywhere."""

    kind: ClassVar[str] = "command"
    id: int
    guild_id: int | None
    version: int
    definition: Json


@dataclass
class Interaction(Record):
    """What a person asked of the bot, and how far it got.

    state: "pending" (no answer yet), "answered", or "failed" (no answer within the deadline).
    type: 2 command, 3 component, 4 autocomplete, 5 modal. answer: the type of the first answer.
    message_id: the first answer's message (for a component's update: the message the component is on).
    """

    kind: ClassVar[str] = "interaction"
    id: int
    token: str
    type: int
    user_id: int
    channel_id: int
    guild_id: int | None
    data: Json
    born: float
    source_message_id: int | None = None
    state: str = "pending"
    answer: int | None = None
    message_id: int | None = None
    followups: list[int] = field(default_factory=list)
    modal: Json | None = None
    choices: list[Json] | None = None
    trigger: Json | None = None


KINDS: tuple[type[Record], ...] = (
    User, Role, Member, Guild, Channel, Attachment, Message, Command, Interaction,
)  # fmt: skip
