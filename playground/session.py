"""One client of the gateway: what its session may hear and was told, and the websocket it hangs on."""

from __future__ import annotations

import asyncio
import json
import secrets
import zlib
from collections import deque
from collections.abc import Callable

from aiohttp import web

from playground.events import Event
from playground.records import Json

DISPATCH = 0
GUILDS, MEMBERS_INTENT, CONTENT = 1 << 0, 1 << 1, 1 << 15
PRIVILEGED = 1 << 1 | 1 << 8 | 1 << 15
ALL_INTENTS = (1 << 26) - 1
# By the beginning of an event's name: the intent in a guild, and in private.
GATES: tuple[tuple[str, int, int], ...] = (
    ("MESSAGE_REACTION", 1 << 10, 1 << 13),
    ("MESSAGE", 1 << 9, 1 << 12),
    ("TYPING", 1 << 11, 1 << 14),
    ("GUILD_MEMBER", MEMBERS_INTENT, 0),
    ("GUILD", GUILDS, 0),
    ("CHANNEL", GUILDS, 1 << 12),
    ("THREAD", GUILDS, 0),
)
WORDS = {
    4001: "Unknown opcode.", 4002: "Error while decoding payload.", 4003: "Not authenticated.",
    4004: "Authentication failed.", 4005: "Already authenticated.", 4007: "Invalid `seq`.",
    4008: "Rate limited.",
    4009: "Session timed out.", 4010: "Invalid shard.", 4012: "Invalid API version.",
    4013: "Invalid intent(s).", 4014: "Disallowed intent(s).",
}  # fmt: skip
MOST_KEPT = 10_000
Squeeze = Callable[[bytes], bytes]


class Session:
    """One identified client: what it may hear, what it was told, and its connection while it has one."""

    def __init__(self, shard: tuple[int, int], intents: int) -> None:
        self.id = secrets.token_hex(16)
        self.shard = shard
        self.intents = intents
        self.sequence = 0
        self.sent: deque[tuple[int, str]] = deque(maxlen=MOST_KEPT)
        self.line: Line | None = None
        self.lost: asyncio.TimerHandle | None = None

    def hears(self, event: Event) -> bool:
        number, count = self.shard
        home = 0 if event.guild_id is None else (event.guild_id >> 22) % count
        if home != number:
            return False
        for start, in_guild, direct in GATES:
            if event.name.startswith(start):
                return bool(self.intents & (direct if event.guild_id is None else in_guild))
        return True

    def dispatch(self, name: str, data: Json) -> str:
        """Tells an event, now or when the client is back; gives what was written."""
        self.sequence += 1
        text = json.dumps({"op": DISPATCH, "t": name, "s": self.sequence, "d": data})
        self.sent.append((self.sequence, text))
        if self.line is not None:
            self.line.put(text)
        return text


class Line:
    """One websocket and what waits to be sent on it."""

    def __init__(self, ws: web.WebSocketResponse, request: web.Request, squeeze: Squeeze | None) -> None:
        self.ws = ws
        self.request = request
        self.squeeze = squeeze
        self.session: Session | None = None
        self.heard = asyncio.get_running_loop().time()
        self._queue: asyncio.Queue[str | int] = asyncio.Queue()
        self._said: deque[float] = deque()

    def said(self, most: int, per: float) -> bool:
        """Counts one more payload of the client; whether it may still speak."""
        now = asyncio.get_running_loop().time()
        self._said.append(now)
        while self._said[0] < now - per:
            self._said.popleft()
        return len(self._said) <= most

    def put(self, payload: str | Json) -> None:
        self._queue.put_nowait(payload if isinstance(payload, str) else json.dumps(payload))

    def end(self, code: int) -> None:
        """Closes with a code, after what was put before."""
        self._queue.put_nowait(code)

    def cut(self) -> None:
        """Cuts the connection: no close frame."""
        if self.request.transport is not None:
            self.request.transport.abort()

    async def write(self, open: asyncio.Event) -> None:
        """Sends what is put, while `open` is set."""
        while not self.ws.closed:
            item = await self._queue.get()
            await open.wait()
            if isinstance(item, int):
                await self.ws.close(code=item, message=WORDS.get(item, "").encode())
            elif self.squeeze is None:
                await self.ws.send_str(item)
            else:
                await self.ws.send_bytes(self.squeeze(item.encode()))


def squeeze(name: str) -> Squeeze | None:
    """The transport compression a client asked for: each message ends with a flush."""
    if name == "zlib-stream":
        stream = zlib.compressobj()
        return lambda data: stream.compress(data) + stream.flush(zlib.Z_SYNC_FLUSH)
    if name == "zstd-stream":
        return _zstd()
    return None


def _zstd() -> Squeeze:
    try:
        from compression import zstd  # type: ignore[import-not-found,unused-ignore]  # Python 3.14 has it
    except ImportError:
        import zstandard  # type: ignore[import-not-found,unused-ignore]  # a client that asks has it

        writer = zstandard.ZstdCompressor().compressobj()
        block = zstandard.COMPRESSOBJ_FLUSH_BLOCK
        return lambda data: bytes(writer.compress(data) + writer.flush(block))
    packer = zstd.ZstdCompressor()
    return lambda data: bytes(packer.compress(data, packer.FLUSH_BLOCK))
