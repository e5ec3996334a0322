"""What there is to know: how to begin, which models there are, what is mine and how this machine does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from commands.replies import pieces
from commands.replies.panel import in_force
from commands.words import MOST, count, fit, quote, say
from gen.job import State, Task
from gen.layers import Effective
from gen.machine import Plan, Verdict
from gen.queue import Tier
from gen.recipe import Recipe

#: The commands that a task belongs to.
COMMANDS: Mapping[Task, str] = {
    Task.TEXT: "/animate", Task.IMAGE: "/img2vid", Task.INTERP: "/interp", Task.VIDEO: "/animate video:",
}  # fmt: skip

#: Makes an emoji of a sign that fonts also draw in black.
COLOURED = "\N{VARIATION SELECTOR-16}"

#: Median seconds of a clip, and of how many clips, by recipe.
Pace = Mapping[str, tuple[float, int]]


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What a person may and did, and how this machine does."""

    tier: str
    rules: Tier
    waiting: int  # clips of theirs in the line
    counts: Mapping[State, int]
    line: int  # clips in the whole line
    paused: str  # why nothing is served, if so
    closed: str  # why nothing new is taken, if so
    pace: Pace
    since: float  # when the bot started, in seconds since 1970
    force: Effective  # what holds for the person there
    guild: bool  # it is in a server


def help_(locale: str) -> str:
    """The first thing that a newcomer reads."""
    lines = [
        say(locale, "**Zoetrope makes short clips.** Three to begin with:"),
        "`/animate prompt: " + say(locale, "a red star over the sea") + "`",
        "`/img2vid image: " + say(locale, "your picture") + " camera: zoom in`",
        "`/interp first: " + say(locale, "a picture") + " last: " + say(locale, "another") + "`",
        say(locale, "Flags may follow the words of a prompt: `{flags}`",
            flags="-camera zoom in -motion 3 -ar 16:9 -seed 7"),
        say(locale, "Under each clip: {reroll} the same with another seed, {remix} change the prompt, "
            "{info} how it was made, {letter} to your direct messages, {star} keep it, {drop} delete it.",
            reroll=pieces.REROLL, remix=pieces.REMIX, info=pieces.INFO + COLOURED,
            letter=pieces.LETTER + COLOURED, star=pieces.STAR, drop=pieces.DROP),
        say(
            locale,
            "/queue: the line. /history: your clips. /models, /info: what there is. /privacy: your data.",
        ),
    ]  # fmt: skip
    return fit("\n".join(lines))


def models(
    recipes: Iterable[Recipe],
    locale: str,
    *,
    pace: Pace,
    paused: Iterable[str],
    defaults: Iterable[str],
    plan: Plan,
) -> str:
    """What each model does, needs and takes; this machine; what is not turned on, and why."""
    all_, stopped, first = list(recipes), frozenset(paused), frozenset(defaults)
    on = [recipe for recipe in all_ if recipe.on]
    asleep = [_machine(plan, locale), *_asleep([one for one in all_ if not one.on], plan, locale)]
    if not any(recipe.check for recipe in on):
        asleep.insert(0, pieces.small(locale, say(locale, "No check looks at clips before they are posted.")))
    for whole in (True, False):
        lines = [_model(one, locale, pace, one.name in stopped, one.name in first, whole) for one in on]
        text = "\n".join([*lines, *asleep])
        if len(text) <= MOST:
            break
    return fit(text)


def info(standing: Standing, locale: str) -> str:
    """My waiting clips and limits, and this machine's speed."""
    rules, counts = standing.rules, standing.counts
    lines = [
        say(locale, "**You**"),
        say(locale, "In the line: {count} of at most {most} clips",
            count=standing.waiting, most=standing.force.waiting.value),
        say(locale, "Leaving the line: at most {rate} of your clips in {period}",
            rate=standing.force.rate.value, period=pieces.time(locale, rules.period)),
        say(locale, "Tier: {tier}, served {weight} times as often as weight 1",
            tier=quote(standing.tier, 60), weight=f"{rules.weight:g}")
        if rules.weight != 1 else say(locale, "Tier: {tier}", tier=quote(standing.tier, 60)),
        say(locale, "So far: {made} made, {failed} failed, {cancelled} cancelled",
            made=counts.get(State.POSTED, 0) + counts.get(State.MADE, 0),
            failed=counts.get(State.FAILED, 0), cancelled=counts.get(State.CANCELLED, 0)),
        say(locale, "**What holds for your clips here, and whose choice it is**"),
        *in_force(standing.force, locale, guild=standing.guild),
        say(locale, "**This machine**"),
        count(locale, "One clip is in the line", "{number} clips are in the line", standing.line)
        if standing.line else say(locale, "Nobody is waiting"),
    ]  # fmt: skip
    lines += pieces.halts(locale, standing.paused, standing.closed)
    lines += [
        say(locale, "{model}: {pace}", model=name, pace=_pace(locale, standing.pace, name))
        for name in sorted(standing.pace)
    ]
    lines.append(say(locale, "Started {when}", when=f"<t:{int(standing.since)}:R>"))
    return fit("\n".join(lines))


