"""The words: safe with any text, within Discord's limits, and saying what is so."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from discord.ui import LayoutView, Section, TextDisplay
from hypothesis import given, settings
from hypothesis import strategies as st

from commands import replies
from commands.words import MOST, count, fit, plain, quote, say
from gen.errors import BadRequest, EngineDied, EngineError, LaneFull, Unreachable
from gen.job import Asker, Clip, Job, Note, Request, Task
from gen.office import PAUSE, RELOAD
from gen.outlook import Place
from gen.ports import Deed, Step
from gen.recipe import Range, Recipe

REQUEST = Request(
    recipe="camera", task=Task.IMAGE, prompt="a red star", seed=7, width=768, height=432, frames=72, fps=24
)
ASKER = Asker(user=111, channel=222, guild=333)
JOB = Job(id="abc123", request=REQUEST, asker=ASKER, words="a red star -motion 3", created=1000.0)
CLIP = Clip(file="x.mp4", width=768, height=432, frames=72, fps=24, size=10_000, took=4.21)

#: Says all that a recipe can say of a request: nothing that was asked has an effect, no word is known.
MUTE = Recipe(
    name="mute", task=Task.TEXT, family="animatediff", about="", prompted=False, vocabulary="shapes"
)

ANY_TEXT = st.text(max_size=3000) | st.text("\\*_~`|<>[]()@:/# -!1a", max_size=3000)
SOME = settings(max_examples=60, deadline=None)


def job(**changes: object) -> Job:
    request = {key: changes.pop(key) for key in list(changes) if key in Request.__dataclass_fields__}
    return replace(JOB, request=replace(REQUEST, **request), **changes)


def labels(view: object) -> list[str]:
    return [child.label for child in view.children]


def texts(view: LayoutView) -> list[str]:
    """What a message of Components V2 says, piece by piece."""
    return [each.content for each in view.walk_children() if isinstance(each, TextDisplay)]


def ids(view: object) -> list[str]:
    return [child.custom_id for child in view.children]


# --- text of strangers


@given(ANY_TEXT, st.integers(2, 400))
@SOME
def test_a_quote_is_one_line_of_at_most_so_many_characters_without_marks(text: str, most: int) -> None:
    shown = quote(text, most)
    assert len(shown) <= most
    assert "\n" not in shown
    bare = re.sub(r"\\.", " ", shown)  # a space: what stood around it is not beside each other
    assert not set("\\*_~`|<>[]") & set(bare)
    assert not re.search(r"@(?!\u200b)", bare.rstrip("@…") + "\u200b" if bare.endswith("@") else bare)
    assert "://" not in bare


@given(st.text("ab \\*_~`|<>[]@:/é猫", max_size=60))
@SOME
def test_a_quote_reads_as_it_was_typed(text: str) -> None:
    read = re.sub(r"\\(.)", r"\1", quote(text, 400)).replace("\u200b", "")
    assert read == " ".join(text.split())


def test_a_quote_hides_what_turns_text_around_and_keeps_emojis_whole() -> None:
    assert quote("a\u202eb\x00c\u2066") == "abc"
    assert quote("👨\u200d👩\u200d👧 ❤️") == "👨\u200d👩\u200d👧 ❤️"


def test_a_quote_that_is_cut_says_so() -> None:
    assert quote("abcdef", 4) == "abc…"
    assert quote("abcd", 4) == "abcd"
    assert quote("ab**", 4) == "ab…"
    assert plain("abcdef", 4) == "abc…"


def test_nobody_is_mentioned_by_a_prompt() -> None:
    shown = quote("@everyone <@123> <#4> <t:1:R> https://evil.example [x](y)")
    assert "@everyone" not in shown
    assert r"\<@" in shown
    assert r"\<#4" in shown
    assert r"https\://evil" in shown


def test_values_are_never_read_as_templates() -> None:
    assert say("en-US", "{a}", a="{b}") == "{b}"
    assert say("en-US", "{not a field}") == "{not a field}"
    assert count("en-US", "one", "{number} of them", 1) == "one"
    assert count("en-US", "one", "{number} of them", 3) == "3 of them"


# --- limits


@given(ANY_TEXT, ANY_TEXT, st.booleans())
@SOME
async def test_every_message_fits_and_needs_no_luck(prompt: str, note: str, parent: bool) -> None:
    one = job(prompt=prompt, words=prompt[:1500], negative=prompt, parent="0" * 10 if parent else None)
    made = one.running(1.0).made(replace(CLIP, notes=(Note(note), Note("{a}", {"a": note}))))
    ended = [
        made.posted(5, 2.0),
        one.cancelled(2.0),
        one.failed(EngineError("It broke: {fault}.", fault=note), 2.0),
        one.failed(BadRequest(note.replace("{", "").replace("}", "")), 2.0),
    ]
    place = Place(one, 3, 10.0, 20.0)
    messages = [replies.ticket(each, place, paused=note)[0] for each in (one, one.running(1.0), made, *ended)]
    messages += [
        replies.card(made, recipe=MUTE)[0],
        *texts(replies.history(ended, "en-US", more=True)),
    ]
    messages += [replies.queue([place] * 40, 111, "en-US", paused=note), replies.stopped(one, "en-US")]
    messages += [replies.refused(LaneFull("You have {a}{b}.", a=note, b=prompt), "en-US")]
    assert all(0 < len(message) <= MOST for message in messages)
    assert len(replies.suggestion(one, "en-US")) <= 100


@given(ANY_TEXT)
@SOME
async def test_a_page_of_history_is_never_cut(prompt: str) -> None:
    long = job(
        prompt=prompt, recipe="r" * 40, seed=2**32 - 1, asker=Asker(user=2**63, channel=2**63, guild=2**63)
    )
    made = replace(long, id="0" * 10, created=1.8e9).running(1.0).made(CLIP).ticketed(2**63)
    page = replies.history([made] * replies.PAGE, "en-US", more=True, pictured=[made.id])
    assert len(texts(page)) == replies.PAGE
    assert all("seed" in text and text.endswith("`0000000000`") for text in texts(page))
    assert page.content_length() <= 4000


def test_what_is_too_long_is_cut_between_lines() -> None:
    assert fit("a\n" * 1500) == "a\n" * 999 + "…"
    assert fit("a" * 3000) == "a" * 1999 + "…"
    assert fit("a" * 2000) == "a" * 2000


@given(ANY_TEXT, ANY_TEXT)
@SOME
def test_a_file_name_is_never_a_path(prompt: str, recipe: str) -> None:
    name = replies.file_name(job(prompt=prompt, recipe=recipe))
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?_seed7\.mp4", name)


def test_a_file_name_tells_the_prompt() -> None:
    assert replies.file_name(job(prompt="A Red Stár, at ../night!")) == "a-red-star-at-night_seed7.mp4"
    assert replies.file_name(job(prompt="猫")) == "camera_seed7.mp4"


# --- tickets


async def test_a_waiting_ticket_tells_the_place_and_the_time_and_can_be_cancelled() -> None:
    text, view = replies.ticket(JOB, Place(JOB, 2, 1010.0, 1031.0))
    assert text.startswith("**a red star** · <@111>\n2 clips are ahead of yours · ready <t:1035:R>")
    assert ids(view) == ["cancel:abc123"]
    assert "One clip is ahead of yours" in replies.ticket(JOB, Place(JOB, 1, 1010.0, 1031.0))[0]
    assert "Yours is next" in replies.ticket(JOB, Place(JOB, 0, 1010.0, 1031.0))[0]


async def test_a_paused_line_says_why() -> None:
    text, _ = replies.ticket(JOB, Place(JOB, 2, 1010.0, 1031.0), paused="a *game* is on")
    assert r"The line is paused: a \*game\* is on" in text


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (None, "Starting"),
        (Step("fetching", 5, 20), "Fetching the model, 25 % of 20 MiB"),
        (Step("fetching", 0, 5120), "Fetching the model, 0 % of 5.0 GiB"),
        (Step("fetching", 0, 0), "Fetching the model ·"),
        (Step("loading", 0, 1), "Loading the model"),
        (Step("making", 12, 25), "`▰▰▰▰▱▱▱▱▱▱` step 12 of 25"),
        (Step("making", 25, 25), "`▰▰▰▰▰▰▰▰▰▰` step 25 of 25"),
        (Step("encoding", 1, 2), "Encoding"),
        (Step("dreaming", 1, 2), "At work"),
    ],
)
async def test_a_running_ticket_tells_the_engines_own_steps(step: Step | None, words: str) -> None:
    running = JOB.running(1005.0)
    place = Place(running, 0, 1005.0, 1030.0, step)
    for text, view in (replies.ticket(running, place), replies.ticket(running, place, step)):
        assert words in text
        assert "<t:1035:R>" in text
        assert ids(view) == ["cancel:abc123"]


async def test_a_ticket_of_a_made_clip_has_no_cancel_any_more() -> None:
    text, view = replies.ticket(JOB.running(1.0).made(CLIP))
    assert "The clip is made and on its way here." in text
    assert ids(view) == []


async def test_a_failure_says_what_happened_and_offers_another_try() -> None:
    text, view = replies.ticket(JOB.failed(EngineDied("The engine stopped {n} times.", n=2), 9.0))
    assert "The engine stopped 2 times." in text
    assert "does not count against your limit" in text
    assert (ids(view), labels(view)) == (["reroll:abc123"], ["Try again"])


async def test_a_refusal_as_a_failure_offers_no_other_try() -> None:
    _, view = replies.failed(JOB.failed(BadRequest("No."), 9.0))
    assert ids(view) == []


async def test_what_has_no_effect_is_said() -> None:
    recipe = Recipe(name="camera", task=Task.IMAGE, family="camera", about="", prompted=False,
                    motion=Range(1, 0, 4))  # fmt: skip
    asked = job(words="a red star -motion 3 -gs 7 -neg blur")
    assert "no effect here: the prompt, -guidance, -neg" in replies.ticket(asked, recipe=recipe)[0]
    assert "no effect here" not in replies.ticket(asked)[0]


async def test_a_model_that_knows_few_words_says_so_when_none_is_there() -> None:
    recipe = Recipe(name="shapes", task=Task.TEXT, family="animatediff", about="", vocabulary="shapes")
    said = "shapes knows a few words only: circle, square, triangle, star, heart, ring, their colours"
    assert said in replies.ticket(job(words="my cat at the beach"), recipe=recipe)[0]
    assert said not in replies.ticket(job(words="two red stars, spinning"), recipe=recipe)[0]


# --- the operators' log


@given(st.lists(ANY_TEXT.map(lambda text: text[:200]), max_size=replies.ACTS), st.booleans())
@SOME
async def test_every_page_of_the_log_goes_on_where_the_last_one_ended(reasons: list[str], more: bool) -> None:
    acts = [
        Deed(id=99 - at, at=5.0, actor=2**63, deed=PAUSE, values={"reason": f"act {at}: {text}"})
        for at, text in enumerate(reasons)
    ]
    pages, left = [], acts
    while left:
        text, view = replies.audit(left, "en-US", more=more, first=not pages)
        assert len(text) <= MOST
        pages.append(text)
        left = left[text.count("\n") + 1 :]
        assert ids(view) == ([f"audit:{100 - len(acts) + len(left)}"] if more or left else [])
    told = re.findall(r"act (\d+):", "\n".join(pages))
    assert told == [str(at) for at in range(len(acts))]


def test_an_act_that_fills_more_than_a_page_is_cut_and_the_next_one_is_on_the_next() -> None:
    many = {"added": [f"model-{number:033}" for number in range(60)]}
    acts = [Deed(id=number, at=5.0, actor=1, deed=RELOAD, values=many) for number in (8, 7)]
    text, view = replies.audit(acts, "en-US", more=False, first=True)
    assert len(text) == MOST and text.endswith("…")
    assert ids(view) == ["audit:8"]


# --- cards


async def test_a_card_tells_all_it_takes_to_make_the_clip_again() -> None:
    made = (
        replace(JOB, parent="par3nt")
        .running(1.0)
        .made(replace(CLIP, notes=(Note("smaller: {width}", {"width": 512}),)))
    )
    text, view = replies.card(made)
    assert text.splitlines() == [
        "<@111> **a red star**",
        "-# seed `7` · camera · 768 × 432 · 3 s · 24 fps",
        "-# -motion 3 · made in 4.2 s · from clip `par3nt` · id `abc123`",
        "-# smaller: 512",
    ]
    deeds = ["reroll", "remix", "info", "letter", "keep", "delete"]
    assert ids(view) == [f"{deed}:abc123" for deed in deeds]
    assert labels(view) == ["Reroll", "Remix", "Info", "DM me", "Keep", "Delete"]
    assert [child.row for child in view.children] == [0, 0, 0, 1, 1, 1]


async def test_a_note_of_an_earlier_version_is_shown_as_it_was_written() -> None:
    older = Clip.from_dict({**CLIP.to_dict(), "note": "40 × 24 instead of 64 × 42 {*}"})
    text, _ = replies.card(JOB.running(1.0).made(older))
    assert text.splitlines()[-1] == r"-# 40 × 24 instead of 64 × 42 {\*}"


async def test_a_picture_without_words_has_a_name() -> None:
    assert "**A picture in motion**" in replies.ticket(job(prompt=""))[0]
    assert "**One picture into the other**" in replies.ticket(job(prompt="", task=Task.INTERP))[0]


# --- private answers


def test_the_line_names_my_clips_and_nobody_elses() -> None:
    theirs = job(prompt="a secret", asker=replace(ASKER, user=999))
    mine = replace(JOB, id="mine")
    text = replies.queue([Place(theirs.running(1.0), 0, 1.0, 5.0), Place(mine, 1, 5.0, 9.0)], 111, "en-US")
    assert text.splitlines()[:3] == [
        "**2 clips are in the line**",
        "1\\. someone's clip · being made · ready <t:10:R>",
        "2\\. **a red star** (`mine`) · ready <t:15:R>",
    ]
    assert "secret" not in text


def test_a_long_line_is_cut_but_never_before_mine() -> None:
    theirs = job(asker=replace(ASKER, user=999))
    places = [Place(theirs, ahead, 1.0, 5.0) for ahead in range(40)]
    places[30] = Place(JOB, 30, 1.0, 5.0)
    text = replies.queue(places, 111, "en-US")
    assert "31\\. **a red star**" in text
    assert "and 27 more" in text
    assert "None of them is yours" in replies.queue(places, 5, "en-US")


async def test_a_history_links_to_clips_and_says_what_became_of_the_others() -> None:
    posted = JOB.running(1.0).made(CLIP).posted(777, 9.0)
    view = replies.history([posted, JOB.cancelled(3.0)], "en-US", more=True)
    assert "\n".join(texts(view)).splitlines() == [
        "[**a red star**](https://discord.com/channels/333/222/777)",
        "-# <t:1000:R> · camera · seed `7` · id `abc123`",
        "**a red star**",
        "-# cancelled · <t:1000:R> · camera · seed `7` · id `abc123`",
    ]
    assert ids(view.children[-1]) == ["page:abc123.a."]
    assert texts(replies.history([], "en-US")) == ["You have no clips yet; /animate makes one."]
    both = replies.history([posted, replace(posted, id="other")], "en-US", pictured=["other"])
    (section,) = [each for each in both.children if isinstance(each, Section)]
    assert section.accessory.media.url == f"attachment://{replies.picture(replace(posted, id='other'))}"
    assert section.accessory.description == "a red star"


def test_a_private_clips_link_leads_to_direct_messages() -> None:
    private = replace(JOB, asker=replace(ASKER, private=True)).running(1.0).made(CLIP).posted(777, 9.0)
    assert replies.link(private) == "https://discord.com/channels/@me/222/777"


def test_a_refusal_is_its_sentence_with_strangers_text_made_safe() -> None:
    error = BadRequest("-{flag} takes {takes}, not “{value}”.", flag="ar", takes="16:9", value="@here **x**")
    assert replies.refused(error, "en-US") == "-ar takes 16:9, not “@\u200bhere \\*\\*x\\*\\*”."
    assert replies.refused(Unreachable("Braces {stay} without values."), "en-US").startswith("Braces {stay}")


def test_a_clip_that_was_too_fast_to_cancel_is_told() -> None:
    assert "is cancelled" in replies.stopped(JOB.cancelled(1.0), "en-US")
    assert "is made already" in replies.stopped(JOB.running(1.0).made(CLIP), "en-US")
    assert "has ended already" in replies.stopped(JOB.failed(EngineError("x"), 1.0), "en-US")
