"""The settings: one file, a few environment variables, one frozen value."""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

from gen import layers
from gen.errors import Misconfigured
from gen.job import Task
from gen.machine import AUTO, Table
from gen.queue import Tier
from gen.recipe import Recipe
from gen.recipe import load as load_recipes

#: Where the real Discord is. Other addresses must be on this machine's loopback.
API = "https://discord.com/api/v10"
GATEWAY = "wss://gateway.discord.gg/"
CDN = "https://cdn.discordapp.com"
#: Hosts of Discord's own that hand out attachments.
CDN_HOSTS = frozenset({"cdn.discordapp.com", "media.discordapp.net"})
DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True)
class Discord:
    """Addresses; they come from the environment only."""

    api: str = API
    gateway: str = GATEWAY
    cdn: str = CDN

    @property
    def real(self) -> bool:
        """Whether this is Discord itself and no stand-in."""
        return self == Discord()

    @property
    def authorize(self) -> str:
        """Where people let an application know who they are: beside the API, for browsers."""
        parts = urlsplit(self.api)
        return f"{parts.scheme}://{parts.netloc}/oauth2/authorize"


@dataclass(frozen=True)
class Gateway:
    """The connection on which Discord tells what happens."""

    silence: float = 60.0


@dataclass(frozen=True)
class Role:
    """A tier, and the ids of the roles that have it."""

    roles: tuple[int, ...] = ()
    waiting: int = 5
    rate: int = 20
    period: float = 60.0
    weight: float = 1.0

    @property
    def tier(self) -> Tier:
        """What the queue needs of it."""
        return Tier(self.waiting, self.rate, self.period, self.weight)


@dataclass(frozen=True)
class Default:
    """The recipe of each task when nobody names one; "auto" is the best that the machine has room for."""

    text: str = AUTO
    image: str = AUTO
    interp: str = AUTO
    video: str = AUTO


@dataclass(frozen=True)
class Line:
    """The queue."""

    per_guild: int = 0


@dataclass(frozen=True)
class Engine:
    """The engine's process. `stall` is how long it may be silent where its usual step is known."""

    device: str = "auto"
    patience: float = 900.0
    stall: float = 120.0
    idle: float = 900.0
    warm: int = 1


@dataclass(frozen=True)
class Files:
    """People's files and ours."""

    upload: int = 25
    room: int = 500
    days: int = 90
    clips: int = 10240


@dataclass(frozen=True)
class Words:
    """What nobody is to ask for."""

    file: str = ""


@dataclass(frozen=True)
class Policy:
    """What holds where a server did not choose, and the mildest that it may choose."""

    words: str = "refuse"
    nsfw: str = "spoiler"
    spoiler: str = "off"
    least_words: str = "refuse"
    least_nsfw: str = "spoiler"


@dataclass(frozen=True)
class Operators:
    """Who may use /admin, by id."""

    users: tuple[int, ...] = ()


@dataclass(frozen=True)
class Rules:
    """What people accept before their first clip."""

    text: str = ""


@dataclass(frozen=True)
class Log:
    """What the program prints."""

    level: str = "INFO"
    format: str = "text"


@dataclass(frozen=True)
class Health:
    """The address on this machine that says how the bot is."""

    port: int = 0


@dataclass(frozen=True)
class Gallery:
    """The page of people's clips."""

    port: int = 0
    host: str = "127.0.0.1"
    url: str = ""
    client: int = 0
    days: float = 7.0

    @property
    def base(self) -> str:
        """Its address as people see it, without a slash at its end."""
        return self.url.rstrip("/").lower() or f"http://127.0.0.1:{self.port}"


