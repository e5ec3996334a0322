"""`python -m playground [-- COMMAND ...]`: the stand-in, its page, and the bot that is tried on it."""

import argparse
import asyncio
import contextlib
import errno
import os
import signal
import sys
from pathlib import Path

from playground.server import HOST, LOOPBACK, Playground
from playground.store import Taken

PORT = 8470
MISCONFIGURED = 78
GRACE = 8.0
LONGEST_PAUSE = 30.0


def main(arguments: list[str]) -> int:
    options = _parse(arguments)
    if options.host not in LOOPBACK:
        print(f"The playground listens on this machine only: use --host {HOST}.", file=sys.stderr)
        return MISCONFIGURED
    return asyncio.run(_run(options))


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m playground", description="A local stand-in for Discord, with a page to talk to a bot."
    )
    parser.add_argument("--host", default=HOST, help="a name of this machine (%(default)s)")
    parser.add_argument("--port", type=int, default=PORT, help="%(default)s; a free one if it is taken")
    parser.add_argument(
        "--data", type=Path, help="a folder to keep the world in; without it, it is forgotten"
    )
    parser.add_argument(
        "--redirect", action="append", default=[], help="an address to which people may sign in (OAuth2)"
    )
    parser.add_argument("--relaxed", action="store_true", help="no rate limits")
    parser.add_argument("command", nargs="*", help="the bot to start, after --")
    return parser.parse_args(arguments)


async def _run(options: argparse.Namespace) -> int:
    try:
        place = _started(options)
    except Taken as taken:
        print(taken, file=sys.stderr)
        return MISCONFIGURED
    if options.relaxed:
        place.limits.relax()
    stopped = asyncio.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sign, stopped.set)
    print(f"Open {place.url} in a browser. Ctrl-C stops.", flush=True)
    try:
        if not options.command:
            await stopped.wait()
            return 0
        return await _keep_running(place, options.command, stopped)
    finally:
        await asyncio.to_thread(place.stop)


def _started(options: argparse.Namespace) -> Playground:
    place = Playground(options.data, host=options.host, port=options.port, judge=False, verify=False)
    place.world.consents.redirects += options.redirect
    try:
        place.start()
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        place.port = 0
        place.start()
    return place


async def _keep_running(place: Playground, command: list[str], stopped: asyncio.Event) -> int:
    """Starts the bot, and again when it ends, a little later each time it ends soon by itself."""
    loop, pause = asyncio.get_running_loop(), 1.0
    while True:
        began = loop.time()
        code = await _one_run(place, command, stopped)
        if stopped.is_set():
            return 0
        if code == MISCONFIGURED:
            print("The bot says what to set right (see above), and was not started again.", flush=True)
            return MISCONFIGURED
        # Whoever kills it wants to see it come again.
        pause = 1.0 if code == -signal.SIGKILL or loop.time() - began > LONGEST_PAUSE else pause
        print(f"The bot ended ({_ending(code)}); it starts again in {pause:.0f} s.", flush=True)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopped.wait(), pause)
            return 0
        pause = min(pause * 2, LONGEST_PAUSE)


async def _one_run(place: Playground, command: list[str], stopped: asyncio.Event) -> int:
    """The bot's exit code; when the playground is stopped, the bot is asked to end, then made to."""
    # In a session of its own, so that Ctrl-C reaches it once, from here.
    leash = [sys.executable, "-m", "playground.leash", str(os.getpid())]
    bot = await asyncio.create_subprocess_exec(
        *leash, *command, env={**os.environ, **place.environ}, start_new_session=True
    )
    ended = asyncio.ensure_future(bot.wait())
    stopping = asyncio.ensure_future(stopped.wait())
    await asyncio.wait((ended, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not ended.done():
        bot.send_signal(signal.SIGTERM)
        done, _ = await asyncio.wait((ended,), timeout=GRACE)
        if not done:
            os.killpg(bot.pid, signal.SIGKILL)
    return await ended


def _ending(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
