"""A message body as the API takes it: judged by Discord's limits, then put into a message."""

import mimetypes
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from playground import components, pictures
from playground.permissions import Can
from playground.records import COMPONENTS_V2, Attachment, Json, Message
from playground.refusal import Form, Refusal
from playground.world import World

MOST_CONTENT, MOST_EMBEDS, MOST_EMBED_TEXT, MOST_FILES = 2000, 10, 6000, 10
SUPPRESS_EMBEDS, SILENT = 1 << 2, 1 << 12
# Flags that a bot may set on a message; EPHEMERAL is set by interactions alone.
SETTABLE = SUPPRESS_EMBEDS | SILENT | COMPONENTS_V2
EMPTY: Json = {"content": "", "embeds": [], "components": []}
EMBED_LENGTHS = {"title": 256, "description": 4096}


# A name and bytes, with a content type where it is not to be told by the name.
File = tuple[str, bytes] | tuple[str, bytes, str]


@dataclass
class Body:
    """A request's JSON and its files by index, in order."""

    json: Json
    files: dict[int, File] = field(default_factory=dict)


def file_of(
    world: World, channel_id: int, name: str, data: bytes, content_type: str | None = None
) -> Attachment:
    """The record of an uploaded file; pictures and MP4 videos get their size in pixels."""
    clean = re.sub(r"[^\w.\-]", "_", name.strip()) or "unknown"
    kind = content_type or mimetypes.guess_type(clean)[0] or "application/octet-stream"
    width, height = pictures.size(data) or (None, None)
    return Attachment(world.ids.next(), channel_id, clean, len(data), kind, width, height)


def write(
    world: World, message: Message, body: Body, *, limit: int, new: bool, bits: int
) -> list[tuple[Attachment, bytes]]:
    """Puts `body` into `message` and gives the new files to keep with it; refuses without any change.

    limit: bytes per file. bits: the author's permissions (for @everyone). new: a message may not be
    empty, and its flags are as given.
    """
    json = body.json
    if any(len(file[1]) > limit for file in body.files.values()):
        raise Refusal(40005)
    # An edit that does not speak of flags leaves them.
    kept_flags = message.flags if new or json.get("flags") is None else message.flags & ~SUPPRESS_EMBEDS
    flags = (json.get("flags") or 0) & SETTABLE | kept_flags
    fresh = {
        index: (file_of(world, message.channel_id, *file), file[1]) for index, file in body.files.items()
    }
    _describe(json, fresh)
    kept = _kept(world, message, json)
    names = {file.filename for file, _ in fresh.values()} | {world.attachments[one].filename for one in kept}
    _check(json, flags, names, len(kept) + len(fresh), message)
    told = {key: json[key] or empty for key, empty in EMPTY.items() if key in json}
    told["attachments"] = kept + [file.id for file, _ in fresh.values()]
    if not any(told.get(key, getattr(message, key)) for key in (*EMPTY, "attachments")):
        raise Refusal(50006)
    if told.get("embeds"):
        told["embeds"] = [{"type": "rich", **embed} for embed in told["embeds"]]
    if told.get("components"):
        told["components"] = components.numbered(told["components"])
    for key, value in told.items():
        setattr(message, key, value)
    message.flags = flags
    _mention(world, message, json.get("allowed_mentions"), bits)
    return list(fresh.values())


def _describe(json: Json, fresh: dict[int, tuple[Attachment, bytes]]) -> None:
    for note in json.get("attachments") or []:
        number = int(note["id"])
        if number in fresh:
            file = fresh[number][0]
            file.description = note.get("description") or None
            file.title = note.get("title") or None
            if note.get("filename"):
                file.filename = re.sub(r"[^\w.\-]", "_", str(note["filename"]))


def _kept(world: World, message: Message, json: Json) -> list[int]:
    """The files that an edit leaves: those it lists, or all of them where it lists none."""
    if json.get("attachments") is None and "attachments" not in json:
        return list(message.attachments)
    listed = [int(note["id"]) for note in json.get("attachments") or []]
    return [one for one in message.attachments if one in listed]