@dataclass(frozen=True)
class Settings:
    """All of it. `token` and `client_secret` never print."""

    path: Path
    data: Path
    token: str = field(repr=False, default="")
    client_secret: str = field(repr=False, default="")
    discord: Discord = Discord()
    gateway: Gateway = Gateway()
    default: Default = Default()
    queue: Line = Line()
    tier: Mapping[str, Role] = field(default_factory=lambda: {"everyone": Role()})
    engine: Engine = Engine()
    files: Files = Files()
    words: Words = Words()
    policy: Policy = Policy()
    operators: Operators = Operators()
    rules: Rules = Rules()
    log: Log = Log()
    health: Health = Health()
    gallery: Gallery = Gallery()
    recipe: Mapping[str, Recipe] = field(default_factory=dict)
    auto: Table = field(default_factory=Table)

    @property
    def lexicon(self) -> Path | None:
        """The file of unwanted words."""
        return self.path.parent / self.words.file if self.words.file else None

    @property
    def database(self) -> Path:
        """The ledger's file."""
        return self.data / "zoetrope.db"

    def defaults(self) -> dict[Task, str]:
        """The recipe of each task when nobody names one, or "auto"."""
        return {task: getattr(self.default, task) for task in Task}

    def policies(self) -> layers.Policy:
        """What servers may choose within."""
        said = self.policy
        return layers.Policy(
            {
                "words": layers.Words(said.words),
                "nsfw": layers.Nsfw(said.nsfw),
                "spoiler": layers.Spoiler(said.spoiler),
            },
            {"words": layers.Words(said.least_words), "nsfw": layers.Nsfw(said.least_nsfw)},
        )


def load(path: Path, environ: Mapping[str, str]) -> Settings:
    """The settings in `path` and `environ`. Raises Misconfigured naming key, value and what was wanted."""
    tables = _tables(path)
    file = path.name
    known = {
        "auto", "default", "gateway", "queue", "tier", "engine", "files", "words", "policy", "operators",
        "rules", "log", "health", "gallery", "recipe", "check",
    }  # fmt: skip
    if unknown := sorted(set(tables) - known):
        _unknown(f"{file}: {unknown[0]}", unknown[0], known)
    recipes = load_recipes(tables.get("recipe", {}), tables.get("check", {}), where=file)
    settings = Settings(
        path=path,
        data=Path(environ.get("ZOETROPE_DATA") or path.parent / "data").absolute(),
        token=environ.get("DISCORD_TOKEN", "").strip(),
        client_secret=environ.get("DISCORD_CLIENT_SECRET", "").strip(),
        discord=_discord(environ),
        gateway=_read(Gateway, tables.get("gateway", {}), f"{file}: gateway"),
        default=_read(Default, tables.get("default", {}), f"{file}: default"),
        queue=_read(Line, tables.get("queue", {}), f"{file}: queue"),
        tier={"everyone": Role()}
        | {
            name: _read(Role, table, f"{file}: tier.{name}") for name, table in tables.get("tier", {}).items()
        },
        engine=_read(Engine, tables.get("engine", {}), f"{file}: engine"),
        files=_read(Files, tables.get("files", {}), f"{file}: files"),
        words=_read(Words, tables.get("words", {}), f"{file}: words"),
        policy=_read(Policy, tables.get("policy", {}), f"{file}: policy"),
        operators=_read(Operators, tables.get("operators", {}), f"{file}: operators"),
        rules=_read(Rules, tables.get("rules", {}), f"{file}: rules"),
        log=_read(Log, tables.get("log", {}), f"{file}: log"),
        health=_read(Health, tables.get("health", {}), f"{file}: health"),
        gallery=_read(Gallery, tables.get("gallery", {}), f"{file}: gallery"),
        recipe=recipes,
        auto=Table.read(tables.get("auto", {}), recipes, f"{file}: auto"),
    )
    _check(settings, file)
    return settings


