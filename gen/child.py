"""The engine's own process, spoken to in JSON lines: frames, clips of them, or people's files.

    in    {"id", "do": "make", "request", "recipe", "reel", "found"}       only started with mode "engine"
          {"id", "do": "load", "recipe"}                                 only started with mode "engine"
          {"id", "do": "fetch", "recipe"}                                only started with mode "engine"
          {"id", "do": "describe"}                                       only started with mode "engine"
          {"id", "do": "film", "reel", "request", "file", "limit"}       only started with mode "film"
          {"id", "do": "picture", "file", "name"}                        only started with mode "media"
          {"id", "do": "video", "file", "name"}                          only started with mode "media"
          {"id", "do": "fit", "source", "file", "limit"}                 only started with mode "media"
          {"id", "do": "thumbnail", "source"}                            only started with mode "media"
          {"do": "cancel", "id"}
    out   {"say": "ready", "pid"}  {"say": "log", "level", "text"}
          {"say": "progress", "id", "stage", "done", "total", "preview"}
          {"say": "done", "id", "value"}  {"say": "cancelled", "id"}  {"say": "error", "id", "failure"}
          {"say": "warm", "names"}, when it changed: whose models are loaded, the last used last

When its input ends, whoever started it is gone: it ends at once, so that no orphan holds the card.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gen.errors import FULL, EngineDied, EngineError, ZoetropeError
from gen.job import Failure
from gen.wire import Cancelled, Log, Wire

log = logging.getLogger("gen.child")

Do = Callable[[Mapping[str, Any]], dict[str, Any]]

POISONED = 70  # exit code after an error that spoils the device's context
_SPOILED = ("CUDA error", "CUDNN_STATUS", "cuDNN error", "CUBLAS_STATUS", "HIP error", "device-side assert")


def main(settings: Mapping[str, Any]) -> None:
    """Serves commands until the input ends."""
    wire, data = Wire(), Path(settings["data"])
    logging.basicConfig(level=settings["log"], handlers=[Log(wire)])
    does = _DOES[settings["mode"]](wire, data, settings)
    wire.say("ready", pid=os.getpid())
    while True:
        command = wire.next()
        _serve(wire, command, does[command["do"]])


def _engine(wire: Wire, data: Path, settings: Mapping[str, Any]) -> dict[str, Do]:
    _hold_back()
    from gen.engine import Engine  # each mode loads what it needs

    engine = Engine(wire, data, Path(settings["cache"]), settings["device"], settings.get("warm", 1))
    return {"make": engine.make, "load": engine.load, "fetch": engine.fetch, "describe": engine.describe}


def _film(wire: Wire, data: Path, settings: Mapping[str, Any]) -> dict[str, Do]:
    from gen.cutter import Cutter

    return {"film": Cutter(wire, data).film}


def _media(wire: Wire, data: Path, settings: Mapping[str, Any]) -> dict[str, Do]:
    from gen.room import Room, limit

    limit(settings["memory"])
    room = Room(wire, data)
    return {"picture": room.picture, "video": room.video, "fit": room.fit, "thumbnail": room.thumbnail}


#: What is done in each mode.
_DOES: Mapping[str, Callable[[Wire, Path, Mapping[str, Any]], dict[str, Do]]] = {
    "engine": _engine, "film": _film, "media": _media,
}  # fmt: skip


def _hold_back() -> None:
    """Hides packages from libraries that load them wherever they are: by the first they run code from a hub,
    the second takes a second (`gen/models/nibble.py` has it all the same)."""
    for name in ("kernels", "bitsandbytes"):
        sys.modules[name] = None  # type: ignore[assignment]  # the documented way to forbid an import


def _serve(wire: Wire, command: Mapping[str, Any], do: Do) -> None:
    """Does one command and says how it ended. A bug is logged with its traceback: a process is a border."""
    try:
        value = do(command)
    except Cancelled:
        wire.say("cancelled", id=command["id"])
    except Exception as error:
        fault = _fault(error)
        wire.say("error", id=command["id"], failure=asdict(Failure.of(fault)))
        if isinstance(fault, EngineDied):
            os._exit(POISONED)
    else:
        wire.say("done", id=command["id"], value=value)


def _fault(error: Exception) -> ZoetropeError:
    """`error` in our own words."""
    if isinstance(error, ZoetropeError):
        return error
    if isinstance(error, OSError) and error.errno in FULL:
        return EngineError("The disk is full. The owner of this bot must make room.")
    log.error("a bug", exc_info=error)
    if _spoiled(error):
        return EngineDied("The device failed; its engine is started anew.")
    return EngineError("The engine failed on this clip; the operator's log says why.")


def _spoiled(error: Exception) -> bool:
    """Whether the device's context is beyond use: any error of CUDA's but out-of-memory."""
    text = str(error)
    return type(error).__name__ == "AcceleratorError" or any(words in text for words in _SPOILED)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
