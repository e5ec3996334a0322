"""Components of a message or a modal: their limits, and finding them again."""

from collections import Counter
from collections.abc import Iterator

from playground.records import Json
from playground.refusal import Form

ROW, BUTTON, SELECT, TEXT_INPUT = 1, 2, 3, 4
SECTION, TEXT, THUMBNAIL, GALLERY, FILE, SEPARATOR = 9, 10, 11, 12, 13, 14
CONTAINER, LABEL, UPLOAD = 17, 18, 19
SELECTS = (3, 5, 6, 7, 8)
V2 = (SECTION, TEXT, THUMBNAIL, GALLERY, FILE, SEPARATOR, CONTAINER)
TOP = (ROW, SECTION, TEXT, GALLERY, FILE, SEPARATOR, CONTAINER)
INSIDE = {CONTAINER: (ROW, SECTION, TEXT, GALLERY, FILE, SEPARATOR), SECTION: (TEXT,)}
MOST_V2, MOST_TEXT = 40, 4000
Path = tuple[str | int, ...]


def walk(components: list[Json], path: Path = ("components",)) -> Iterator[tuple[Path, Json]]:
    """Every component with its path, outer before inner."""
    for index, one in enumerate(components):
        at = (*path, index)
        yield at, one
        yield from walk(one.get("components") or [], (*at, "components"))
        for key in ("accessory", "component"):
            if isinstance(one.get(key), dict):
                yield (*at, key), one[key]


def interactive(components: list[Json]) -> dict[str, Json]:
    """The components that a person can use, by custom_id."""
    return {one["custom_id"]: one for _, one in walk(components) if "custom_id" in one}


def numbered(components: list[Json]) -> list[Json]:
    """A copy in which every component has its own `id`, as Discord gives one where it is left out."""
    taken = {int(one["id"]) for _, one in walk(components) if one.get("id")}
    fresh = iter(number for number in range(1, 10_000) if number not in taken)

    def copy(one: Json) -> Json:
        body = {**one, "id": one.get("id") or next(fresh)}
        if body["type"] in SELECTS:
            body = {"min_values": 1, "max_values": 1, "disabled": False, **body}
        if body.get("default_values"):  # libraries send numbers, Discord answers with text
            body["default_values"] = [{**value, "id": str(value["id"])} for value in body["default_values"]]
        if body["type"] == SEPARATOR:
            body = {"spacing": 1, "divider": True, **body}
        if body["type"] in (FILE, CONTAINER, THUMBNAIL):
            body = {"spoiler": False, **body}
        if body["type"] == CONTAINER:
            body = {"accent_color": None, **body}
        if body.get("emoji"):  # libraries send "id": null, Discord leaves it out
            body["emoji"] = {key: value for key, value in body["emoji"].items() if value is not None}
        if body.get("items"):
            body["items"] = [{"description": None, "spoiler": False, **item} for item in body["items"]]
        if "components" in body:
            body["components"] = [copy(child) for child in body["components"]]
        for key in ("accessory", "component"):
            if isinstance(body.get(key), dict):
                body[key] = copy(body[key])
        return body

    return [copy(one) for one in components]


def check(form: Form, components: list[Json], *, v2: bool, files: set[str]) -> None:
    """A message's components; `files` are the names that attachment:// may point to."""
    _check_size(form, components, v2=v2)
    for path, one in walk(components):
        if len(path) == 2 and one.get("type") not in (TOP if v2 else (ROW,)):
            allowed = ", ".join(str(kind) for kind in (TOP if v2 else (ROW,)))
            form.wrong((*path, "type"), "UNION_TYPE_CHOICES",
                       f"Value of field \"type\" must be one of ({allowed},).")  # fmt: skip
        else:
            check_one(form, path, one)
            _check_media(form, path, one, files)
    _check_custom_ids(form, components)


def _check_size(form: Form, components: list[Json], *, v2: bool) -> None:
    count = sum(1 for _ in walk(components))
    if v2 and count > MOST_V2:
        form.wrong(("components",), "BASE_TYPE_MAX_LENGTH", f"Must be {MOST_V2} or fewer in length.")
    if not v2 and len(components) > 5:
        form.wrong(("components",), "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.")
    if sum(len(str(one.get("content") or "")) for _, one in walk(components)) > MOST_TEXT:
        form.wrong(("components",), "COMPONENT_MAX_TOTAL_TEXT_EXCEEDED",
                   f"The total text of all components must be {MOST_TEXT} or fewer in length.")  # fmt: skip


def _check_custom_ids(form: Form, components: list[Json]) -> None:
    counted = Counter(one["custom_id"] for _, one in walk(components) if "custom_id" in one)
    seen: set[str] = set()
    for path, one in walk(components):
        name = one.get("custom_id")
        if name is not None and counted[name] > 1 and name in seen:
            form.wrong((*path, "custom_id"), "COMPONENT_CUSTOM_ID_DUPLICATED",
                       "Component custom id cannot be duplicated")  # fmt: skip
        seen.add(name or "")


