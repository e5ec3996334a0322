"""Unwanted words are found in any guise; what is softened holds none of them, and says what went."""

from __future__ import annotations

import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.lexicon import NOTHING, Entry, Lexicon, fold, read
from bot.preflight import Preflight
from commands.replies import file_name
from commands.words import plain
from gen.errors import Misconfigured, NotAllowed
from gen.job import Asker, Job, Task
from gen.layers import Words
from gen.prompt import LONGEST, Ask, parse
from gen.recipe import Recipe

PLUM = Lexicon([Entry("plum*"), Entry("purple rain", "grey rain"), Entry("禁止"), Entry("ガス"), Entry("कल")])
HIDDEN = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u061c\u180e\ue000\u3164\u115f\ufe0f\U000e0061"
MARKS = "\u0301\u0308\u0336\u0489\u20dd\u064e\u05b4\u0e34\u3099\u094d"


@pytest.mark.parametrize(
    ("words", "text", "found"),
    [
        ("plum", "a plum!", True),
        ("plum", "aplomb plumber", False),
        ("plum*", "plumber", True),
        ("purple rain", "purple   rain", True),
        ("purple rain", "purple raincoat", False),
        ("STRASSE", "straße", True),
        ("a.b", "axb", False),
        ("plum", "plúm PLÜM ", True),
        ("plüm", "plum", True),
        ("café", "CAFE\u0301", True),
        ("禁止", "これは禁止です", True),
        ("ガス", "ｶﾞｽ", True),
        ("ガス", "カス", False),
        ("カス", "ガス", False),
        ("가", "각", False),
        ("한국", unicodedata.normalize("NFD", "한국"), True),
        ("कल", "कला", False),
        ("कल", "आज, कल!", True),
        ("مدرسة", "مَدْرَسَة", True),
    ],
)
def test_patterns_match_whole_words_in_any_case(words: str, text: str, found: bool) -> None:
    assert Lexicon([Entry(words)]).finds(text) is found


def guises(letter: str) -> st.SearchStrategy[str]:
    """A letter in another case and width, with marks on it and things beside it that nobody sees."""
    wide = chr(ord(letter) + 0xFEE0)
    shapes = st.sampled_from([letter, letter.upper(), wide, wide.upper(), chr(0x1D41A + ord(letter) - 97)])
    extras = st.text(alphabet=HIDDEN + MARKS, max_size=3)
    return st.builds("{}{}".format, shapes, extras)


@given(st.tuples(*map(guises, "plum")).map("".join), st.sampled_from(["{}", "a {} b", "({})", "禁{}"]))
def test_no_guise_gets_past(word: str, around: str) -> None:
    assert PLUM.finds(around.format(word)), ascii(word)


#: Texts in which something unwanted is likely, in pieces and in guises, between flags.
PIECES = st.sampled_from(
    ["plum", "PLUMS", "pl", "um", "ｐｌｕｍ", "purple", "rain", "grey", "禁", "止", "禁止", "plum-seed", "-",
     "--", "a star", " ", "  ", "ガ", "カ\u3099", "ス", "\u200b", "ú", "straße", "\u0301", "-plum", "कल",
     "\u093e", "_"]
)  # fmt: skip
TEXTS = st.lists(PIECES | st.text(max_size=3), max_size=12).map("".join)


@settings(max_examples=300)
@given(TEXTS)
def test_what_is_softened_holds_nothing_unwanted(text: str) -> None:
    softer, left_out = PLUM.soften(text)
    assert not PLUM.finds(softer)
    assert bool(left_out) == PLUM.finds(text)
    assert softer == text or left_out
    assert PLUM.soften(softer) == (softer, ())


