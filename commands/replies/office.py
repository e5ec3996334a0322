"""What operators read: how things stand, whose clips are in the line, who did what and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from discord.ui import View

from commands import buttons, words
from commands.buttons import button, row
from commands.replies import pieces
from commands.words import count, fit, quote, say
from gen.job import State
from gen.office import CANCEL, DRAIN, PAUSE, RELOAD, RESUME, TIER
from gen.outlook import Place
from gen.ports import Ban, Deed, Subject

#: Acts on a page of the log; clips, bans and tiers that are listed.
ACTS = 10
MOST = 15


@dataclass(frozen=True, kw_only=True)
class Affairs:
    """How things stand."""

    line: int  # clips in the line
    paused: str
    closed: str
    bans: Sequence[Ban]
    tiers: Mapping[int, str]


def status(affairs: Affairs, locale: str) -> str:
    """The line, the bans and the tiers that operators gave."""
    halts = pieces.halts(locale, affairs.paused, affairs.closed)
    lines = [
        count(locale, "One clip is in the line", "{number} clips are in the line", affairs.line)
        if affairs.line else say(locale, "Nobody is waiting"),
        *(halts or [say(locale, "The line moves and takes new clips.")]),
    ]  # fmt: skip
    if affairs.closed and not affairs.line:
        lines.append(drained(locale))
    if affairs.bans:
        lines += [say(locale, "**Banned**"), *(_ban(ban, locale) for ban in affairs.bans[:MOST])]
        lines += _more(locale, len(affairs.bans))
    if affairs.tiers:
        lines.append(say(locale, "**Tiers given**"))
        lines += [f"<@{user}>: {quote(tier, 60)}" for user, tier in list(affairs.tiers.items())[:MOST]]
        lines += _more(locale, len(affairs.tiers))
    return fit("\n".join(lines))


def everyones(places: Sequence[Place], locale: str) -> str:
    """The whole line, everyone's clips by name."""
    if not places:
        return say(locale, "Nobody is waiting.")
    lines = [_place(number, place, locale) for number, place in enumerate(places[:MOST], 1)]
    return fit("\n".join([*lines, *_more(locale, len(places))]))


def drained(locale: str) -> str:
    """What a drain was for."""
    return say(locale, "Nothing is left to make: the bot can be stopped now.")


def done(deed: str, values: Mapping[str, Any], locale: str) -> str:
    """Says what an operator's act came to."""
    return _act(deed, values, locale)


def reloaded(became: Mapping[str, Sequence[str]], locale: str) -> str:
    """Says which recipes came, went and changed."""
    lines = [
        say(
            locale,
            "The recipes of config.toml and the words file are read; clips that are being made are not "
            "touched.",
        ),
        *_became(became, locale),
        pieces.small(locale, say(locale, "Other settings take effect at the next start")),
    ]
    return fit("\n".join(lines))


def audit(deeds: Sequence[Deed], locale: str, *, more: bool, first: bool) -> tuple[str, View]:
    """What operators did, newest first: as many acts as a message holds; with `more`, or where some did not
    fit, a button to what was before the last one shown."""
    if not deeds:
        nothing = say(locale, "No operator has done anything yet.")
        return nothing if first else say(locale, "There are no older ones."), row()
    lines = [
        f"<t:{int(deed.at)}:f> <@{deed.actor}>: {_act(deed.deed, deed.values, locale)}" for deed in deeds
    ]
    lengths = accumulate(len(line) + 1 for line in lines)
    shown = max(1, sum(length - 1 <= words.MOST for length in lengths))  # one that is too long alone is cut
    older = button(buttons.AUDIT, f"{deeds[shown - 1].id}", say(locale, "Older"))
    return fit("\n".join(lines[:shown])), row(*[older] if more or shown < len(deeds) else [])


def _act(deed: str, values: Mapping[str, Any], locale: str) -> str:
    """An act in words: what was done, to whom, and why."""
    reason = quote(str(values.get("reason", "")))
    if deed == PAUSE:
        return say(locale, "The line is paused: {reason}", reason=reason)
    if deed == DRAIN:
        return say(locale, "The line takes nothing new and finishes what is there: {reason}", reason=reason)
    if deed == RESUME:
        return say(locale, "The line moves and takes new clips.")
    if deed == CANCEL:
        return say(locale, "Clip {id} of {user} is cancelled.",
            id=f"`{values.get('clip')}`", user=f"<@{values.get('user')}>")  # fmt: skip
    if deed == RELOAD:
        what = " · ".join(_became(values, locale))
        return say(locale, "The recipes and the words file are read anew. {what}", what=what)
    if deed == TIER and values.get("tier"):
        return say(locale, "{user} now has the tier {tier}.",
            user=f"<@{values.get('user')}>", tier=quote(str(values["tier"]), 60))  # fmt: skip
    if deed == TIER:
        return say(locale, "{user} has the tier of their roles again.", user=f"<@{values.get('user')}>")
    return _about_a_ban(deed, values, locale, reason)


def _about_a_ban(deed: str, values: Mapping[str, Any], locale: str, reason: str) -> str:
    guild = values.get("kind") == Subject.GUILD.value
    subject = values.get("subject")
    who = say(locale, "server {id}", id=f"`{subject}`") if guild else f"<@{subject}>"
    if deed != "ban":
        return say(locale, "{who} is no longer banned.", who=who)
    until = values.get("until")
    if until is None:
        return say(locale, "{who} is banned. Reason: {reason}", who=who, reason=reason)
    ends = f"<t:{int(until)}:R>"
    return say(locale, "{who} is banned; that ends {until}. Reason: {reason}",
        who=who, until=ends, reason=reason)  # fmt: skip


def _ban(ban: Ban, locale: str) -> str:
    values = {"kind": ban.kind.value, "subject": ban.subject, "until": ban.until}
    return _about_a_ban("ban", values, locale, quote(ban.reason, 100))


def _place(number: int, place: Place, locale: str) -> str:
    job = place.job
    told = pieces.spoken(job, locale)
    where = say(locale, "server {id}", id=f"`{job.asker.guild}`") if job.asker.guild else ""
    doing = pieces.doing(locale, place.step) if job.state is State.RUNNING else ""
    facts = pieces.small(locale, doing, job.request.recipe, job.asker.tier, where, pieces.number(told))
    return f"{number}\\. {pieces.title(told, 60)} <@{job.asker.user}>\n{facts}"


def _became(became: Mapping[str, Any], locale: str) -> list[str]:
    """Names of recipes by what became of them, and how many words are unwanted now."""
    named = {key: ", ".join(became.get(key) or ()) for key in ("added", "removed", "changed")}
    lines = [
        say(locale, "New: {models}", models=named["added"]) if named["added"] else "",
        say(locale, "Gone: {models}", models=named["removed"]) if named["removed"] else "",
        say(locale, "Changed: {models}", models=named["changed"]) if named["changed"] else "",
        *(
            count(locale, "Unwanted words: one pattern", "Unwanted words: {number} patterns", int(many))
            for many in became.get("words") or ()
        ),
    ]
    return [one for one in lines if one] or [say(locale, "Nothing differs.")]


def _more(locale: str, number: int) -> list[str]:
    if number <= MOST:
        return []
    return [pieces.small(locale, count(locale, "and one more", "and {number} more", number - MOST))]