def _model(recipe: Recipe, locale: str, pace: Pace, paused: bool, first: bool, whole: bool) -> str:
    """One model that is turned on; `whole` with what it does and its licence, else in one line."""
    needs = (
        say(locale, "needs {memory} GiB of GPU memory", memory=f"{recipe.memory:g}")
        if recipe.memory else say(locale, "runs on any machine")
    )  # fmt: skip
    facts = [
        COMMANDS[recipe.task],
        say(locale, "taken unless you choose") if first else "",
        needs,
        _pace(locale, pace, recipe.name),
        say(locale, "licence: {licence}", licence=recipe.licence) if whole else "",
        say(locale, "frames checked: {check}", check=quote(recipe.check.name, 40)) if recipe.check else "",
        say(locale, "**paused, its engine keeps failing**") if paused else "",
    ]
    name = f"**{recipe.name}**"
    if not whole:
        return pieces.small(locale, name, *facts)
    return f"{name} {quote(say(locale, recipe.about), 120)}\n{pieces.small(locale, *facts)}"


def _pace(locale: str, pace: Pace, name: str) -> str:
    seconds, clips = pace.get(name, (0.0, 0))
    if not clips:
        return say(locale, "not yet measured here")
    return say(locale, "{time} a clip here", time=pieces.time(locale, seconds))


def _machine(plan: Plan, locale: str) -> str:
    """What the choice of models went by."""
    device = plan.device
    if plan.looking:
        return pieces.small(
            locale,
            say(
                locale,
                "The graphics card is being looked at; until then commands take what runs on any machine",
            ),
        )
    if not device.total:
        return pieces.small(locale, say(locale, "This machine has no graphics card for models"))
    room = say(
        locale, "This machine: {device}, {free} of {total} GiB free",
        device=quote(device.name, 60), free=f"{device.free:.0f}", total=f"{device.total:.0f}",
    )  # fmt: skip
    auto = any(choice.auto for choice in plan.choices.values())
    why = say(locale, "taken unless you choose is the best that it has room for")
    return pieces.small(locale, room, why if auto else "")


def _asleep(recipes: list[Recipe], plan: Plan, locale: str) -> list[str]:
    """Models that are not turned on, by the reason."""
    judged = {one.recipe.name: one.verdict for choice in plan.choices.values() for one in choice.judged}
    found: dict[str, list[str]] = defaultdict(list)
    for recipe in recipes:
        found[_why(recipe, judged)].append(_brief(recipe))
    names = {why: ", ".join(briefs) for why, briefs in found.items()}
    lines = []
    if some := names.get("fits"):
        lines.append(say(locale, "Not turned on, would fit this machine: {models}", models=some))
    if some := names.get("off"):
        lines.append(say(locale, "Not turned on by the operator: {models}", models=some))
    if some := names.get("licence"):
        lines.append(
            say(locale, "Not turned on, their licence must be accepted first: {models}", models=some)
        )
    if (some := names.get("small")) and not plan.looking:
        lines.append(say(locale, "Not turned on, want more than this machine has: {models}", models=some))
    return [pieces.small(locale, line) for line in lines]


def _why(recipe: Recipe, judged: Mapping[str, Verdict]) -> str:
    match judged.get(recipe.name):
        case None:
            return "licence" if recipe.gated or recipe.bound else "off"
        case Verdict.SMALL | Verdict.OLD:
            return "small"
        case Verdict.LICENCE:
            return "licence"
        case _:
            return "fits"


def _brief(recipe: Recipe) -> str:
    return f"{recipe.name} ({COMMANDS[recipe.task]}, {recipe.memory:g} GiB)"
