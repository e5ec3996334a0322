"""The chat page: its files, what it is told by websocket, and what a person does on it by POST."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import BodyPartReader, web

from playground.permissions import Can
from playground.person import Deed, File, Impossible, Person
from playground.records import THREAD, Json
from playground.refusal import Refusal
from playground.world import World

STATIC = Path(__file__).parent / "static"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
MOST = 600 << 20  # bytes of one deed with its files; the world's own limits are far lower and answer in words
LOCALES = ("en-US", "en-GB", "zh-CN", "ja", "de")
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob:; media-src 'self' blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def add(app: web.Application, world: World) -> None:
    """Adds the page to an application on the world's loop: /, /static/…, /page/socket, /page/act."""
    page = Page(world)
    app.router.add_get("/", guarded(page.index))
    app.router.add_get("/static/{path:.+}", guarded(page.file))
    app.router.add_get("/page/socket", guarded(page.socket))
    app.router.add_post("/page/act", guarded(page.act))
    app.on_shutdown.append(page.close)


def guarded(answer: Answer) -> Answer:
    """Only this machine's own page may ask: a loopback Host; what changes things needs that very Origin."""

    async def guard(request: web.Request) -> web.StreamResponse:
        host = urlsplit(f"//{request.headers.get('Host', '')}").hostname
        if host not in LOOPBACK:
            raise web.HTTPForbidden(text="This playground answers on this machine only.")
        origin = request.headers.get("Origin")
        changes = request.method != "GET" or "Upgrade" in request.headers
        if (origin or changes) and origin != f"http://{request.headers['Host']}":
            raise web.HTTPForbidden(text="This playground answers its own page only.")
        return await answer(request)

    return guard


