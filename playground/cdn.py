"""Attachments by their signed addresses: whole or in ranges, with their type, until they expire."""

from urllib.parse import quote

from aiohttp import web

from playground.api import Api
from playground.faults import Broken, Cut

BASE = "/cdn"


async def serve(api: Api, request: web.Request) -> web.StreamResponse:
    """One file: 404 for an address that is unknown, expired or not signed here."""
    path = request.path.removeprefix(BASE)
    try:
        struck = await api.faults.strike(request.method, path, "before")
    except Broken as broken:
        api.journal.add(
            "request", f"GET {path} → {broken.status}", status=broken.status, path=path, injected=True
        )
        return web.Response(status=broken.status)
    except Cut:
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)
    response = _found(api, request)
    status = response.status
    api.journal.add("request", f"GET {path} → {status}", status=status, path=path, injected=struck)
    return response


def _found(api: Api, request: web.Request) -> web.StreamResponse:
    info, query = request.match_info, request.query
    file = api.world.attachments.get(int(info["id"])) if info["id"].isdigit() else None
    path = "/".join((info["folder"], info["channel"], info["id"], quote(info["name"])))
    signed = all(key in query for key in ("ex", "is", "hm"))
    if file is None or not signed or not api.world.links.good(path, query["ex"], query["is"], query["hm"]):
        text = "This content is no longer available."
        return web.Response(status=404, text=text, headers={"Cache-Control": "no-store"})
    headers = {
        "Content-Type": file.content_type,
        "Content-Disposition": f"attachment; filename={quote(file.filename)}",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, max-age=31536000",
        # A file is a stranger's: opened as a page of its own it may run nothing.
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    if file.content_type.startswith(("image/", "video/", "audio/")):
        del headers["Content-Disposition"]
    return web.FileResponse(api.world.store.path(file.id), headers=headers)