@settings(max_examples=300)
@given(st.lists(TEXTS | st.sampled_from([" -neg ", " -seed 7 ", " -no "]), max_size=5).map("".join), TEXTS)
def test_nothing_unwanted_reaches_a_request(
    tmp_path_factory: pytest.TempPathFactory, text: str, neg: str
) -> None:
    """By prompt, flag or option; and what is kept of it reads as it was meant."""
    judge = Preflight(tmp_path_factory.getbasetemp(), room=0, lexicon=PLUM)
    recipe = Recipe(name="x", task=Task.TEXT, family="f", about="", long=64, negative=True)
    try:
        ask = parse(text).over({"negative": neg or None})
        recipe.request(ask, [], 1)
    except Exception as error:
        assert type(error).__name__ == "BadRequest"
        return
    for policy in (Words.REFUSE, Words.SOFTEN):
        try:
            judged, left_out = judge(ask, policy)
        except NotAllowed:
            assert PLUM.finds(ask.prompt) or PLUM.finds(ask.negative or "")
            continue
        request = recipe.request(judged, [], 1)
        assert not PLUM.finds(request.prompt) and not PLUM.finds(request.negative)
        assert parse(str(judged)) == judged
        assert policy is Words.SOFTEN or judged == ask
        job = Job(id="a", request=request, asker=Asker(user=1, channel=2), created=0.0, left_out=left_out)
        assert not PLUM.finds(file_name(job).rpartition("_seed")[0])


@given(st.text())
def test_what_nobody_sees_changes_nothing(text: str) -> None:
    """A message shows a prompt without it: were it a letter to the policy, words could hide behind it."""
    assert "".join(fold(plain(text)).text.split()) == "".join(fold(text).text.split())
    folded = fold(text)
    assert len(folded.text) == len(folded.places)
    assert all(0 <= start <= end <= len(text) for start, end in folded.places)


def test_off_lets_pass_and_refuse_refuses(tmp_path: Path) -> None:
    judge, ask = Preflight(tmp_path, room=0, lexicon=PLUM), Ask(prompt="a star", negative="Plums")
    assert judge(ask, Words.OFF) == (ask, ())
    with pytest.raises(NotAllowed, match="not allowed on this bot"):
        judge(ask, Words.REFUSE)
    assert judge(ask, Words.SOFTEN) == (Ask(prompt="a star"), ("Plums",))
    assert judge(Ask(prompt="in purple  RAIN"), Words.SOFTEN) == (
        Ask(prompt="in grey rain"),
        ("purple  RAIN",),
    )


def test_a_prompt_of_nothing_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotAllowed, match="not allowed on this bot"):
        Preflight(tmp_path, room=0, lexicon=PLUM)(Ask(prompt="plum plums"), Words.SOFTEN)


def test_other_words_do_not_make_a_prompt_too_long() -> None:
    long = Lexicon([Entry("x", "very long words instead of it")])
    softer, left_out = long.soften("x a " * (LONGEST // 4))
    assert len(softer) <= LONGEST and set(softer) == {"a", " "} and len(left_out) == LONGEST // 4


def test_a_judgement_takes_no_time() -> None:
    many = Lexicon([Entry(f"word{number}*") for number in range(1000)])
    many.finds("warm")
    began = time.perf_counter()
    assert not many.finds("sword2 " * 200)  # as long as a prompt may be
    assert time.perf_counter() - began < 0.25


def written(folder: Path, text: str) -> Path:
    path = folder / "words.txt"
    path.write_text(text, "utf-8")
    return path


def test_a_file_of_words(tmp_path: Path) -> None:
    text = "# ours\n\nplum*   # and all that begins so\n  purple rain =>  grey rain \n禁止\n"
    lexicon = read(written(tmp_path, text))
    assert lexicon.entries == (Entry("plum*"), Entry("purple rain", "grey rain"), Entry("禁止"))
    assert not NOTHING.finds("plum") and len(NOTHING) == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("plum\n***\n", r"words\.txt, line 2: a pattern needs a letter"),
        ("a\n=> b\n", r"words\.txt, line 2: a pattern needs a letter"),
        ("plum => a PLUM tree\n", "“a PLUM tree” cannot take the place"),
        ("plum => -seed 7\n", "“-seed 7” cannot take the place"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(Misconfigured, match=words):
        read(written(tmp_path, text))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"words\.file: none\.txt cannot be read"):
        read(tmp_path / "none.txt")
    (tmp_path / "latin.txt").write_bytes("plüm".encode("latin-1"))
    with pytest.raises(Misconfigured, match=r"latin\.txt cannot be read"):
        read(tmp_path / "latin.txt")