class Page:
    """Serves any number of open pages, each as one person."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.lines: set[web.WebSocketResponse] = set()
        self.deeds: dict[str, Callable[[Person, Json, dict[str, File]], Awaitable[Json]]] = {
            "say": self._say, "slash": self._slash, "complete": self._complete, "menu": self._menu,
            "press": self._press, "select": self._select, "submit": self._submit, "react": self._react,
            "unreact": self._unreact, "delete": self._delete, "type": self._type, "direct": self._direct,
            "speak": self._speak, "history": self._history,
        }  # fmt: skip

    async def index(self, request: web.Request) -> web.StreamResponse:
        return web.FileResponse(STATIC / "index.html", headers=HEADERS)

    async def file(self, request: web.Request) -> web.StreamResponse:
        path = (STATIC / request.match_info["path"]).resolve()
        if not path.is_relative_to(STATIC.resolve()) or not path.is_file():
            raise web.HTTPNotFound
        return web.FileResponse(path, headers=HEADERS)

    async def close(self, app: web.Application) -> None:
        for line in tuple(self.lines):
            await line.close(code=1001, message=b"The playground stops")

    # What a page is told

    async def socket(self, request: web.Request) -> web.StreamResponse:
        """A snapshot, then every event, as {"t", "d"}."""
        user_id = self._who(request)
        line = web.WebSocketResponse(heartbeat=20)
        await line.prepare(request)
        self.lines.add(line)
        subscription = self.world.subscribe(user_id)
        start = {"t": "SNAPSHOT", "d": self._snapshot(user_id)}

        async def tell() -> None:
            await line.send_str(self._local(start))
            async for event in subscription:
                told = self._told(event, user_id)
                if told is not None:
                    await line.send_str(self._local(told))

        teller = asyncio.create_task(tell(), name=f"page of {user_id}")
        try:
            async for _ in line:
                pass
        finally:
            self.lines.discard(line)
            subscription.close()
            await asyncio.gather(teller, return_exceptions=True)
        return line

    def _who(self, request: web.Request) -> int:
        """The person whom the page speaks for; the first one, if it names nobody that there is."""
        people = [one.id for one in self.world.users.values() if not one.bot]
        wanted = request.query.get("person", "")
        return int(wanted) if wanted.isdecimal() and int(wanted) in people else people[0]

    def _snapshot(self, user_id: int) -> Json:
        """The world's snapshot, with what only a page asks for: roles' names, people's notes, a locale."""
        start = self.world.snapshot(user_id)
        for guild in start["guilds"]:
            roles = [one for one in self.world.roles.values() if one.guild_id == int(guild["id"])]
            guild["roles"] = [
                {"id": str(one.id), "name": one.name} for one in roles if one.id != one.guild_id
            ]
        for person in start["people"]:
            person["note"] = self._note(int(person["id"]))
        return start | {"locale": self.world.users[user_id].locale}

    def _note(self, user_id: int) -> str:
        roles = [self.world.roles.get(one) for (_, who), member in self.world.members.items()
                 if who == user_id for one in member.roles]  # fmt: skip
        owns = [guild for guild in self.world.guilds.values() if guild.owner_id == user_id]
        return ", ".join([*("owner" for _ in owns[:1]), *(one.name.lower() for one in roles if one)])

    def _told(self, event: Json, user_id: int) -> Json | None:
        """A channel comes with what this person may do in it, and goes when they may not see it."""
        name, data = event["t"], event["d"]
        if not name.startswith(("CHANNEL_", "THREAD_")) or name.endswith("_DELETE"):
            return event
        bits = self.world.permissions(user_id, int(data["id"]))
        if not bits & Can.VIEW_CHANNEL:
            return {"t": "CHANNEL_DELETE", "d": data}
        if data["type"] == THREAD and data["thread_metadata"]["archived"]:
            return {"t": "THREAD_DELETE", "d": data}
        return {"t": name, "d": data | {"permissions": str(bits)}}

    def _local(self, value: Json) -> str:
        """As JSON, with the addresses of files relative to the page, whatever name the page was opened by."""
        parts = urlsplit(self.world.links.base)
        return json.dumps(_relative(value, f"{parts.scheme}://{parts.netloc}/"), ensure_ascii=False)

    # What a person does

    async def act(self, request: web.Request) -> web.StreamResponse:
        """One deed: a form; "act" is JSON {"deed", "channel_id", …}, its other fields are files."""
        person = Person(self.world, self._who(request))
        try:
            deed, files = await _read(request)
            answer = await self.deeds[deed["deed"]](person, deed, files)
        except (ValueError, KeyError, TypeError):
            return web.json_response(
                {"message": "The page and the playground do not fit. Reload the page."}, status=400
            )
        except Impossible as error:
            return web.json_response({"message": str(error)}, status=422)
        except Refusal as error:
            return web.json_response(error.body(), status=error.status)
        return web.Response(text=self._local(answer), content_type="application/json")

    async def _say(self, person: Person, deed: Json, files: dict[str, File]) -> Json:
        channel_id, content = int(deed["channel_id"]), str(deed["content"])
        if files:
            return await person.attach(channel_id, *files.values(), content=content)
        reply_to = deed.get("reply_to")
        return await person.say(channel_id, content, int(reply_to) if reply_to else None)

    async def _slash(self, person: Person, deed: Json, files: dict[str, File]) -> Json:
        return _asked(await person.slash(int(deed["channel_id"]), deed["name"], {**deed["options"], **files}))

    async def _complete(self, person: Person, deed: Json, files: dict[str, File]) -> Json:
        channel_id, options = int(deed["channel_id"]), {**deed["options"], **files}
        return {"choices": await person.complete(channel_id, deed["name"], options, deed["focused"])}

    async def _menu(self, person: Person, deed: Json, files: dict[str, File]) -> Json:
        return _asked(await person.menu(int(deed["channel_id"]), deed["name"], int(deed["message_id"])))

    async def _press(self, person: Person, deed: Json, files: dict[str, File]) -> Json:
        return _asked(await person.press(int(deed["message_id"]), deed["custom_id"]))

    async def _select(self, person: Person, deed: Json, files: dict[str, File]) -> Json:
        return _asked(await person.select(int(deed["message_id"]), deed["custom_id"], deed["values"]))

    async def _submit(self, person: Person, deed: Json, files: dict[str, File]) -> Json:
        return _asked(await person.submit(deed["modal"], deed["values"]))

    async def _react(self, person: Person, deed: Json, files: dict[str, File]) -> Json:
        await person.react(int(deed["message_id"]), deed["emoji"])
        return {}

    async def _unreact(self, person: Person, deed: Json, files: dict[str, File]) -> Json:
        await person.unreact(int(deed["message_id"]), deed["emoji"])
        return {}

    async def _delete(self, person: Person, deed: Json, files: dict[str, File]) -> Json:
        await person.delete(int(deed["message_id"]))
        return {}

    async def _type(self, person: Person, deed: Json, files: dict[str, File]) -> Json:
        await person.type(int(deed["channel_id"]))
        return {}

    async def _direct(self, person: Person, deed: Json, files: dict[str, File]) -> Json:
        return {"id": str(await person.direct())}

    async def _history(self, person: Person, deed: Json, files: dict[str, File]) -> Json:
        return {"messages": await person.history(int(deed["channel_id"]), int(deed["limit"]))}

    async def _speak(self, person: Person, deed: Json, files: dict[str, File]) -> Json:
        """The language of the person's client, which interactions carry from now on."""
        if deed["locale"] not in LOCALES:
            raise Impossible("The page does not offer this language.")
        user = self.world.users[person.id]
        user.locale = deed["locale"]
        self.world.keep(user)
        return {}


def _asked(deed: Deed) -> Json:
    return {"id": str(deed.id)}


async def _read(request: web.Request) -> tuple[Json, dict[str, File]]:
    deed: Json = {}
    files: dict[str, File] = {}
    async for part in await request.clone(client_max_size=MOST).multipart():
        if not isinstance(part, BodyPartReader):
            raise ValueError("a deed's form has no form within")
        if part.name == "act":
            deed = json.loads(await part.text())
        elif part.name:
            kind = part.headers.get("Content-Type", "application/octet-stream")
            files[part.name] = (part.filename or part.name, bytes(await part.read()), kind)
    return deed, files


def _relative(value: Any, origin: str) -> Any:
    if isinstance(value, dict):
        return {
            key: "/" + each.removeprefix(origin)
            if key in ("url", "proxy_url") and isinstance(each, str) and each.startswith(origin)
            else _relative(each, origin)
            for key, each in value.items()
        }
    return [_relative(each, origin) for each in value] if isinstance(value, list) else value
