"""The application: what it is, and its commands, which exist only once they were synced."""

from playground import commands, shape
from playground.api import Answer, Api, Call, Route
from playground.events import Event
from playground.records import Command, Json
from playground.refusal import Refusal


async def about(api: Api, call: Call) -> Answer:
    world = api.world
    owner = next(one for one in world.users.values() if not one.bot)
    return {
        "id": str(world.application_id),
        "name": world.users[world.bot_id].username,
        "icon": None,
        "description": "Makes short clips.",
        "type": None,
        "bot": shape.user(world.users[world.bot_id]),
        "bot_public": True,
        "bot_require_code_grant": False,
        "rpc_origins": [],
        "verify_key": "0" * 64,
        "flags": 0,
        "flags_new": "0",
        "redirect_uris": [],
        "interactions_endpoint_url": None,
        "role_connections_verification_url": None,
        "owner": shape.user(owner),
        "approximate_guild_count": len(world.guilds),
        "approximate_user_install_count": 0,
        "approximate_user_authorization_count": 0,
        "explicit_content_filter": 0,
        "team": None,
        "integration_types_config": {"0": {}, "1": {}},
        "eligible_oauth2_scopes": [],
    }


def _scope(api: Api, call: Call) -> int | None:
    """The guild of the path, or None for everywhere."""
    if call.id("application_id") != api.world.application_id:
        raise Refusal(20012)
    if "guild_id" not in call.params:
        return None
    guild_id = call.id("guild_id")
    if (guild_id, api.world.bot_id) not in api.world.members:
        raise Refusal(50001)
    return guild_id


def _there(api: Api, guild_id: int | None) -> list[Command]:
    return [one for one in api.world.commands.values() if one.guild_id == guild_id]


def _shape(api: Api, call: Call, one: Command) -> Json:
    body = shape.command(api.world, one)
    if call.query.get("with_localizations", "").lower() in ("1", "true"):
        return body
    return {key: value for key, value in body.items() if not key.endswith("_localizations")}


def _tell(api: Api) -> None:
    body = {"commands": [shape.command(api.world, one) for one in api.world.commands.values()]}
    api.world.tell(Event("COMMANDS_UPDATE", lambda viewer: body, bot=False))


async def list_commands(api: Api, call: Call) -> Answer:
    return [_shape(api, call, one) for one in _there(api, _scope(api, call))]


async def overwrite(api: Api, call: Call) -> Answer:
    """Every command of the scope at once; those not named are gone."""
    guild_id = _scope(api, call)
    bodies: list[Json] = call.json
    commands.check_all(bodies)
    old = _there(api, guild_id)
    new = commands.overwrite(old, bodies, guild_id, api.world.ids)
    kept = {one.id for one in new}
    api.world.forget(*[one for one in old if one.id not in kept])
    api.world.keep(*new)
    _tell(api)
    return [shape.command(api.world, one) for one in new]


async def create(api: Api, call: Call) -> Answer:
    """One command; one of the same type and name is replaced."""
    guild_id = _scope(api, call)
    commands.check(call.json)
    old = _there(api, guild_id)
    mark = (int(call.json.get("type") or 1), call.json["name"])
    rest = [one for one in old if (one.definition["type"], one.definition["name"]) != mark]
    if sum(one.definition["type"] == mark[0] for one in rest) >= commands.MOST[mark[0]]:
        raise Refusal(30032)
    (new,) = commands.overwrite(old, [call.json], guild_id, api.world.ids)
    api.world.keep(new)
    _tell(api)
    return shape.command(api.world, new)


def _one(api: Api, call: Call) -> Command:
    guild_id = _scope(api, call)
    found = api.world.commands.get(call.id("command_id"))
    if found is None or found.guild_id != guild_id:
        raise Refusal(10063)
    return found


async def get(api: Api, call: Call) -> Answer:
    return shape.command(api.world, _one(api, call))


async def edit(api: Api, call: Call) -> Answer:
    found = _one(api, call)
    definition = {**found.definition, **call.json}
    commands.check(definition)
    changed = Command(found.id, found.guild_id, api.world.ids.next(), definition)
    api.world.keep(changed)
    _tell(api)
    return shape.command(api.world, changed)


async def remove(api: Api, call: Call) -> Answer:
    api.world.forget(_one(api, call))
    _tell(api)
    return None


EVERYWHERE = "/applications/{application_id}/commands"
IN_GUILD = "/applications/{application_id}/guilds/{guild_id}/commands"
ROUTES = (
    Route("GET", "/applications/@me", about),
    Route("GET", "/oauth2/applications/@me", about),
    *(
        Route(method, path, handler, "commands", major=("guild_id",))
        for base in (EVERYWHERE, IN_GUILD)
        for method, path, handler in (
            ("GET", base, list_commands),
            ("PUT", base, overwrite),
            ("POST", base, create),
            ("GET", f"{base}/{{command_id}}", get),
            ("PATCH", f"{base}/{{command_id}}", edit),
            ("DELETE", f"{base}/{{command_id}}", remove),
        )
    ),
)
