"""A job takes named turns only, and its values survive any journey."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gen.errors import EngineError
from gen.job import BEFORE, ENDED, Asker, Clip, Job, Note, Request, State, Task

REQUEST = Request(
    recipe="testcard", task=Task.TEXT, prompt="a cat", seed=1, width=64, height=64, frames=8, fps=8
)
CLIP = Clip(file="a.mp4", width=64, height=64, frames=12, fps=8, size=1000, took=2.0)
JOB = Job(id="one", request=REQUEST, asker=Asker(user=1, channel=2), created=900.0)

TURNS: dict[State, Callable[[Job], Job]] = {
    State.WAITING: lambda job: job.waiting(),
    State.RUNNING: lambda job: job.running(1000.0),
    State.MADE: lambda job: job.made(CLIP),
    State.POSTED: lambda job: job.posted(77, 1000.0),
    State.FAILED: lambda job: job.failed(EngineError("No."), 1000.0),
    State.CANCELLED: lambda job: job.cancelled(1000.0),
}
ALLOWED = {
    ("waiting", "running"), ("waiting", "failed"), ("waiting", "cancelled"),
    ("running", "waiting"), ("running", "made"), ("running", "failed"), ("running", "cancelled"),
    ("made", "posted"), ("made", "failed"),
}  # fmt: skip


@pytest.mark.parametrize("before", State)
@pytest.mark.parametrize("after", State)
def test_only_the_allowed_turns_can_be_taken(before: State, after: State) -> None:
    job = replace(JOB, state=before)
    if (before, after) in ALLOWED:
        assert TURNS[after](job).state is after
    else:
        with pytest.raises(ValueError, match=f"job one: {before} cannot become {after}"):
            TURNS[after](job)


def test_what_ended_never_moves_again() -> None:
    assert not any(ENDED & before for before in BEFORE.values())
    assert set(BEFORE) == set(State)


def test_a_turn_leaves_its_mark_and_the_old_job_as_it_was() -> None:
    running = JOB.running(1000.0)
    assert (running.started, running.attempts) == (1000.0, 1)
    assert (JOB.state, JOB.attempts) == (State.WAITING, 0)
    again = running.waiting()
    assert (again.started, again.attempts) == (None, 1)
    assert again.running(1001.0).attempts == 2
    posted = running.made(CLIP).posted(77, 1002.0)
    assert (posted.clip, posted.message, posted.ended) == (CLIP, 77, 1002.0)
    failed = running.failed(EngineError("Too {what}.", what="large"), 1003.0)
    assert failed.failure and str(failed.failure.error()) == "Too large."
    assert posted.ticketed(5) == replace(posted, ticket=5)
    with pytest.raises(FrozenInstanceError):
        posted.state = State.WAITING  # type: ignore[misc]  # that is what is tested


REQUESTS = st.builds(
    Request,
    recipe=st.text(),
    task=st.sampled_from(Task),
    prompt=st.text(),
    negative=st.text(),
    seed=st.integers(0, 2**32 - 1),
    images=st.lists(st.text(), max_size=2).map(tuple),
    width=st.integers(2),
    height=st.integers(2),
    frames=st.integers(1),
    fps=st.integers(1),
    guidance=st.floats(0, 30),
    camera=st.lists(st.text(), max_size=2).map(tuple),
    loop=st.booleans(),
)


@settings(deadline=None)  # a busy machine is no fault
@given(REQUESTS)
def test_a_request_survives_json(request: Request) -> None:
    assert Request.from_dict(json.loads(json.dumps(request.to_dict()))) == request


def test_a_clip_survives_json() -> None:
    squeezed = Note("{width} × {height} for want of room", {"width": 32, "height": 24})
    for clip in (CLIP, replace(CLIP, notes=(squeezed, Note("lower quality")), found=("blood",))):
        assert Clip.from_dict(json.loads(json.dumps(clip.to_dict()))) == clip
    assert str(squeezed) == "32 × 24 for want of room"
    assert CLIP.seconds == 1.5


def test_keys_of_another_version_are_left_out() -> None:
    assert Request.from_dict({**REQUEST.to_dict(), "moods": ["blue"]}) == REQUEST
    assert Clip.from_dict({**CLIP.to_dict(), "moods": ["blue"]}) == CLIP
    written = {key: value for key, value in CLIP.to_dict().items() if key != "notes"}
    assert Clip.from_dict({**written, "note": ""}) == CLIP
    [note] = Clip.from_dict({**written, "note": "half of {it}"}).notes
    assert str(note) == "half of {it}"
    older = {
        key: value for key, value in REQUEST.to_dict().items() if key not in ("camera", "smooth", "loop")
    }
    assert Request.from_dict(older) == REQUEST
