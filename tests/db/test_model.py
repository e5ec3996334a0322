"""The ledger beside a dict that does the same, in any order that hypothesis thinks of."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from db.ledger import Ledger
from gen.job import BEFORE, ENDED, Job, State
from tests.db.ledger_jobs import job, turned


class Model(RuleBasedStateMachine):
    """Everything that was answered is true of the file, whoever reads it."""

    fresh: Path
    ids = Bundle("ids")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.file = Path(shutil.copy(self.fresh, self.folder.name))
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.jobs: dict[str, Job] = {}
        self.open()

    def do(self, call):
        return self.runner.run(call)

    def open(self) -> None:
        self.ledger = self.do(self.stack.enter_async_context(Ledger.open(self.file)))

    @rule(
        target=ids, user=st.integers(1, 2), parent=ids | st.none(),
        words=st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    )  # fmt: skip
    def add(self, user: int, parent: str | None, words: str) -> str:
        one = job(len(self.jobs), user=user, parent=parent, words=words)
        self.do(self.ledger.add(one))
        self.jobs[one.id] = one
        return one.id

    @rule(which=ids, state=st.sampled_from(State), number=st.integers(1, 99))
    def record(self, which: str, state: State, number: int) -> None:
        before = self.jobs[which]
        after = turned(before, state, number)
        allowed = before.state in BEFORE[state]
        assert self.do(self.ledger.record(after)) is allowed
        if allowed:
            self.jobs[which] = after

    @rule(which=ids, message=st.none() | st.integers(1, 2**63 - 1))
    def ticket(self, which: str, message: int | None) -> None:
        self.do(self.ledger.ticket(which, message))
        self.jobs[which] = self.jobs[which].ticketed(message)

    @rule(users=st.lists(st.integers(1, 2), min_size=2, max_size=5))
    def add_many(self, users: list[int]) -> None:
        jobs = [job(len(self.jobs) + index, user=user) for index, user in enumerate(users)]

        async def together() -> None:
            await asyncio.gather(*(self.ledger.add(one) for one in jobs))

        self.do(together())
        self.jobs.update((one.id, one) for one in jobs)

    @rule()
    def reopen(self) -> None:
        self.do(self.stack.aclose())
        self.open()

    @rule(user=st.integers(1, 2), limit=st.integers(1, 4), words=st.sampled_from(["", "s", "A", "RED star"]))
    def history(self, user: int, limit: int, words: str) -> None:
        pages, page = [], self.do(self.ledger.history(user, limit=limit, words=words))
        while page:
            assert len(page) <= limit
            pages += page
            page = self.do(self.ledger.history(user, limit=limit, words=words, before=page[-1]))
        wanted = words.casefold().split()
        assert pages == [
            one
            for one in reversed(self.jobs.values())
            if one.asker.user == user and all(word in one.words.casefold() for word in wanted)
        ]

    @rule(which=ids)
    def children(self, which: str) -> None:
        found = self.do(self.ledger.children(which))
        assert list(found) == [one for one in self.jobs.values() if one.parent == which]

    @invariant()
    def agree(self) -> None:
        unfinished = self.do(self.ledger.unfinished())
        assert list(unfinished) == [one for one in self.jobs.values() if one.state not in ENDED]
        for one in self.jobs.values():
            assert self.do(self.ledger.find(one.id)) == one

    def teardown(self) -> None:
        self.do(self.stack.aclose())
        self.runner.close()
        self.folder.cleanup()


@pytest.mark.timeout(60)
def test_the_ledger_is_a_dict_that_lasts(fresh: Path):
    Model.fresh = fresh
    run_state_machine_as_test(
        Model,
        settings=settings(
            max_examples=8, stateful_step_count=15, deadline=None, derandomize=True, database=None,
            suppress_health_check=list(HealthCheck),
        ),  # a commit takes as long as the disk takes
    )  # fmt: skip
