"""`python -m bot` serves, `python -m bot check` says what is right; the only place where all objects meet."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import random
import signal
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import aiohttp
from discord.ui import View

from bot import check, health, housekeeping, lock, logs, reading
from bot.board import Board
from bot.client import Client, Unheard, direct
from bot.delivery import Delivery
from bot.desk import Desk
from bot.gallery.opening import WHOLE, Opening
from bot.health import Health
from bot.housekeeping import Housekeeper
from bot.machine import Chooser, weights
from bot.meter import Meter
from bot.post import Post
from bot.preflight import Preflight
from bot.settings import Settings, load
from commands import replies
from commands.catalogues import Translator
from commands.consent import Consent
from commands.house import House
from commands.register import register
from db.ledger import Ledger
from gen.courier import Courier
from gen.darkroom import Darkroom
from gen.errors import EngineError, Misconfigured, Unwritten, ZoetropeError
from gen.host import Host
from gen.job import Job, Task
from gen.layers import veiled
from gen.office import Office
from gen.outlook import Place
from gen.process import Patience
from gen.queue import Queue
from gen.recipe import Recipe, heavy
from gen.shelf import Shelf
from gen.studio import Studio
from gen.turn import Warmth
from gen.worker import Worker

log = logging.getLogger("bot")

#: What the program does when it is called, as a word of a sentence.
DEEDS = {"serve": "start", "check": "be checked", "backup": "back up", "restore": "restore"}
#: `EX_CONFIG` of sysexits.h: the operator must act, starting again will not help.
MISCONFIGURED = 78
#: `EX_TEMPFAIL`: nothing is wrong here, starting again will help.
LATER = 75


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What all else stands on; whatever of it was opened is closed at the end."""

    settings: Settings
    ledger: Ledger
    session: aiohttp.ClientSession
    darkroom: Darkroom
    client: Client
    engine: Host
    recipes: dict[str, Recipe]  # one, for all who read it; so are the defaults
    defaults: dict[Task, str]
    gallery: Opening | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The way of a job, from its being asked for to its clip in the channel."""

    preflight: Preflight
    queue: Queue
    board: Board
    meter: Meter
    studio: Studio


async def serve(settings: Settings) -> None:
    """Runs the bot until cancelled. Raises Misconfigured."""
    if not settings.token:
        raise Misconfigured(
            "DISCORD_TOKEN is not set; `make run` without it opens a chat page on this machine."
        )
    direct(settings.discord)
    unwanted = reading.unwanted(settings)
    async with AsyncExitStack() as stack:
        ground = await _ground(settings, stack)
        client, ledger = ground.client, ground.ledger
        chooser = Chooser(ground.recipes, ground.defaults)
        chooser.begin(settings)
        line = _line(ground, Preflight(settings.data, room=settings.files.room, lexicon=unwanted))
        stack.push_async_callback(line.queue.aclose)
        office = Office(ledger.people, line.queue, operators=settings.operators.users)
        register(client, client.tree, _house(ground, line, office, chooser))

        await client.tree.set_translator(Translator())
        await client.enter(settings.token)
        await client.sync(settings.data / "commands.sha256")
        watched = Health(line.studio, line.meter, gateway=lambda: health.gateway(client))
        await stack.enter_async_context(health.served(watched, settings.health.port))
        await office.restore()
        if ground.gallery:
            client.removed = ledger.taken_away
            opened = ground.gallery.opened(client, ground.session, line.studio, ledger)
            await stack.enter_async_context(opened)
        line.board.adopt([*await line.studio.resume(), *await ledger.lingering()])
        async with asyncio.TaskGroup() as group:
            group.create_task(_choose(chooser, ground), name="warm-up")  # before any clip
            group.create_task(client.listen(), name="gateway")
            group.create_task(line.studio.run(), name="studio")
            group.create_task(line.board.serve(), name="board")
            group.create_task(_housekeeper(ground).serve(), name="housekeeping")


async def _ground(settings: Settings, stack: AsyncExitStack) -> Ground:
    stack.enter_context(lock.hold(settings.data))
    ledger = await stack.enter_async_context(Ledger.open(settings.database))
    session = await stack.enter_async_context(aiohttp.ClientSession())
    darkroom = await stack.enter_async_context(Darkroom(settings.data, environ=os.environ))
    gallery = Opening.of(settings)
    removals = gallery is not None  # what is deleted is to vanish there, too
    client = await stack.enter_async_context(Client(silence=settings.gateway.silence, removals=removals))
    recipes = dict(settings.recipe)
    return Ground(
        settings=settings,
        ledger=ledger,
        session=session,
        darkroom=darkroom,
        client=client,
        engine=await stack.enter_async_context(_engine(settings, recipes)),
        recipes=recipes,
        defaults=settings.defaults(),
        gallery=gallery,
    )


def _line(ground: Ground, preflight: Preflight) -> Line:
    settings, recipes, ledger = ground.settings, ground.recipes, ground.ledger
    queue = Queue(
        {name: role.tier for name, role in settings.tier.items()},
        per_guild=settings.queue.per_guild,
        warmth=lambda: Warmth(heavy(recipes), settings.engine.warm, ground.engine.warm),
    )

    def draw(job: Job, place: Place | None) -> tuple[str, View]:
        return replies.ticket(job, place, recipe=recipes.get(job.request.recipe), paused=queue.paused)

    post, links = Post(ground.client), ground.gallery.links if ground.gallery else None
    board = Board(post, ledger, lambda: studio.places(), draw, previews=settings.data / "previews")
    delivery = Delivery(
        post, board, ground.darkroom, settings.data / "clips", recipes, links=links,
        veils=lambda job: veiled(job, studio.force(job.asker.user, None), restricted=False),
    )  # fmt: skip
    meter = Meter(delivery)
    worker = Worker(
        queue,
        ground.engine,
        ledger,
        patience=settings.engine.patience,
        show=meter.show,
        limit=lambda job: max(job.asker.limit, WHOLE if ground.gallery else 0),
    )
    studio = Studio(
        recipes=recipes,
        defaults=ground.defaults,
        queue=queue,
        worker=worker,
        courier=Courier(worker.ended, meter, ledger, refund=queue.refund),
        ledger=ledger,
        darkroom=ground.darkroom,
        shelf=Shelf(settings.data),
        chance=random.SystemRandom(),
        policy=settings.policies(),
        preflight=preflight,
    )
    return Line(preflight=preflight, queue=queue, board=board, meter=meter, studio=studio)


def _house(ground: Ground, line: Line, office: Office, chooser: Chooser) -> House:
    settings, studio = ground.settings, line.studio
    desk = Desk(ground.client, ground.session, settings, studio.force, office.tiers)
    reload = partial(reading.again, settings.path, os.environ, chooser, line.preflight)
    consent = Consent(settings.rules.text, studio.choices)
    link = ground.gallery.links.to if ground.gallery else None
    return House(studio, line.board, desk, office, reload, consent, lambda: chooser.plan, link=link)


def _housekeeper(ground: Ground) -> Housekeeper:
    settings, files = ground.settings, ground.settings.files
    return Housekeeper(settings.data, settings.database, ground.ledger, days=files.days, clips=files.clips)


def _engine(settings: Settings, recipes: Mapping[str, Recipe]) -> Host:
    return Host(
        recipes,
        settings.data,
        cache=weights(settings.data),
        environ=os.environ,
        device=settings.engine.device,
        warm=settings.engine.warm,
        idle=settings.engine.idle,
        patience=Patience(least=settings.engine.stall, unsure=settings.engine.stall),
    )


async def _choose(chooser: Chooser, ground: Ground) -> None:
    """Settles what commands take on this machine, starts the children and loads a model ahead of the first
    request; one that does not start is tried again with it."""

    async def load() -> None:
        await chooser.look(ground.settings, ground.engine)
        log.info("%s", check.unseen(chooser.recipes))
        await ground.engine.start(chooser.defaults[Task.TEXT])

    try:
        await asyncio.gather(load(), ground.darkroom.start())
    except EngineError as error:
        log.warning("%s", error)


def _loop() -> asyncio.AbstractEventLoop:
    """uvloop's, which spends a sixth less of the processor on a job."""
    if sys.platform == "win32":
        return asyncio.new_event_loop()
    import uvloop  # Windows has none

    return uvloop.new_event_loop()


