"""`python -m bot check`: what is right, and for what is not, the fix."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path

import aiohttp

from bot import lexicon, machine
from bot.gallery.opening import Opening
from bot.machine import planned, weights
from bot.settings import Settings, load
from db.ledger import Ledger
from gen.errors import ZoetropeError
from gen.host import Host
from gen.machine import Device
from gen.recipe import Recipe

#: What is found, or the ZoetropeError that says the fix.
Finding = Callable[[Settings], Awaitable[str]]


async def report(path: Path, environ: Mapping[str, str], say: Callable[[str], None] = print) -> int:
    """Says a line for each finding; the exit code is 0 when all is well."""
    try:
        settings = load(path, environ)
    except ZoetropeError as error:
        say(f"{'settings':<10} {error}")
        return 1
    say(f"{'settings':<10} ok: {path.name}, {len(settings.recipe)} models")
    wrong = [name async for name in _wrong(settings, say)]
    return 1 if wrong else 0


async def _wrong(settings: Settings, say: Callable[[str], None]) -> AsyncIterator[str]:
    for name, finding in FINDINGS.items():
        try:
            say(f"{name:<10} ok: {await finding(settings)}")
        except (ZoetropeError, OSError) as error:
            say(f"{name:<10} {error}")
            yield name


async def _token(settings: Settings) -> str:
    if not settings.token:
        raise ZoetropeError("DISCORD_TOKEN is not set; make a bot at discord.com/developers.")
    me = f"{settings.discord.api}/users/@me"
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session,
            session.get(me, headers={"Authorization": f"Bot {settings.token}"}) as answer,
        ):
            if answer.status == 401:
                raise ZoetropeError("Discord does not accept DISCORD_TOKEN; copy it anew.")
            answer.raise_for_status()
            return f"Discord knows it as {(await answer.json(content_type=None))['username']}"
    except (aiohttp.ClientError, TimeoutError) as error:
        raise ZoetropeError("Discord cannot be reached: {fault}.", fault=str(error) or "no answer") from error


async def _folders(settings: Settings) -> str:
    with suppress(OSError):
        settings.data.mkdir(parents=True, exist_ok=True)
    if not (settings.data.is_dir() and os.access(settings.data, os.W_OK)):
        raise ZoetropeError("{folder} cannot be written; set ZOETROPE_DATA.", folder=str(settings.data))
    return str(settings.data)


async def _database(settings: Settings) -> str:
    async with Ledger.open(settings.database) as ledger:
        return f"{settings.database.name}, {len(await ledger.unfinished())} jobs unfinished"


async def _disk(settings: Settings) -> str:
    there = next(folder for folder in (settings.data, *settings.data.parents) if folder.exists())
    free = shutil.disk_usage(there).free // 2**20
    if free < settings.files.room:
        raise ZoetropeError(
            "{free} MiB are free and {room} are wanted; make room, or lower files.room.",
            free=free, room=settings.files.room,
        )  # fmt: skip
    return f"{free // 1024} GiB free"


async def _engine(settings: Settings) -> str:
    device = await _device(settings)
    return "\n".join(
        [engine(device), *(f"{'':<14} {line}" for line in machine.report(planned(settings, device)))]
    )


async def _device(settings: Settings) -> Device:
    async with Host(
        settings.recipe, settings.data, cache=weights(settings.data), environ=os.environ,
        device=settings.engine.device,
    ) as host:  # fmt: skip
        return await host.describe()


def engine(device: Device) -> str:
    """The engine in one line. Raises ZoetropeError."""
    if not device.h264:
        raise ZoetropeError("PyAV was built without H.264; install av from requirements.txt.")
    memory = f", {device.free:.1f} of {device.total:.1f} GiB free" if device.total else ""
    if any(device.capability):
        memory = f", compute capability {'.'.join(map(str, device.capability))}{memory}"
    if device.total and device.dtype:
        memory += f", {device.dtype}, {'4-bit' if device.slim else 'no 4-bit'} text encoders"
    return f"{f'torch {device.torch}' if device.torch else 'no torch'}, {device.name}{memory}, H.264"


async def _gallery(settings: Settings) -> str:
    opening = Opening.of(settings)
    return f"people find it at {opening.links.base}" if opening else "off"


async def _words(settings: Settings) -> str:
    if settings.lexicon is None:
        return "no words are unwanted; words.file can name some"
    return f"{len(lexicon.read(settings.lexicon))} patterns of unwanted words"


async def _checks(settings: Settings) -> str:
    return unseen(settings.recipe)


def unseen(recipes: Mapping[str, Recipe]) -> str:
    """Whose clips are posted without a check of their frames, in one line."""
    on = [recipe for recipe in recipes.values() if recipe.on]
    if not any(recipe.check for recipe in on):
        return "no model has a check of its frames: what comes out is posted unseen"
    seen = ", ".join(f"{one.name} by {one.check.name}" for one in on if one.check)
    bare = ", ".join(one.name for one in on if not one.check)
    return f"frames are checked: {seen}" + (f"; posted unseen: {bare}" if bare else "")


FINDINGS: Mapping[str, Finding] = {
    "token": _token,
    "folders": _folders,
    "database": _database,
    "disk": _disk,
    "words": _words,
    "checks": _checks,
    "engine": _engine,
    "gallery": _gallery,
}
