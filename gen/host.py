"""An engine in a process of its own: started, heard, cancelled, killed when it hangs, and born again."""

from __future__ import annotations

import asyncio
import itertools
import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Self

from gen.errors import EngineDied, EngineError
from gen.job import Clip, Failure, Reel, Request
from gen.lab import Lab
from gen.machine import Device
from gen.ports import Progress, Step
from gen.process import NICE, Child, Patience, safe
from gen.recipe import Recipe

log = logging.getLogger(__name__)

#: Folders of the data folder that the engine's processes write to.
FOLDERS = ("clips", "pictures", "previews", "reels")


class Host:
    """An `Engine` whose models live in a child, and whose clips' files are made in another beside it.

    The device goes on to the next clip once the lab has taken up the one before: at most one clip's frames
    wait for the lab, with the device.
    """

    def __init__(
        self,
        recipes: Mapping[str, Recipe],
        data: Path,
        *,
        cache: Path,
        environ: Mapping[str, str],
        device: str = "auto",
        warm: int = 1,  # models that are kept loaded, where they fit
        idle: float = 600.0,  # seconds after a clip until the child ends and frees the device; 0: never
        patience: Patience = Patience(),  # noqa: B008 - frozen
        name: Callable[[], str] = lambda: uuid.uuid4().hex,  # of a clip's file
    ) -> None:
        self.recipes = recipes
        self.data = data.resolve()
        self.patience = patience
        self.idle = idle
        self._environ = {
            "PYTORCH_ALLOC_CONF": "expandable_segments:True",
            "PYTORCH_ENABLE_MPS_FALLBACK": "1",  # what Apple's has not, the processor does
            # Threads that spin while they wait make a clip ten times slower on a processor that others use.
            "OMP_WAIT_POLICY": "PASSIVE",
            **safe(environ),
        }
        self._settings = {
            "mode": "engine", "data": str(self.data), "cache": str(cache.resolve()), "device": device,
            "warm": warm,
        }  # fmt: skip
        self.lab = Lab(self.data, self._environ, patience)
        self._name = name
        self._numbers = itertools.count(1)
        self._turn = asyncio.Lock()  # the device's
        self._clips = 0  # under way
        self._child: Child | None = None
        self._rest: asyncio.Task[None] | None = None
        self._ahead: int | None = None  # the command to load a model that no clip has asked for yet
        self._usual: dict[str, float] = {}  # the longest step of each recipe so far

    @property
    def pid(self) -> int | None:
        """The child's process id, while there is one."""
        return self._child.pid if self._child and self._child.alive else None

    @property
    def warm(self) -> tuple[str, ...]:
        """Recipes whose model the child has loaded, the last used last."""
        return self._child.warm if self._child and self._child.alive else ()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def start(self, name: str = "") -> None:
        """Starts the child ahead of its first clip, and has it load that recipe's model if its weights are
        here, and try it if it is compiled; a clip that comes meanwhile ends that. Raises EngineError."""
        async with self._turn:
            self.lab.wake()
            child = await self._ready()
            if name and not self._clips:  # one that came meanwhile loads its own
                self._ahead = next(self._numbers)
                try:
                    await self._told(child, name, lambda step: None, do="load", number=self._ahead)
                finally:
                    self._ahead = None

    async def make(self, request: Request, progress: Progress, *, limit: int, found: str = "refuse") -> Clip:
        """A clip of at most `limit` bytes, judged by its recipe's check. Raises EngineError, NotAllowed.

        Cancelled, it returns once the child has let the job go or is dead: the device is free then.
        """
        recipe = self.recipes.get(request.recipe)
        if recipe is None:
            raise EngineError("The model {model} is no longer here.", model=request.recipe)
        name, last = self._name(), ""

        def tell(step: Step) -> None:
            nonlocal last
            last = step.preview or last
            progress(replace(step, preview=last or None))  # the last picture stays while the file is made

        self._clips += 1
        if self._ahead is not None and self._child:  # a model that is being loaded is loaded, no more
            self._child.tell(id=self._ahead, do="cancel")
        self.lab.wake()
        try:
            reel = await self._framed(recipe, request, name, found, tell)
            try:
                return await self.lab.film(reel, request, f"{name}.mp4", tell, limit=limit)
            finally:
                self.lab.turn.release()
        finally:
            (self.data / "reels" / f"{name}.rgb").unlink(missing_ok=True)
            for preview in (self.data / "previews").glob(f"{name}-*.jpg"):
                preview.unlink(missing_ok=True)
            self._clips -= 1
            if self.idle and not self._clips:
                self._rest = asyncio.create_task(self._sleep(), name="the engine's rest")

    async def _framed(
        self, recipe: Recipe, request: Request, name: str, found: str, progress: Progress
    ) -> Reel:
        """The clip's frames, and the lab's turn, for which the device waits: else frames would pile up."""
        async with self._turn:
            if self._rest:
                self._rest.cancel()
            child, number = await self._ready(), next(self._numbers)
            child.tell(
                id=number, do="make", request=request.to_dict(), recipe=asdict(recipe), reel=f"{name}.rgb",
                found=found,
            )  # fmt: skip
            try:
                reel = Reel.from_dict(await self._heard(child, number, recipe.name, progress))
            except asyncio.CancelledError:
                await child.stop(number, self._grace(recipe.name))
                raise
            await self.lab.turn.acquire()
        return reel

    async def fetch(self, name: str, progress: Progress) -> int:
        """How many bytes of that recipe's weights were missing, and now are here. Raises EngineError."""
        async with self._turn:
            child, number = await self._ready(), next(self._numbers)
            value = await self._told(child, name, progress, do="fetch", number=number)
        return int(value["size"])

    async def _told(
        self, child: Child, name: str, progress: Progress, *, do: str, number: int
    ) -> dict[str, Any]:
        """What came of a command about a recipe; cancelled, it ends the child, which can begin it anew."""
        child.tell(id=number, do=do, recipe=asdict(self.recipes[name]))
        try:
            return await self._heard(child, number, name, progress)
        except asyncio.CancelledError:
            await child.kill()
            raise

    async def describe(self) -> Device:
        """What there is to make clips with; no model is loaded. Raises EngineError."""
        async with self._turn:
            child = await self._ready()
            child.tell(id=next(self._numbers), do="describe")
            try:
                message = await child.hear(self.patience.first)
            except BaseException as error:  # its late answer must meet nobody else
                await child.kill()
                if isinstance(error, TimeoutError):
                    raise EngineDied("The engine stopped answering and was started anew.") from error
                raise
        if message["say"] == "error":
            raise Failure(**message["failure"]).error()
        return Device.of(message["value"])

    async def aclose(self) -> None:
        """Ends the child at once: nothing in it is worth a wait, what it was doing is done anew."""
        if self._rest:
            self._rest.cancel()
            await asyncio.wait([self._rest])
        await self.lab.aclose()
        if self._child:
            await self._child.kill()

    async def _ready(self) -> Child:
        """The living child, or a new one. Raises EngineDied."""
        if self._child is None or not self._child.alive:
            for folder in FOLDERS:
                (self.data / folder).mkdir(parents=True, exist_ok=True)
            self._child = await Child.born(
                self._settings, self._environ, patience=self.patience.start, nice=NICE
            )
        return self._child

    async def _heard(self, child: Child, number: int, recipe: str, progress: Progress) -> dict[str, Any]:
        """Hears the child out; what it was told to do came to that."""
        loop = asyncio.get_running_loop()
        stage, longest, last, between = "starting", 0.0, loop.time(), False
        while True:
            try:
                message = await child.hear(self._silence(recipe, stage, longest if between else None))
            except TimeoutError as error:
                log.error("child %d is silent for too long while %s; killed", child.pid, stage)
                await child.kill()
                raise EngineDied("The engine stopped answering and was started anew.") from error
            now = loop.time()
            if stage == "making":
                longest = max(longest, now - last)
            last = now
            match message["say"]:
                case "progress" if message["id"] == number:
                    stage = message["stage"]
                    between = stage == "making" and 0 < message["done"] < message["total"]
                    progress(Step(stage, message["done"], message["total"], message["preview"]))
                case "done":
                    if longest:
                        self._usual[recipe] = max(longest, self._usual.get(recipe, 0.0))
                    value: dict[str, Any] = message["value"]
                    return value
                case "cancelled":  # a command that gave way
                    return {}
                case "error":
                    fault = Failure(**message["failure"]).error()
                    if isinstance(fault, EngineDied):
                        await child.kill()
                    raise fault

    def _silence(self, recipe: str, stage: str, longest: float | None) -> float:
        """Seconds that the child may say nothing; `longest` is its longest step while it is between two."""
        usual, patience = self._usual.get(recipe), self.patience
        cold = stage in ("fetching", "loading") or (stage == "starting" and recipe not in self.warm)
        if cold or (usual is None and longest is None):
            return patience.first
        if usual is None:
            known = max(patience.unsure, patience.least, patience.times * (longest or 0.0))
            return min(patience.first, known)
        return max(patience.least, patience.times * usual)

    def _grace(self, recipe: str) -> float:
        return max(self.patience.cancel, 3 * self._usual.get(recipe, 0.0))

    async def _sleep(self) -> None:
        """Ends both children after a while without work: that alone frees the device's context."""
        await asyncio.sleep(self.idle)
        async with self._turn:
            if self._child and not self._clips:
                log.info("child %d had nothing to do for %.0f s", self._child.pid, self.idle)
                await self._child.end()
                await self.lab.rest()
