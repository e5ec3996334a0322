"""What tests say to the bot and read of it, as a person in a channel."""

from __future__ import annotations

from typing import Any

from playground import places
from playground.person import Deed, Person
from playground.server import Playground
from tests.running import read

PRIVATE = 1 << 6


async def newcomer(place: Playground, name: str) -> Person:
    """Someone whose lane is empty."""
    await place.do(places.add_person, name, place.guild)
    return place.person(name)


def shown(place: Playground, channel: int, person: Person) -> list[dict[str, Any]]:
    return place.world.last(channel, person.id, 100)


def clip(place: Playground, channel: int, person: Person, words: str) -> dict[str, Any] | None:
    """The message of the person's clip whose text has those words."""
    mine = f"<@{person.id}>"
    for message in reversed(shown(place, channel, person)):
        if message["attachments"] and message["content"].startswith(mine) and words in message["content"]:
            return message
    return None


def clips_of(place: Playground, channel: int, person: Person, words: str) -> int:
    """How many clips of the person have those words."""
    messages = shown(place, channel, person)
    mine = [one for one in messages if one["content"].startswith(f"<@{person.id}>") and one["attachments"]]
    return sum(words in one["content"] for one in mine)


async def until_clip(
    place: Playground, channel: int, person: Person, words: str, timeout: float = 30
) -> dict[str, Any]:
    return await place.until(lambda: clip(place, channel, person, words), timeout)


async def refusal(place: Playground, deed: Deed, *, late: bool = False) -> str:
    """What the person alone reads; the channel shows nothing of it."""
    if late:
        await place.until(lambda: deed.followups and deed.original is None)
        (answer,) = deed.followups
    else:
        answer = await deed.message()
    assert answer["flags"] & PRIVATE, answer
    return str(answer["content"])


def ticket_of(place: Playground, channel: int, person: Person, words: str) -> dict[str, Any] | None:
    """The ticket with those words."""
    for message in reversed(shown(place, channel, person)):
        if not message["attachments"] and words in message["content"]:
            return message
    return None


def buttons(message: dict[str, Any]) -> list[str]:
    rows = (row for row in message["components"] if row["type"] == 1)
    return [one["custom_id"] for row in rows for one in row["components"]]


def button(message: dict[str, Any], deed: str) -> str:
    return next(one for one in buttons(message) if one.startswith(deed + ":"))


async def pressed(person: Person, message: dict[str, Any], deed: str) -> Deed:
    return await person.press(int(message["id"]), button(message, deed))


async def made(place: Playground, channel: int, person: Person, words: str) -> dict[str, Any]:
    deed = await person.slash(channel, "animate", {"prompt": words, "seconds": 0.5, "aspect": "4:3"})
    message = await until_clip(place, channel, person, words.split(" -")[0])
    await place.until(lambda: deed.original is None)  # the ticket goes once all is done
    return message


async def history(person: Person, channel: int) -> str:
    return read(await (await person.slash(channel, "history")).message())
