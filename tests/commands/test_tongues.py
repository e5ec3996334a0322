"""Whoever speaks Chinese or Japanese reads no English: answers of the real bot, looked through for it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from commands.catalogues import LANGUAGES, catalogue
from gen.prompt import FLAGS
from gen.recipe import shipped
from playground import places
from playground.permissions import Can
from playground.person import Deed, Person
from playground.records import Guild
from playground.server import Playground
from tests.running import Bot, picture, running
from tests.speaking import button, pressed, ticket_of, until_clip

RECIPES = shipped(Path(__file__).parents[2] / "config.toml")
#: What is called so in every language: products, formats, units, what is typed or stands in a file.
NAMES = {
    "Zoetrope", "Discord", "Shapes", "JavaScript", "safetensors", "pickle", "torch", "hub", "XT",
    "AnimateDiff", "AnimateLCM", "ControlNet", "FastWan", "FramePack", "LTX", "Lightning", "Stable",
    "Diffusion", "Video", "Wan", "v2", "v3", "B", "x",
    "GIF", "JPEG", "MOV", "MP4", "PNG", "WebM", "WebP", "ZIP", "GPU", "DM", "https",
    "GiB", "MiB", "KiB", "fps", "id", "ID", "s", "min",
    "config", "toml", "operators", "users", "HF", "TOKEN", "depth", "pose",
    "private", "favourites", "none", "no", "on", "resume", "model", "a", "b", "cw", "ccw",
    "everyone", "ar", "pan", "zoom", "rotate", "in", "out", "up", "down", "left", "right",
    "red", "star", "moving", "blue", "stripes",
    "English", "clips", "gone", "video", "text", "plain",
    "C", "Python", "compile",
}  # fmt: skip
COMMANDS = {
    "admin", "animate", "img2vid", "interp", "cancel", "queue", "history", "show", "info", "models", "help",
    "privacy", "prefer",
}  # fmt: skip
WORD = re.compile("[A-Za-z][A-Za-z0-9]*")
KNOWN = {
    *NAMES, *COMMANDS, *(flag.name for flag in FLAGS),
    *(word for one in RECIPES.values() for word in WORD.findall(f"{one.name} {one.licence}")),
}  # fmt: skip
#: What is no text: marks of Discord's, addresses, ids, and what stands in code.
MARKS = re.compile(
    r"```.*?```|`[^`]*`|<[^>\s]*>|\]\([^)]*\)|https://\S+|\b[a-z0-9]{10}\b|\w+\.(png|txt)", re.S
)
#: In each language a prompt, and words for what is not there.
LIMIT = {"zh-CN": "频道的文件大小上限", "ja": "チャンネルのファイルサイズ上限"}
SPOKEN = {"zh-CN": ("一颗红色的星星", "没有"), "ja": ("赤い星", "ない")}


def english(text: str) -> set[str]:
    """The words of Latin letters that are none of the names."""
    return set(WORD.findall(MARKS.sub(" ", text))) - KNOWN


def test_no_english_word_is_looked_over() -> None:
    assert english("见 `code here` 和 <@12> 在 [这里](https://x.y/z) -fps 12 config.toml") == set()
    assert english("再 roll 一次 Reroll") == {"roll", "Reroll"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_has_no_english_left(language: str) -> None:
    bare = {text: re.sub(r"\{\w+\}", "", translated) for text, translated in catalogue(language).items()}
    assert {text: left for text, said in bare.items() if (left := english(said))} == {}


#: Parts of a message that hold what people typed, or who they are.
APART = ("author", "attachments", "referenced_message", "interaction", "interaction_metadata", "value")


def said(part: Any, key: str = "") -> Iterator[str]:
    """Every text in a message, a form or its parts, but for what the person typed."""
    if isinstance(part, dict):
        for name, value in part.items():
            if name not in (
                "author",
                "attachments",
                "referenced_message",
                "interaction",
                "interaction_metadata",
                "value",
            ):
                yield from said(value, name)
    elif isinstance(part, list):
        for one in part:
            yield from said(one, key)
    elif key in ("content", "label", "placeholder", "title", "description", "name") and isinstance(part, str):
        yield part


class Reader:
    """Someone who calls for answers and keeps what is English in them."""

    def __init__(self, place: Playground, channel: int, person: Person, language: str) -> None:
        self.place, self.channel, self.person, self.language = place, channel, person, language
        self.found: list[str] = []
        self.count = 0

    def look(self, where: str, message: Any) -> None:
        self.count += 1
        self.found += [f"{where}: {text}" for text in said(message) if english(text)]

    async def ask(self, name: str, **options: Any) -> Any:
        """Calls a command and looks at its answer."""
        return await self.answered(name, await self.person.slash(self.channel, name, options))

    async def answered(self, where: str, deed: Deed) -> Any:
        await self.place.until(
            lambda: deed.modal or deed.followups or (deed.original and not deed.original["flags"] & 128)
        )
        answer = deed.modal or (deed.followups or [deed.original])[0]
        self.look(where, answer)
        return answer


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Playground, Bot]]:
    async with running(tmp_path_factory.mktemp("tongues")) as pair:
        yield pair


async def refusals(reader: Reader, words: str) -> None:
    for flags in ("-fps 99", "-zoom 3", "-camera pan up down", "-ar 7:7", "-seed x", "-smooth 5", "-neg",
                  "-model gone", "-model camera", "-seconds 11", "-gs 2"):  # fmt: skip
        await reader.ask("animate", prompt=f"{words} {flags}")
    await reader.ask("animate", prompt="-fps 12")
    await reader.ask("img2vid", image=("broken.png", b"no picture"))
    await reader.ask("interp", first=("a.png", picture()), last=("b.txt", b"x"))
    for name in ("cancel", "queue", "history", "admin status"):
        channel = reader.channel if name != "admin status" else await reader.person.direct()
        await reader.answered(name, await reader.person.slash(channel, name, {}))
    await reader.ask("cancel", clip="0000000000")
    await reader.ask("show", clip="0000000000")
    await reader.ask("history", search=SPOKEN[reader.language][1])


async def panels(reader: Reader) -> None:
    for name in ("help", "models", "info", "prefer", "privacy delete", "privacy export"):
        await reader.ask(name)
    panel = await reader.ask("settings")
    for page in ("channels", "policies", "limits"):
        deed = await reader.person.press(int(panel["id"]), f"settings-page:{page}")
        await deed.settled()
        reader.look(page, next(one for one in reader.place.world.last(reader.channel, reader.person.id, 5)
                               if one["id"] == panel["id"]))  # fmt: skip
    await reader.ask("settings", waiting=99)
    await reader.ask("prefer", suffix="-fps 99")


async def a_clip(reader: Reader, words: str) -> None:
    place, channel, person = reader.place, reader.channel, reader.person
    deed = await person.slash(channel, "animate", {"prompt": f"{words} -seconds 2 -camera zoom in"})
    ticket = await place.until(lambda: deed.original or ticket_of(place, channel, person, words))
    reader.look("ticket", ticket)
    await reader.ask("queue")
    clip = await until_clip(place, channel, person, words, 60)
    reader.look("clip", clip)
    for deed_ in ("info", "keep", "remix", "letter"):
        await reader.answered(deed_, await pressed(person, clip, deed_))
    form = await pressed(person, clip, "remix")
    await form.settled()
    assert form.modal
    await reader.answered("returned", await person.submit(form.modal, {"words": "-fps 99"}))
    for one in await person.history(await person.direct()):
        reader.look("letter", one)
    for name in ("history", "info", "models"):
        await reader.ask(name)
    await reader.ask("history", favourites=True)
    await reader.ask("show", clip=button(clip, "info").partition(":")[2])


async def a_squeezed_clip(reader: Reader, words: str, guild: Guild) -> None:
    """One that had to be made smaller for the channel, and says so."""
    usual, guild.file_limit = guild.file_limit, 20_000
    await reader.person.slash(
        reader.channel, "animate", {"prompt": f"{words} 9 -seconds 3", "model": "testcard"}
    )
    clip = await until_clip(reader.place, reader.channel, reader.person, f"{words} 9", 60)
    guild.file_limit = usual
    place, shown = reader.place, int(clip["id"])  # its reaction comes last, and may be forbidden next
    await place.until(lambda: place.world.messages[shown].reactions)
    assert LIMIT[reader.language] in clip["content"]
    reader.look("squeezed", clip)
    info = await reader.answered("squeezed, info", await pressed(reader.person, clip, "info"))
    assert LIMIT[reader.language] in info["content"]


async def forbidden(reader: Reader, words: str) -> None:
    """The bot lacks permissions there, which are named."""
    place = reader.place
    channel, me = place.world.channels[reader.channel], place.world.users[place.world.bot_id]
    await place.do(places.allow, channel, me, deny=Can.ATTACH_FILES | Can.READ_MESSAGE_HISTORY)
    await reader.ask("animate", prompt=words)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("language", LANGUAGES)
async def test_no_answer_has_english_in_it(house: tuple[Playground, Bot], language: str) -> None:
    place, _ = house
    words = SPOKEN[language][0]
    user = await place.do(places.add_person, f"reader-{language}", None, language)
    guild = await place.do(places.add_guild, f"town-{language}", user)
    channel = await place.do(places.add_channel, guild, "clips")
    reader = Reader(place, channel.id, place.person(user.username), language)
    await refusals(reader, words)
    await panels(reader)
    await a_clip(reader, words)
    await a_squeezed_clip(reader, words, guild)
    await forbidden(reader, words)
    assert reader.count > 45
    assert "\n".join(reader.found) == ""
