"""The words of the gallery's page, and clips as it tells of them: plain text, for a browser to show."""

from __future__ import annotations

from dataclasses import replace

from commands.catalogues import LANGUAGES
from commands.replies import pieces
from commands.words import plain, say
from gen.job import Job, State
from gen.recipe import Recipe


def language(header: str) -> str:
    """The language that a browser's `Accept-Language` (RFC 9110, 12.5.4) likes best of those there are."""
    wanted: list[tuple[float, str]] = []
    for part in header.split(","):
        tag, _, quality = part.strip().partition(";")
        try:
            weight = float(quality.strip().removeprefix("q=") or 1)
        except ValueError:
            weight = 0.0
        if tag and weight > 0:
            wanted.append((weight, tag.strip().lower()))
    for _, tag in sorted(wanted, key=lambda one: -one[0]):
        main = tag.split("-")[0]
        if main == "en":
            return "en-US"
        if found := next((one for one in LANGUAGES if one.split("-")[0].lower() == main), None):
            return found
    return "en-US"


def page(locale: str) -> dict[str, str]:
    """All that stands on the page, by the names that it has there."""
    return {
        "title": say(locale, "Clips"),
        "skip": say(locale, "To the clips"),
        "lists": say(locale, "Lists"),
        "mine": say(locale, "Mine"),
        "kept": say(locale, "Favourites"),
        "public": say(locale, "Everyone’s"),
        "search": say(locale, "Words of the prompt"),
        "find": say(locale, "Search"),
        "enter": say(locale, "Sign in with Discord"),
        "leave": say(locale, "Sign out"),
        "more": say(locale, "Older clips"),
        "close": say(locale, "Close"),
        "keep": say(locale, "Keep as a favourite"),
        "drop": say(locale, "Keep no longer"),
        "save": say(locale, "Save the file"),
        "copy": say(locale, "Copy the prompt"),
        "copied": say(locale, "Copied"),
        "family": say(locale, "What came from what"),
        "this": say(locale, "this one"),
        "seed": say(locale, "Seed"),
        "unseen": say(locale, "a clip that you cannot see here"),
        "loading": say(locale, "Loading"),
        "script": say(locale, "This page needs JavaScript."),
        "none_mine": say(locale, "You have no clips yet; /animate makes one."),
        "none_kept": say(locale, "You have no favourites yet; ⭐ on a clip keeps it here."),
        "none_public": say(locale, "Nobody shows clips here yet."),
        "none_found": say(locale, "No clip here has these words."),
        "welcome": say(locale, "Sign in to see your clips. Here are those that people chose to show."),
        "lost": say(locale, "The page did not load; try again."),
        "gone": say(locale, "There is no such clip here; it was deleted, or is not yours to see."),
    }  # fmt: skip


def greeting(locale: str, name: str) -> str:
    """Who is signed in."""
    return say(locale, "Signed in as {name}", name=plain(name, 40))


def title(job: Job, locale: str) -> str:
    """The prompt, or what is done where there is none."""
    return plain(pieces.name(job, locale), 300)


def alt(job: Job, locale: str) -> str:
    """The clip for those who do not see it."""
    return say(locale, "Clip: {title}", title=title(job, locale))


def facts(job: Job, locale: str, recipe: Recipe | None) -> list[tuple[str, str]]:
    """Names and values of all it takes to make the clip again; what has no effect is left out."""
    request, clip = job.request, job.clip

    def used(name: str, value: str) -> str:
        return value if recipe is None or getattr(recipe, name) is not None else ""

    pairs = [
        (say(locale, "Model"), request.recipe),
        (say(locale, "Seed"), str(request.seed)),
        (say(locale, "To avoid"), plain(request.negative, 300)),
        (say(locale, "Size"), f"{clip.width} × {clip.height}" if clip else ""),
        (say(locale, "Length"), say(locale, "{seconds} s", seconds=f"{clip.seconds:.3g}") if clip else ""),
        (say(locale, "Frames a second"), str(clip.fps) if clip else ""),
        (say(locale, "Steps"), used("steps", str(request.steps))),
        (say(locale, "Guidance"), used("guidance", f"{request.guidance:g}")),
        (say(locale, "Motion"), used("motion", f"{request.motion:g}")),
        (say(locale, "Camera"), ", ".join(request.camera)),
        (say(locale, "Loop"), say(locale, "yes") if request.loop else ""),
        (say(locale, "Made in"), pieces.time(locale, clip.took) if clip else ""),
        (say(locale, "File"), say(locale, "{size} MiB", size=pieces.mib(clip.size)) if clip else ""),
        (say(locale, "Id"), job.id),
    ]
    return [pair for pair in pairs if pair[1]]


def again(job: Job) -> str:
    """What to type for the very same clip."""
    return plain(str(replace(pieces.asked(job), seed=job.request.seed, model=job.request.recipe)), 2000)


def shut(locale: str) -> str:
    """Signing in came to nothing."""
    return say(locale, "Signing in came to nothing. Go back to the clips and try again.")


def silent(locale: str) -> str:
    """Discord did not answer."""
    return say(locale, "Discord does not answer now. Go back to the clips and try again in a moment.")


def expired(locale: str) -> str:
    """A signed link that is good no longer, or never was."""
    return say(locale, "This link is no longer good, or the clip is gone. Sign in to see your clips.")


def foreign(locale: str) -> str:
    """A request from elsewhere."""
    return say(locale, "This address answers its own page only.")


def state(job: Job, locale: str) -> str:
    """What is said of a clip that is not simply there."""
    if job.clip is not None and job.state is State.FAILED:  # Discord would not take it
        return say(locale, "kept; it could not be sent")
    return pieces.state(locale, job.state)