def _tables(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise Misconfigured("{file} is missing; the project ships one.", file=path.name) from error
    except (OSError, ValueError) as error:
        raise Misconfigured("{file} cannot be read: {fault}.", file=path.name, fault=str(error)) from error


def above(value: float) -> bool:
    """Above 0 and finite; TOML has words for numbers that are neither."""
    return 0 < value < math.inf


def from_nought(value: float) -> bool:
    """0 or above, and finite."""
    return 0 <= value < math.inf


def public(address: str) -> bool:
    """Whether people may be sent there: a scheme and a host, and perhaps a port."""
    try:
        parts = urlsplit(address)
        plain = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return False
    return bool(plain) and address.rstrip("/") == f"{parts.scheme}://{parts.netloc}" and "@" not in address


#: Kinds of policies, each with the mildest first.
POLICIES: Mapping[str, type[StrEnum]] = {
    "words": layers.Words, "least_words": layers.Words, "nsfw": layers.Nsfw, "least_nsfw": layers.Nsfw,
    "spoiler": layers.Spoiler,
}  # fmt: skip

#: What a setting must be so that the bot can work with it.
LIMITS: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    ("gateway.silence", above, "above 0"),
    ("queue.per_guild", from_nought, "0 (no cap) or above"),
    ("engine.device", lambda name: bool(DEVICE.fullmatch(name)), '"auto", "cuda", "cuda:1", "mps" or "cpu"'),
    ("engine.patience", above, "above 0"),
    ("engine.stall", above, "above 0"),
    ("engine.idle", from_nought, "0 (never) or above"),
    ("engine.warm", above, "1 or above"),
    ("files.upload", above, "above 0"),
    ("files.room", from_nought, "0 or above"),
    ("files.days", from_nought, "0 (all are kept) or above"),
    ("files.clips", from_nought, "0 (no bound) or above"),
    *(
        (f"policy.{key}", {*kind}.__contains__, ", ".join(f'"{one}"' for one in kind))
        for key, kind in POLICIES.items()
    ),
    ("rules.text", lambda text: len(text) <= 1500, "at most 1500 characters"),
    ("log.level", LEVELS.__contains__, '"DEBUG", "INFO", "WARNING" or "ERROR"'),
    ("log.format", ("text", "json").__contains__, '"text" or "json"'),
    ("health.port", lambda port: 0 <= port < 65536, "from 0 (off) to 65535"),
    ("gallery.port", lambda port: 0 <= port < 65536, "from 0 (off) to 65535"),
    ("gallery.url", lambda url: not url or public(url), 'like "https://clips.example.org", without a path'),
    ("gallery.client", from_nought, "0 (the bot's own) or an application's id"),
    ("gallery.days", above, "above 0"),
)


def _check(settings: Settings, file: str) -> None:
    for key, works, wanted in LIMITS:
        table, name = key.split(".")
        if not works(value := getattr(getattr(settings, table), name)):
            raise Misconfigured(
                "{file}: {key} is {value}; it must be {wanted}.",
                file=file, key=key, value=f"“{value}”" if isinstance(value, str) else value, wanted=wanted,
            )  # fmt: skip
    for task, name in settings.defaults().items():
        fitting = [one.name for one in settings.recipe.values() if one.task == task and one.on]
        if name == AUTO and task is Task.VIDEO:
            continue  # none that follows a video need be on
        if name not in fitting and not (fitting and name == AUTO):
            raise Misconfigured(
                "{file}: default.{task} is “{name}”; there are {fitting}.",
                file=file, task=task, name=name, fitting=", ".join(fitting) or "none",
            )  # fmt: skip
    for name, role in settings.tier.items():
        for key in ("waiting", "rate", "period", "weight"):
            if not above(value := getattr(role, key)):
                raise Misconfigured(
                    "{file}: tier.{name}.{key} is {value}; it must be above 0.",
                    file=file, name=name, key=key, value=value,
                )  # fmt: skip


def _discord(environ: Mapping[str, str]) -> Discord:
    given = {key: environ.get(f"ZOETROPE_DISCORD_{key.upper()}", "") for key in ("api", "gateway", "cdn")}
    for key, address in given.items():
        if address and urlsplit(address).hostname not in LOOPBACK:
            raise Misconfigured(
                "ZOETROPE_DISCORD_{key} is {address}; it must be on this machine (127.0.0.1), or unset.",
                key=key.upper(),
                address=address,
            )
    if not any(given.values()):
        return Discord()
    if not all(given.values()):
        raise Misconfigured("ZOETROPE_DISCORD_API, _GATEWAY and _CDN must be set together, or none of them.")
    return Discord(given["api"].rstrip("/"), given["gateway"], given["cdn"].rstrip("/"))


def _read(kind: type[Any], table: Any, where: str) -> Any:
    if not isinstance(table, dict):
        raise Misconfigured("{where} must be a table.", where=where)
    hints = get_type_hints(kind)
    for key in table:
        if key not in hints:
            _unknown(f"{where}.{key}", key, hints)
    return kind(**{key: _value(hints[key], value, f"{where}.{key}") for key, value in table.items()})


def _value(kind: Any, value: Any, where: str) -> Any:
    if get_origin(kind) is tuple and isinstance(value, list):
        return tuple(_value(get_args(kind)[0], item, where) for item in value)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        words = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
        raise Misconfigured(
            "{where} is {value}; it must be {wanted}.",
            where=where, value=repr(value), wanted=words.get(kind, "a list"),
        )  # fmt: skip
    return value


def _unknown(where: str, key: str, known: Any) -> None:
    near = difflib.get_close_matches(key, known, 3) or sorted(known)
    raise Misconfigured("{where} is unknown; there are {keys}.", where=where, keys=", ".join(near))