def _check(json: Json, flags: int, names: set[str], files: int, message: Message) -> None:
    form = Form()
    if json.get("content"):
        form.length(("content",), json["content"], 0, MOST_CONTENT)
    if json.get("nonce") is not None and len(str(json["nonce"])) > 25:
        form.length(("nonce",), str(json["nonce"]), 0, 25)
    if files > MOST_FILES:
        form.wrong(("attachments",), "BASE_TYPE_MAX_LENGTH", f"Must be {MOST_FILES} or fewer in length.")
    known = set(message.attachments) | set(range(MOST_FILES))
    for index, note in enumerate(json.get("attachments") or []):
        if int(note["id"]) not in known:
            form.wrong(("attachments", index, "id"), "ATTACHMENT_NOT_FOUND", "Attachment data not found")
    _check_embeds(form, json.get("embeds") or [])
    allowed = json.get("allowed_mentions") or {}
    for key in ("users", "roles"):
        if key in (allowed.get("parse") or ()) and allowed.get(key):
            form.wrong(("allowed_mentions",), "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE",
                       f'parse:["{key}"] and {key}: [ids...] are mutually exclusive.')  # fmt: skip
    v2 = bool(flags & COMPONENTS_V2)
    if v2:
        for key in ("content", "embeds"):
            if json.get(key) or (key not in json and getattr(message, key)):
                form.wrong(
                    (key,),
                    "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2",
                    "The 'content' and 'embeds' fields cannot be used with MessageFlags.IS_COMPONENTS_V2",
                )
    components.check(form, json.get("components") or [], v2=v2, files=names)
    form.check()


def _check_embeds(form: Form, embeds: list[Json]) -> None:
    if len(embeds) > MOST_EMBEDS:
        form.wrong(("embeds",), "BASE_TYPE_MAX_LENGTH", f"Must be {MOST_EMBEDS} or fewer in length.")
    total = 0
    for index, embed in enumerate(embeds):
        at = ("embeds", index)
        texts = [embed.get(key) or "" for key in EMBED_LENGTHS]
        for key, most in EMBED_LENGTHS.items():
            form.length((*at, key), embed.get(key) or "", 0, most)
        for outer, inner, most in (("footer", "text", 2048), ("author", "name", 256)):
            text = (embed.get(outer) or {}).get(inner) or ""
            form.length((*at, outer, inner), text, 0, most)
            texts.append(text)
        fields = embed.get("fields") or []
        if len(fields) > 25:
            form.wrong((*at, "fields"), "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
        for number, one in enumerate(fields):
            for key, most in (("name", 256), ("value", 1024)):
                form.length((*at, "fields", number, key), one.get(key) or "", 1, most)
                texts.append(one.get(key) or "")
        total += sum(len(text) for text in texts)
    if total > MOST_EMBED_TEXT:
        form.wrong(("embeds",), "MAX_EMBED_SIZE_EXCEEDED", "Embed size exceeds maximum size of 6000")


def _mention(world: World, message: Message, allowed: Json | None, bits: int) -> None:
    """Who is pinged: what the text names, as far as `allowed_mentions` lets it."""
    text = message.content + " ".join(
        str(one.get("content") or "") for _, one in components.walk(message.components)
    )
    users = [int(one) for one in re.findall(r"<@!?(\d+)>", text)]
    roles = [int(one) for one in re.findall(r"<@&(\d+)>", text)]
    everyone = bool(re.search(r"@(everyone|here)\b", text)) and bool(bits & Can.MENTION_EVERYONE)
    if allowed is not None:
        parse: Sequence[str] = allowed.get("parse") or ()
        users = users if "users" in parse else [one for one in users if str(one) in _texts(allowed, "users")]
        roles = roles if "roles" in parse else [one for one in roles if str(one) in _texts(allowed, "roles")]
        everyone = everyone and "everyone" in parse
    replied = world.messages.get(int((message.reference or {}).get("message_id") or 0))
    if replied is not None and message.type == 19 and (allowed is None or allowed.get("replied_user")):
        users.append(replied.author_id)
    message.mentions = list(dict.fromkeys(one for one in users if one in world.users))
    message.mention_roles = list(dict.fromkeys(one for one in roles if one in world.roles))
    message.mention_everyone = everyone


def _texts(allowed: Json, key: str) -> list[str]:
    return [str(one) for one in allowed.get(key) or []]
