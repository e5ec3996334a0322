"""The gateway: who is connected, what each session is told, and how a connection is lost."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import WSMsgType, web

from playground import shape
from playground.events import Event
from playground.home import AtHome, at_home
from playground.journal import Journal
from playground.records import Json
from playground.session import ALL_INTENTS, CONTENT, GUILDS, PRIVILEGED, WORDS, Line, Session, squeeze
from playground.world import World

DISPATCH, HEARTBEAT, IDENTIFY, PRESENCE, VOICE, RESUME, RECONNECT, MEMBERS, INVALID, HELLO, ACK = (
    0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11,
)  # fmt: skip
MOST_BYTES = 4096


class Gateway(AtHome):
    """All sessions of the bot's token. Every session gets every event that its intents and shard let in.

    heartbeat: seconds between beats that clients are told. patience: how long one may be late at least.
    longest_gap: the longest time between two heartbeats of a session so far; a stalled bot shows here.
    session_lives: how long a lost connection may be resumed, in seconds. most_said: how many payloads a
    client may send within how many seconds, before 4008.
    """

    def __init__(self, world: World, journal: Journal) -> None:
        self.world = world
        self.journal = journal
        self.url = ""
        self.shards = 1
        self.heartbeat = 41.25
        self.patience = 5.0
        self.session_lives = 120.0
        self.most_said = (120, 60.0)
        self.sessions: dict[str, Session] = {}
        self.lines: set[Line] = set()
        self.identifies = 0
        self.resumes = 0
        self.beats = 0
        self.longest_gap = 0.0
        self._twice = 0
        self._open: asyncio.Event | None = None
        world.listen(self._hear)

    @property
    def connected(self) -> int:
        """How many sessions have a connection."""
        return sum(one.line is not None for one in self.sessions.values())

    # What happens in the world

    def _hear(self, event: Event) -> None:
        if not event.bot or not self.sessions or not self._may_hear(event):
            return
        whole: Json | None = None
        text = ""
        twice, self._twice = self._twice > 0, max(self._twice - 1, 0)
        for session in list(self.sessions.values()):
            if session.hears(event):
                whole = event.shape(self.world.bot_id) if whole is None else whole
                data = whole if session.intents & CONTENT else self._without_content(event.name, whole)
                for _ in range(2 if twice else 1):
                    text = session.dispatch(event.name, data)
        if whole is not None:
            self.journal.add("event", text[:200])

    def _may_hear(self, event: Event) -> bool:
        world = self.world
        if event.guild_id is not None and (event.guild_id, world.bot_id) not in world.members:
            return False
        if event.channel_id is None or event.only is not None:
            return True
        return bool(world.permissions(world.bot_id, event.channel_id))

    def _without_content(self, name: str, body: Json) -> Json:
        """Others' words are hidden without the intent, unless they are said in private or name the bot."""
        bot = str(self.world.bot_id)
        if name not in ("MESSAGE_CREATE", "MESSAGE_UPDATE") or "guild_id" not in body:
            return body
        if body["author"]["id"] == bot or any(one["id"] == bot for one in body["mentions"]):
            return body
        return {**body, "content": "", "embeds": [], "attachments": [], "components": []}

    # One connection

    async def connect(self, request: web.Request) -> web.WebSocketResponse:
        """Serves one websocket from hello to its end."""
        ws = web.WebSocketResponse(max_msg_size=1 << 20)
        await ws.prepare(request)
        line = Line(ws, request, squeeze(request.query.get("compress", "")))
        self.lines.add(line)
        self._open = self._open or _set_event()
        writer = asyncio.create_task(line.write(self._open), name="gateway writer")
        watcher = asyncio.create_task(self._watch(line), name="gateway heartbeats")
        try:
            line.put({"op": HELLO, "d": {"heartbeat_interval": round(self.heartbeat * 1000), "_trace": []}})
            if request.query.get("v") != "10":
                line.end(4012)
            await self._listen(line)
        finally:
            self._lose(line)
            for task in (writer, watcher):
                task.cancel()
            await asyncio.gather(writer, watcher, return_exceptions=True)
        return ws

    async def _listen(self, line: Line) -> None:
        async for message in line.ws:
            if not line.said(*self.most_said):
                line.end(4008)
                continue
            if message.type is not WSMsgType.TEXT or len(message.data) > MOST_BYTES:
                line.end(4002)
                continue
            try:
                payload = json.loads(message.data)
                self._take(line, payload["op"], payload.get("d"))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                self.journal.add("gateway", f"4002 {message.data[:200]}: {error!r}")
                line.end(4002)

    def _take(self, line: Line, op: int, data: Any) -> None:
        if op == HEARTBEAT:
            now = asyncio.get_running_loop().time()
            if line.session is not None:
                self.beats += 1
                self.longest_gap = max(self.longest_gap, now - line.heard)
                self.world.stir()
            line.heard = now
            line.put({"op": ACK})
        elif op == IDENTIFY:
            self._identify(line, data)
        elif op == RESUME:
            self._resume(line, data)
        elif line.session is None:
            line.end(4003)
        elif op not in (PRESENCE, VOICE, MEMBERS):
            line.end(4001)
        elif op == MEMBERS:
            self._chunk(line.session, data)

    def _identify(self, line: Line, data: Json) -> None:
        shard = tuple(data.get("shard") or (0, 1))
        intents = int(data.get("intents", -1))
        refused = (
            4005 if line.session is not None
            else 4004 if data.get("token") != self.world.token
            else 4010 if len(shard) != 2 or not 0 <= shard[0] < shard[1]
            else 4013 if not 0 <= intents <= ALL_INTENTS
            else 4014 if intents & PRIVILEGED & ~self.world.privileged
            else 0
        )  # fmt: skip
        if refused:
            self.journal.add("gateway", f"identify refused: {refused} {WORDS[refused]}")
            line.end(refused)
            return
        self.identifies += 1
        session = Session((shard[0], shard[1]), intents)
        self.sessions[session.id] = session
        self._join(line, session)
        self.journal.add("gateway", f"identified shard {shard} intents {intents:b}")
        self._ready(session)

    def _ready(self, session: Session) -> None:
        world = self.world
        number, count = session.shard
        own = [
            guild
            for guild in world.guilds.values()
            if (guild.id, world.bot_id) in world.members and (guild.id >> 22) % count == number
        ]
        user = shape.user(world.users[world.bot_id])
        session.dispatch(
            "READY",
            {
                "v": 10,
                "user": user | {"verified": True, "mfa_enabled": False, "email": None},
                "guilds": [{"id": str(guild.id), "unavailable": True} for guild in own],
                "session_id": session.id,
                "resume_gateway_url": self.url,
                "shard": list(session.shard),
                "application": {"id": str(world.application_id), "flags": 0},
                "session_type": "normal",
                "private_channels": [],
                "relationships": [],
                "user_settings": {},
            },
        )
        for guild in own if session.intents & GUILDS else ():
            session.dispatch("GUILD_CREATE", shape.guild(world, guild))

    def _resume(self, line: Line, data: Json) -> None:
        if data.get("token") != self.world.token:
            line.end(4004)
            return
        session = self.sessions.get(str(data.get("session_id")))
        sequence = int(data.get("seq") or 0)
        if session is not None and sequence > session.sequence:
            line.end(4007)
            return
        oldest = session.sent[0][0] if session is not None and session.sent else 1
        if session is None or sequence < oldest - 1:
            self.journal.add("gateway", "resume of an unknown session")
            line.put({"op": INVALID, "d": False})
            return
        missed = [text for number, text in session.sent if number > sequence]
        self.resumes += 1
        self.journal.add("gateway", f"resumed after {sequence}, {len(missed)} events replayed")
        self._join(line, session)
        for text in missed:
            line.put(text)
        session.dispatch("RESUMED", {"_trace": []})

    def _join(self, line: Line, session: Session) -> None:
        if session.line is not None:
            session.line.session = None
            session.line.end(4000)
        if session.lost is not None:
            session.lost.cancel()
        line.session, session.line = session, line
        self.world.set_bot_online(True)

    def _chunk(self, session: Session, data: Json) -> None:
        guild_id = int(data["guild_id"])
        wanted = {int(one) for one in data.get("user_ids") or []}
        found = [
            shape.member(self.world, one)
            for (place, user_id), one in self.world.members.items()
            if place == guild_id and (not wanted or user_id in wanted)
        ]
        body = {"guild_id": str(guild_id), "members": found, "chunk_index": 0, "chunk_count": 1}
        session.dispatch("GUILD_MEMBERS_CHUNK", body | {"nonce": data.get("nonce"), "not_found": []})

    async def _watch(self, line: Line) -> None:
        """Closes with 4009 a connection whose heart stopped."""
        loop = asyncio.get_running_loop()
        while True:
            limit = max(self.heartbeat * 1.5, self.patience)
            await asyncio.sleep(max(line.heard + limit - loop.time(), 0.01))
            if loop.time() - line.heard > limit:
                self.journal.add("gateway", "4009 no heartbeat")
                line.end(4009)
                return

    def _lose(self, line: Line) -> None:
        self.lines.discard(line)
        session, line.session = line.session, None
        if session is None:
            return
        session.line = None
        if line.ws.close_code in (1000, 1001):
            self._forget(session)
        else:
            loop = asyncio.get_running_loop()
            session.lost = loop.call_later(self.session_lives, self._forget, session)
        self.journal.add("gateway", f"a connection ended with {line.ws.close_code}")
        self.world.set_bot_online(self.connected > 0)

    def _forget(self, session: Session) -> None:
        if session.lost is not None:
            session.lost.cancel()
        self.sessions.pop(session.id, None)

    # Bad days

    @at_home
    async def cut(self) -> None:
        """Every connection is lost without a close frame; sessions can be resumed."""
        for line in tuple(self.lines):
            line.cut()

    @at_home
    async def close(self, code: int) -> None:
        """Closes every connection with a code; 4004 and the like end the bot."""
        for line in tuple(self.lines):
            line.end(code)

    @at_home
    async def reconnect(self) -> None:
        """Op 7: the client is asked to come again and resume."""
        for line in tuple(self.lines):
            line.put({"op": RECONNECT, "d": None})

    @at_home
    async def invalidate(self, *, resumable: bool = False) -> None:
        """Op 9: the session is invalid; not resumable means that it is gone, with all it missed."""
        for line in tuple(self.lines):
            if line.session is not None and not resumable:
                self._forget(line.session)
                line.session.line, line.session = None, None
            line.put({"op": INVALID, "d": resumable})

    @at_home
    async def duplicate(self, times: int = 1) -> None:
        """The next `times` events are told twice."""
        self._twice = times

    @at_home
    async def silence(self, on: bool = True) -> None:
        """Nothing is sent any more, acknowledgements of heartbeats included, until switched off."""
        self._open = self._open or _set_event()
        if on:
            self._open.clear()
        else:
            self._open.set()

    @at_home
    async def revoke(self) -> None:
        """The bot's token is no longer good: 4004 on the gateway, 401 everywhere."""
        self.world.token = "revoked"  # noqa: S105 -- no client can hold it: real ones begin otherwise
        for line in tuple(self.lines):
            line.end(4004)

    async def stop(self) -> None:
        for session in list(self.sessions.values()):
            self._forget(session)
        for line in tuple(self.lines):
            await line.ws.close(code=1001)


def _set_event() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event
