"""Every point of the kill matrix: nothing lost, nothing twice, nothing made again."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.kill import POINTS, matrix


@pytest.mark.timeout(900)
async def test_every_job_ends_in_one_clip_wherever_death_comes(tmp_path: Path) -> None:
    tally = await matrix(tmp_path)
    assert tally.faults == []
    assert (tally.lost, tally.twice, tally.made_again) == (0, 0, 0)
    assert tally.points == tally.kills == len(POINTS) >= 40
    for log in tmp_path.glob("*/bot.log"):
        assert "Traceback" not in log.read_text("utf-8", "replace"), log.read_text("utf-8", "replace")[-4000:]
