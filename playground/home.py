"""Calls that find their own way to the loop where the world lives."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from playground.world import World

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S", bound="AtHome")


class AtHome:
    """Something that lives with a world, on its loop."""

    world: World


def at_home(
    method: Callable[Concatenate[S, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, T]]:
    """Runs the method on the world's own loop, whichever loop it is awaited on."""

    @wraps(method)
    async def hop(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        home = self.world.loop
        if home is None or home is asyncio.get_running_loop():
            return await method(self, *args, **kwargs)
        there = method(self, *args, **kwargs)
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(there, home))

    return hop