def check_one(form: Form, path: Path, one: Json) -> None:
    """One component's own limits."""
    kind = one.get("type")
    if kind == BUTTON:
        _check_button(form, path, one)
    elif kind in SELECTS:
        _check_select(form, path, one)
    elif kind == ROW:
        children = one.get("components") or []
        most = 5 if all(child.get("type") == BUTTON for child in children) else 1
        if not 1 <= len(children) <= most:
            form.wrong(
                (*path, "components"), "BASE_TYPE_BAD_LENGTH", f"Must be between 1 and {most} in length."
            )
    elif kind == TEXT:
        form.length((*path, "content"), one.get("content"), 1, MOST_TEXT)
    elif kind == GALLERY and not 1 <= len(one.get("items") or []) <= 10:
        form.wrong((*path, "items"), "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 10 in length.")
    for index, child in enumerate(one.get("components") or []):
        if kind in INSIDE and child.get("type") not in INSIDE[kind]:
            form.wrong(
                (*path, "components", index, "type"), "UNION_TYPE_CHOICES", "This component may not be here."
            )


def _check_button(form: Form, path: Path, one: Json) -> None:
    if one.get("style") not in range(1, 7):
        form.wrong((*path, "style"), "BASE_TYPE_CHOICES", "Value must be one of (1, 2, 3, 4, 5, 6).")
    if one.get("label") is not None:
        form.length((*path, "label"), one["label"], 0, 80)
    if not one.get("label") and not one.get("emoji") and one.get("style") != 6:
        form.wrong(
            (*path, "label"), "BUTTON_COMPONENT_LABEL_OR_EMOJI_REQUIRED", "A label or emoji is required."
        )
    if one.get("style") == 5:
        form.length((*path, "url"), one.get("url"), 1, 512)
        if "custom_id" in one:
            form.wrong((*path, "custom_id"), "BUTTON_COMPONENT_CUSTOM_ID_URL_EXCLUSIVE",
                       "A custom id and url cannot both be specified")  # fmt: skip
    elif one.get("style") != 6:
        form.length((*path, "custom_id"), one.get("custom_id") or "", 1, 100)


def _check_select(form: Form, path: Path, one: Json) -> None:
    form.length((*path, "custom_id"), one.get("custom_id") or "", 1, 100)
    form.length((*path, "placeholder"), one.get("placeholder") or "", 0, 150)
    options = one.get("options") or []
    if one["type"] == SELECT and not 1 <= len(options) <= 25:
        form.wrong((*path, "options"), "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 25 in length.")
    for index, option in enumerate(options):
        for key, low in (("label", 1), ("value", 1), ("description", 0)):
            form.length((*path, "options", index, key), option.get(key) or "", low, 100)
    values = [option.get("value") for option in options]
    if len(set(values)) != len(values):
        form.wrong((*path, "options"), "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED",
                   "The specified option value is already used")  # fmt: skip


def _check_media(form: Form, path: Path, one: Json, files: set[str]) -> None:
    if one.get("type") not in (THUMBNAIL, GALLERY, FILE):
        return
    own: list[tuple[Path, object]] = [((*path, key), one.get(key)) for key in ("media", "file") if key in one]
    own += [
        ((*path, "items", index, "media"), item.get("media"))
        for index, item in enumerate(one.get("items") or [])
    ]
    for at, media in own:
        url = media.get("url") if isinstance(media, dict) else None
        if not isinstance(url, str) or not url.startswith(("attachment://", "http://", "https://")):
            form.wrong((*at, "url"), "URL_TYPE_INVALID_SCHEME", "Not a well formed URL.")
        elif url.startswith("attachment://") and url.removeprefix("attachment://") not in files:
            name = url.removeprefix("attachment://")
            form.wrong((*at, "url"), "UNFURLED_MEDIA_ITEM_REFERENCED_ATTACHMENT_NOT_FOUND",
                       f"The referenced attachment {name} was not found")  # fmt: skip


def check_modal(data: Json) -> None:
    """A modal as an answer: its title, its custom_id, one to five rows or labels, each field's limits."""
    form = Form()
    form.length(("title",), data.get("title") or "", 1, 45)
    form.length(("custom_id",), data.get("custom_id") or "", 1, 100)
    rows = data.get("components") or []
    if not 1 <= len(rows) <= 5:
        form.wrong(("components",), "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.")
    for path, one in walk(rows):
        if len(path) == 2 and one.get("type") not in (ROW, LABEL, TEXT):
            form.wrong((*path, "type"), "UNION_TYPE_CHOICES", "Its type must be one of (1, 10, 18).")
        if one.get("type") == LABEL:
            form.length((*path, "label"), one.get("label") or "", 1, 45)
            form.length((*path, "description"), one.get("description") or "", 0, 100)
        elif one.get("type") == TEXT_INPUT:
            _check_input(form, path, one)
        elif one.get("type") in SELECTS:
            _check_select(form, path, one)
    _check_custom_ids(form, rows)
    form.check()


def _check_input(form: Form, path: Path, one: Json) -> None:
    form.length((*path, "custom_id"), one.get("custom_id") or "", 1, 100)
    form.length((*path, "placeholder"), one.get("placeholder") or "", 0, 100)
    form.length((*path, "value"), one.get("value") or "", 0, int(one.get("max_length") or 4000))
    if "component" not in path:
        form.length((*path, "label"), one.get("label") or "", 1, 45)