async def _until_signalled(settings: Settings) -> None:
    """Serves until SIGINT or SIGTERM; running jobs are then taken up at the next start."""
    task = asyncio.current_task()
    if task and sys.platform != "win32":
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await serve(settings)


def _the_operators(error: BaseException) -> ZoetropeError | None:
    """The error that the operator can mend or wait for, wherever in a group it is."""
    if isinstance(error, BaseExceptionGroup):
        return next(filter(None, map(_the_operators, error.exceptions)), None)
    return error if isinstance(error, Misconfigured | Unheard | Unwritten) else None


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m bot", description="Zoetrope, a Discord bot that makes clips."
    )
    parser.add_argument("deed", nargs="?", choices=list(DEEDS), default="serve")
    parser.add_argument("file", nargs="?", type=Path, help="the copy that backup writes or restore reads")
    given = parser.parse_args()
    deed, file = given.deed, given.file
    if (file is None) == (deed in ("backup", "restore")):
        parser.error(f"{deed} needs a file" if file is None else f"{deed} takes no file")
    path = Path(os.environ.get("ZOETROPE_CONFIG") or Path(__file__).parents[1] / "config.toml")
    try:
        if deed == "check":
            return asyncio.run(check.report(path, os.environ))
        settings = load(path, os.environ)
        if file is not None:
            print((housekeeping.copy if deed == "backup" else housekeeping.put_back)(settings, file))
            return 0
        logs.begin(settings.log)
        with asyncio.Runner(loop_factory=_loop) as runner:
            runner.run(_until_signalled(settings))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 0
    except BaseException as error:
        if (fault := _the_operators(error)) is None:
            raise
        said = "ended" if isinstance(fault, Unwritten) else f"cannot {DEEDS[deed]}"
        print(f"Zoetrope {said}: {fault}", file=sys.stderr)
        return MISCONFIGURED if isinstance(fault, Misconfigured) else LATER
    return 0


if __name__ == "__main__":
    sys.exit(main())
