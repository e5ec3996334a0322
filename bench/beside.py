"""A line of clips whose files are made beside the next one's frames, or before them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass

from gen.host import Host
from gen.job import Request
from gen.ports import Step


@dataclass(frozen=True)
class Share:
    """How a line went."""

    seconds: float  # a clip
    busy: float  # of the time, the part in which the model was at work


async def line(host: Host, requests: Iterable[Request], *, limit: int, beside: bool) -> Share:
    """Makes the clips as the worker does: the next one as soon as the device is free; without `beside` as
    soon as the one before is there."""
    working, count, began = 0.0, 0, time.perf_counter()

    async def make(request: Request, free: asyncio.Event) -> None:
        last = time.perf_counter()

        def progress(step: Step) -> None:
            nonlocal working, last
            now = time.perf_counter()
            working += now - last if step.stage == "making" else 0.0
            last = now
            if step.off_device and beside:
                free.set()

        try:
            await host.make(request, progress, limit=limit)
        finally:
            free.set()

    async with asyncio.TaskGroup() as group:
        for request in requests:
            free, count = asyncio.Event(), count + 1
            group.create_task(make(request, free), name=f"clip {count}")
            await free.wait()
    wall = time.perf_counter() - began
    return Share(wall / count, working / wall)
