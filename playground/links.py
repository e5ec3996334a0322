"""Addresses of attachments: signed, and good for a day."""

import copy
import hashlib
import hmac
from collections.abc import Callable
from urllib.parse import quote

from playground.records import Attachment, Json


class Links:
    """Signs and checks addresses under `base`; `lives` is how long one is good for, in seconds."""

    def __init__(self, secret: str, clock: Callable[[], float]) -> None:
        self._secret = secret.encode()
        self._clock = clock
        self.base = "http://127.0.0.1/cdn"
        self.lives = 86_400.0

    def _seal(self, path: str, until: str, since: str) -> str:
        return hmac.new(self._secret, f"{path}?{until}&{since}".encode(), hashlib.sha256).hexdigest()

    def sign(self, file: Attachment) -> str:
        folder = "ephemeral-attachments" if file.ephemeral else "attachments"
        path = f"{folder}/{file.channel_id}/{file.id}/{quote(file.filename)}"
        since, until = f"{int(self._clock()):x}", f"{int(self._clock() + self.lives):x}"
        return f"{self.base}/{path}?ex={until}&is={since}&hm={self._seal(path, until, since)}"

    def good(self, path: str, until: str, since: str, seal: str) -> bool:
        """Whether an address was signed here and has not expired; `path` is quoted, without the base."""
        if not hmac.compare_digest(seal.encode(), self._seal(path, until, since).encode()):
            return False
        return int(until, 16) >= self._clock()

    def resolve(self, component: Json, files: list[Json]) -> Json:
        """A component whose attachment:// addresses name the message's own files by their real address."""
        if component.get("type") not in (9, 12, 13, 17):
            return component
        resolved = copy.deepcopy(component)
        for media in media_of(resolved):
            self._point(media, {file["filename"]: file for file in files})
        return resolved

    def resolve_embed(self, embed: Json, files: list[Json]) -> Json:
        """An embed whose pictures by attachment:// get their real address."""
        named = {file["filename"]: file for file in files}
        resolved = dict(embed)
        for key in ("image", "thumbnail"):
            if str((embed.get(key) or {}).get("url", "")).startswith("attachment://"):
                file = named.get(embed[key]["url"].removeprefix("attachment://"))
                taken = ("url", "proxy_url", "width", "height", "content_type")
                resolved[key] = {one: file[one] for one in taken if one in file} if file else {}
        return resolved

    @staticmethod
    def _point(media: Json, files: dict[str, Json]) -> None:
        name = media["url"].removeprefix("attachment://")
        file = files.get(name) if name != media["url"] else None
        media.setdefault("proxy_url", media["url"])
        media.setdefault("id", "0")
        if file is not None:
            media |= {"url": file["url"], "proxy_url": file["proxy_url"], "attachment_id": file["id"]}
            media |= {"id": file["id"], "content_type": file["content_type"]}
            media |= {"width": file.get("width"), "height": file.get("height")}


def media_of(component: Json) -> list[Json]:
    """Every picture, video or file that a component shows, nested ones too."""
    found = [component[key] for key in ("media", "file") if isinstance(component.get(key), dict)]
    for item in component.get("items") or []:
        found.append(item["media"])
    if isinstance(component.get("accessory"), dict):
        found += media_of(component["accessory"])
    for child in component.get("components") or []:
        found += media_of(child)
    return found
