"""Any text either parses or is refused with a reason, and what was parsed prints as what parses the same."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gen.errors import BadRequest
from gen.prompt import ASPECTS, FIELDS, FLAGS, LONGEST, MOVES, SEEDS, Ask, parse

NAMES = [name for flag in FLAGS for name in (flag.name, *flag.others)]
VALUES = [
    "",
    "zoom in",
    "zoom  OUT",
    "pan up left",
    "pan left,up",
    "pan up down",
    "rotate cw",
    "rotate acw",
    "zoom pan",
    "3",
    "0.25",
    ".5",
    "2.",
    "-1",
    "1e3",
    "nan",
    "inf",
    "٣",
    "９",
    "4294967295",
    "4294967296",
    "9" * 400,
    "0.33333",
    "16:9",
    "16：9",
    "no",
    "blurry, ugly",
    "camera",
    "a-b -5 - --",
    "testcard",
    "{flag}",
    "%s",
    "a\nb",
    "\u202eRTL",
    "👩‍👩‍👧",
    "\u200b",
    "\x00",
    "\ud800",
    "𝟜",
]
DASHES = ["-", "--", "—", "–", "−", "－", "——"]


@st.composite
def flagged(draw: st.DrawFn) -> str:
    """Text that is mostly flags, mostly known, mostly with values of some flag."""
    parts = [draw(st.text(max_size=30))]
    for _ in range(draw(st.integers(0, 5))):
        name = draw(st.sampled_from(NAMES) | st.text(max_size=6))
        parts += [draw(st.sampled_from(DASHES)) + name, draw(st.sampled_from(VALUES) | st.text(max_size=12))]
    return draw(st.sampled_from([" ", "  ", "\n", "\t", "\u3000"])).join(parts)


@settings(deadline=None)  # a busy machine is no fault
@given(st.text() | flagged())
def test_any_text_parses_or_is_refused_with_a_reason(text: str) -> None:
    try:
        ask = parse(text)
    except BadRequest as refusal:
        sentence = str(refusal)
        assert sentence.endswith(".") and len(sentence) < 400
        assert refusal.values.get("flag", refusal.values.get("most"))  # what is wrong
        assert (
            "takes" in refusal.values
            or "flags" in refusal.values
            or "most" in refusal.values
            or ("twice" in refusal.template)
        )  # and what would be right
        return
    assert parse(str(ask)) == ask


@settings(deadline=None)  # a busy machine is no fault
@given(
    st.builds(
        Ask,
        prompt=st.lists(st.sampled_from(["a", "cat-dog", "猫", "-5", "👩‍👩‍👧", "-", "é—"]), max_size=6).map(
            " ".join
        ),
        camera=st.none() | st.sampled_from([(move,) for move in MOVES] + [("pan up", "pan left")]),
        motion=st.none() | st.floats(0, 4).map(lambda x: round(x, 4)),
        fps=st.none() | st.integers(8, 24),
        guidance=st.none() | st.floats(5, 25).map(lambda x: round(x, 4)),
        aspect=st.none() | st.sampled_from(ASPECTS),
        negative=st.none() | st.just("blurry faces"),
        seed=st.none() | st.integers(0, SEEDS - 1),
        seconds=st.none() | st.floats(0.5, 20).map(lambda x: round(x, 4)),
        steps=st.none() | st.integers(1, 100),
        model=st.none() | st.sampled_from(["wan-1.3b", "ltx_2"]),
        smooth=st.none() | st.sampled_from([1, 2, 4]),
        loop=st.none() | st.booleans(),
    )
)
def test_every_ask_prints_as_what_parses_to_it(ask: Ask) -> None:
    assert parse(str(ask)) == ask


def test_what_a_user_of_pika_types() -> None:
    assert parse("a red star -camera zoom in -motion 3 -ar 16:9 -seed 7") == Ask(
        prompt="a red star", camera=("zoom in",), motion=3.0, aspect="16:9", seed=7
    )
    assert parse("a fox -gs 12 -fps 24 -neg blurry, two tails -motion 0") == Ask(
        prompt="a fox", guidance=12.0, fps=24, negative="blurry, two tails", motion=0.0
    )


@pytest.mark.parametrize("dash", DASHES)
def test_hyphens_of_every_keyboard(dash: str) -> None:
    assert parse(f"a cat {dash}ar 1:1 {dash}SEED 5") == Ask(prompt="a cat", aspect="1:1", seed=5)


@pytest.mark.parametrize(
    "words",
    [
        "a state-of-the-art cat",
        "a - b",
        "from -5 to -3 degrees",
        "5 – 10 cats",
        "猫——camera",
        "cat—ar",
        "-",
        "- ar 1:1",
    ],
)
def test_a_hyphen_that_begins_no_flag(words: str) -> None:
    assert parse(words) == Ask(prompt=words)


@pytest.mark.parametrize(
    ("value", "moves"),
    [
        ("zoom in", ("zoom in",)),
        ("Zoom Out", ("zoom out",)),
        ("pan right", ("pan right",)),
        ("pan left up", ("pan up", "pan left")),
        ("pan up, left", ("pan up", "pan left")),
        *((f"rotate {word}", ("rotate clockwise",)) for word in ("clockwise", "cw")),
        *(
            (f"rotate {word}", ("rotate counterclockwise",))
            for word in ("counterclockwise", "ccw", "anticlockwise", "acw")
        ),
    ],
)
def test_camera(value: str, moves: tuple[str, ...]) -> None:
    assert parse(f"x -camera {value}").camera == moves


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x -camera pan up down", ["-camera", "pan up|down|left|right", "“pan up down”"]),
        ("x -camera pan left up right", ["-camera", "“pan left up right”"]),
        ("x -camera zoom in out", ["-camera", "“zoom in out”"]),
        ("x -camera zoom in pan up", ["-camera", "“zoom in pan up”"]),
        ("x -camera pan up up", ["-camera", "“pan up up”"]),
        ("x -camera", ["-camera needs a value", "zoom in|out"]),
        ("x -motion 5", ["-motion", "0 to 4", "“5”"]),
        ("x -motion -1", ["-motion", "0 to 4", "“-1”"]),
        ("x -fps 25", ["-fps", "8 to 24", "“25”"]),
        ("x -fps 12.5", ["-fps", "whole", "“12.5”"]),
        ("x -gs 4", ["-gs", "5 to 25", "“4”"]),
        ("x -ar 3:2", ["-ar", "16:9, 9:16, 1:1, 5:2, 4:5, 4:3", "“3:2”"]),
        ("x -seed 4294967296", ["-seed", "0 to 4294967295", "“4294967296”"]),
        ("x -seed ９", ["-seed", "“９”"]),
        ("x -neg", ["-neg needs a value"]),
        ("x -loop always", ["-loop", "“always”"]),
        ("x -fsp 8", ["-fsp is no flag I know", "-camera", "-fps"]),
        ("x -motion=3", ["-motion=3 is no flag I know"]),
        ("x -ar16:9", ["-ar16:9 is no flag I know"]),
        ("x -seed 1 -seed 2", ["-seed", "twice"]),
        ("x -no a -neg b", ["-neg", "twice"]),
        ("x" * (LONGEST + 1), ["1501", "1500"]),
    ],
)
def test_a_refusal_names_flag_value_and_range(text: str, said: list[str]) -> None:
    with pytest.raises(BadRequest) as refusal:
        parse(text)
    for part in said:
        assert part in str(refusal.value)


def test_a_number_keeps_four_digits() -> None:
    assert parse("x -motion .5").motion == 0.5
    assert parse("x -motion 0.123456").motion == 0.1235
    assert parse("x -seconds 2.").seconds == 2.0


def test_an_option_beats_a_flag() -> None:
    ask = parse("a fox -motion 3 -loop -ar 1:1 -camera zoom in")
    over = ask.over({"motion": 0.1 + 0.2, "loop": False, "camera": "pan left", "fps": None, "seed": 0})
    assert over == Ask(prompt="a fox", motion=0.3, loop=False, aspect="1:1", camera=("pan left",), seed=0)
    assert parse(str(over)) == over


@pytest.mark.parametrize(
    "options",
    [
        {"motion": 4.1},
        {"motion": float("nan")},
        {"motion": float("inf")},
        {"motion": 1e300},
        {"fps": 7},
        {"negative": "ugly -ar 1:1"},
        {"negative": "x" * (LONGEST + 1)},
        {"model": "../etc"},
    ],
)
def test_an_option_is_judged_as_its_flag_is(options: dict[str, object]) -> None:
    (name,) = options
    with pytest.raises(BadRequest, match=f"-{FIELDS[name].name} takes {FIELDS[name].takes[:20]}"):
        Ask().over(options)


def test_the_longest_ask_can_be_typed_again() -> None:
    ask = parse("x" * LONGEST).over({"negative": "y" * LONGEST, "camera": "rotate cw", "seed": 1})
    assert parse(str(ask)) == ask


def test_control_characters_are_spaces() -> None:
    assert parse("a\x00b\x1bc\ud800 \n-seed\x007") == Ask(prompt="a b c", seed=7)
