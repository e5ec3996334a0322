"""The bot says how it is: to programs of its own machine, in words and in figures that a board can show."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import socket
from pathlib import Path

import aiohttp
import pytest

from bench.stage import recipe, shipped
from bot import logs
from bot.meter import STEPS, Histogram, Meter
from bot.settings import Log
from gen.job import Asker, Job, Request, Task
from gen.ports import Step
from gen.trace import work_on
from tests.running import ROOT, running, texts, until_clips

LINE = re.compile(r'(zoetrope_\w+)(\{(\w+="[^"{}\n]*",?)*\})? (\S+)')


def settings(folder: Path, port: int, more: str = "") -> Path:
    path = folder / "config.toml"
    text = shipped()
    off = "port = 0  # of http"
    assert off in text
    path.write_text(text.replace(off, f"port = {port}  # of http") + more, "utf-8")
    return path


def free_port() -> int:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        return int(place.getsockname()[1])


def read(text: str) -> dict[str, float]:
    """Every sample of the text format by its name and labels; fails at a line that is none."""
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            assert re.fullmatch(r"# (HELP|TYPE) zoetrope_\w+ .+", line), line
            continue
        match = LINE.fullmatch(line)
        assert match, line
        found[match[1] + (match[2] or "")] = float(match[4])
    return found


async def test_health_and_figures_are_true_through_a_day(tmp_path: Path) -> None:
    port = free_port()
    config = settings(tmp_path, port, recipe("deadly", die_at=0) + recipe("slow", step_seconds=0.05))
    async with running(tmp_path, config) as (place, bot), aiohttp.ClientSession() as web:
        url, channel = f"http://127.0.0.1:{port}", place.channel("clips")
        async with web.get(f"{url}/healthz") as answer:
            assert (answer.status, (await answer.json())["gateway"]) in (
                (200, "ok"),
                (503, "not connected yet"),
            )
        async with asyncio.timeout(40):
            while "ready as" not in bot.words:  # noqa: ASYNC110 - a line of a file sets no event of ours
                await asyncio.sleep(0.05)
        async with web.get(f"{url}/healthz") as answer:
            assert answer.status == 200
            assert await answer.json() == {
                "ok": True, "database": "ok", "gateway": "ok", "engine": "ok",
                "waiting": 0, "oldest_job_seconds": 0.0,
            }  # fmt: skip
        await place.person("Ada").slash(channel, "animate", {"prompt": "a star", "model": "slow"})
        await until_clips(place, channel, 1)
        for who in ("Ben", "Mod"):
            await place.person(who).slash(channel, "animate", {"prompt": "a star", "model": "deadly"})
        await place.until(lambda: sum("engine" in text.lower() for text in texts(place, channel)) == 2, 60)
        async with web.get(f"{url}/metrics") as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            found = read(await answer.text())
        assert found['zoetrope_engine_deaths_total{recipe="deadly"}'] == 4
        assert found['zoetrope_paused{recipe="deadly"}'] == 1
        assert found['zoetrope_wait_seconds_count{recipe="slow"}'] == 1
        assert found['zoetrope_step_seconds_count{recipe="slow"}'] == 3  # between its four frames
        assert 0.15 <= found['zoetrope_step_seconds_sum{recipe="slow"}'] < 10
        assert found['zoetrope_jobs_total{recipe="slow",state="posted"}'] == 1
        assert found['zoetrope_jobs_total{recipe="deadly",state="failed"}'] == 2
        assert found["zoetrope_line_depth"] == found["zoetrope_failed_uploads_total"] == 0
        assert found["zoetrope_loop_lag_seconds_count"] > 1
        async with web.get(f"{url}/healthz") as answer:
            assert answer.status == 200  # the other models are served
            body = await answer.json()
            assert (body["ok"], body["gateway"]) == (True, "ok")
            assert body["engine"] == "deadly is paused for about 5 min: its engine keeps failing"
        for headers in (
            {"Host": "evil.example"},
            {"Host": f"127.0.0.1:{port}", "Origin": "http://evil.example"},
        ):
            async with web.get(f"{url}/metrics", headers=headers) as answer:
                assert answer.status == 403
        board = json.loads((ROOT / "docs" / "grafana.json").read_text("utf-8"))
        names = {re.sub(r"\{.*", "", name) for name in found}
        wanted = set(re.findall(r"zoetrope_\w+", json.dumps(board)))
        assert wanted and wanted <= names, wanted - names
        assert bot.process  # every line about the job names it, the engine's own too
    assert re.search(r"INFO|WARNING", bot.words)
    assert re.search(r"WARNING gen\.worker \[\w{10}\]: job (\w{10}): the engine died", bot.words)
    assert re.search(r"WARNING gen\.process \[\w{10}\]: child \d+ ended with -9", bot.words)


class Nobody:
    """A delivery that does nothing."""

    def show(self, job: Job, step: Step | None = None) -> None:
        """Hears of it."""


def test_a_file_that_is_made_beside_is_no_pause_between_steps() -> None:
    now = [0.0]
    meter = Meter(Nobody(), monotonic=lambda: now[0])  # type: ignore[arg-type]  # nothing is posted
    request = Request(recipe="a", task=Task.TEXT, seed=1, width=2, height=2, frames=1, fps=1)
    one, two = (
        Job(id=name, request=request, asker=Asker(user=1, channel=2), created=0.0).running(0.0)
        for name in ("one", "two")
    )
    for at, job, stage in (
        (1, one, "making"), (2, one, "making"), (3, one, "encoding"), (4, two, "making"),
        (5, one, "encoding"), (6, two, "making"), (7, two, "encoding"),
    ):  # fmt: skip
        now[0] = float(at)
        meter.show(job, Step(stage, 1, 2))
    assert (sum(meter.steps["a"].counts), meter.steps["a"].total) == (2, 1.0 + 2.0)


async def test_it_is_off_unless_asked_for(tmp_path: Path) -> None:
    async with running(tmp_path) as (_, bot):
        assert bot.process
        own = {str(link.readlink()) for link in Path(f"/proc/{bot.process.pid}/fd").iterdir()}
        inodes = {match[1] for name in own if (match := re.fullmatch(r"socket:\[(\d+)\]", name))}
        table = Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]
        listening = {row.split()[9] for row in table if row.split()[3] == "0A"}
        assert not inodes & listening


async def test_a_port_that_is_taken_stops_the_start_with_one_line(tmp_path: Path) -> None:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        place.listen()
        port = place.getsockname()[1]
        with pytest.raises(AssertionError, match="ended with 78") as caught:
            async with running(tmp_path, settings(tmp_path, port)):
                pass
    assert f"health.port is {port}, which cannot be opened: " in str(caught.value)
    assert "Traceback" not in (tmp_path / "bot" / "bot.log").read_text("utf-8")


def test_a_histogram_counts_up_to_each_bound() -> None:
    steps = Histogram(STEPS)
    for value in (0.005, 0.01, 0.5, 1000):
        steps.note(value)
    found = read("\n".join(steps.lines("zoetrope_x", 'recipe="a"')))
    assert found['zoetrope_x_bucket{recipe="a",le="0.01"}'] == 2
    assert found['zoetrope_x_bucket{recipe="a",le="0.3"}'] == 2
    assert found['zoetrope_x_bucket{recipe="a",le="1"}'] == 3
    assert found['zoetrope_x_bucket{recipe="a",le="+Inf"}'] == found['zoetrope_x_count{recipe="a"}'] == 4
    assert found['zoetrope_x_sum{recipe="a"}'] == pytest.approx(1000.515)


def test_a_log_for_programs_is_one_object_a_line_with_the_job(capsys: pytest.CaptureFixture[str]) -> None:
    handlers, level = logging.root.handlers[:], logging.root.level
    try:
        logs.begin(Log(format="json"))
        log = logging.getLogger("gen.worker")
        with work_on("7h3kq2mnpx"):
            try:
                raise ValueError("“odd”\nvalue")
            except ValueError:
                log.exception("job %s met a bug", "7h3kq2mnpx")
        log.info("and on")
    finally:
        logging.root.handlers[:] = handlers
        logging.root.setLevel(level)
    first, second = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (first["job"], first["level"], first["name"]) == ("7h3kq2mnpx", "ERROR", "gen.worker")
    assert first["text"] == "job 7h3kq2mnpx met a bug"
    assert first["trace"].endswith("ValueError: “odd”\nvalue")
    assert (second["job"], second["text"], "trace" in second) == ("", "and on", False)
