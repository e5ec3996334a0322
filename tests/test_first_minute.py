"""The first minute, as a person has it: `make run`'s program, a browser, three commands, a reroll, a kill."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, async_playwright, expect

from bench.stage import shipped
from tests.running import LEFT, ROOT

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
SAMPLES = ROOT / "playground" / "static" / "samples"
#: Screenshots are kept here; the README shows the first.
SHOTS = ROOT / "build" / "shots"

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="there is no Chromium here: nobody saw the first minute"
)


class Program:
    """What `make run` starts without a token: the chat page, and the bot in its own process.

    `options` are the chat page's own; without `config`, the settings are those shipped, with the test card.
    """

    def __init__(self, data: Path, *options: str, config: Path | None = None) -> None:
        self.data = data
        self.options = options
        self.config = config or data / "settings.toml"
        if config is None:
            self.config.write_text(shipped(), "utf-8")
        self.lines: list[str] = []
        self.address = ""

    async def start(self) -> None:
        """Starts it and reads the one address that it prints."""
        environ = {**os.environ, "ZOETROPE_DATA": str(self.data / "bot"), "PYTHONUNBUFFERED": "1"}
        environ["ZOETROPE_CONFIG"] = str(self.config)
        environ.pop("DISCORD_TOKEN", None)
        command = [sys.executable, "-m", "playground", "--port", "0", "--data", str(self.data / "discord")]
        self.process = await asyncio.create_subprocess_exec(
            *command, *self.options, "--", sys.executable, "-m", "bot", cwd=ROOT, env=environ,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        LEFT.add(self.process.pid)
        self.address = ""
        found = asyncio.Event()
        self.reading = asyncio.create_task(self._read(found))
        await asyncio.wait_for(found.wait(), 60)

    async def _read(self, found: asyncio.Event) -> None:
        assert self.process.stdout
        async for line in self.process.stdout:
            self.lines.append(line.decode().rstrip())
            if match := re.search(r"http://127\.0\.0\.1:\d+", self.lines[-1]):
                self.address = self.address or match[0]
                found.set()

    async def stop(self, sign: signal.Signals = signal.SIGINT) -> None:
        """Ctrl-C, or a kill of everything it started."""
        if sign is signal.SIGKILL:
            os.killpg(self.process.pid, sign)
        else:
            self.process.send_signal(sign)
        await asyncio.wait_for(self.process.wait(), 40)
        LEFT.discard(self.process.pid)
        await self.reading


@asynccontextmanager
async def opened(address: str) -> AsyncIterator[Page]:
    """The page in a browser; an error on it fails the test."""
    errors: list[str] = []
    expect.set_options(timeout=90_000)  # a busy machine is no fault of the program
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = await browser.new_page(viewport={"width": 1180, "height": 1080})
        page.set_default_timeout(90_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        await page.goto(address)
        await expect(page.locator("body")).to_have_attribute("data-state", "ready")
        await expect(page.get_by_text("online")).to_be_visible()
        yield page
        await browser.close()
    assert errors == []


async def type_command(page: Page, name: str, **options: str | Path) -> None:
    """Types a command as a person does; files are chosen, everything else is typed."""
    await page.locator("#text").click()
    await page.keyboard.type(f"/{name}")
    await page.keyboard.press("Tab")
    await expect(page.locator(f'[data-command="{name}"]')).to_be_visible()
    for option, value in options.items():
        field = page.locator(f'[data-option="{option}"]')
        if isinstance(value, Path):
            await page.locator(f"#file-{option}").set_input_files(value)
            await expect(field.locator("b")).to_have_text(value.name)
        else:
            await field.locator("textarea, input").fill(value)
    await page.locator(".strip button[type=submit]").click()


def messages(page: Page) -> Locator:
    """The messages with clips, oldest first."""
    return page.locator(".messages > [data-message-id]", has=page.locator("video"))


def videos(page: Page) -> Locator:
    """The clips in the channel."""
    return page.locator(".messages video")


async def plays(video: Locator) -> None:
    """The clip is decoded and its time goes on."""
    await video.evaluate("async each => { each.muted = true; await each.play() }")
    await video.page.wait_for_function(
        "each => each.videoWidth > 0 && each.currentTime > 0.2", arg=await video.element_handle()
    )


async def test_three_commands_three_clips_and_a_reroll_in_the_browser(tmp_path: Path) -> None:
    first, last = SAMPLES / "hills-sunset.jpg", SAMPLES / "hills-night.jpg"
    program = Program(tmp_path, config=ROOT / "config.toml")
    await program.start()
    async with opened(program.address) as page:
        await type_command(page, "img2vid", image=first)
        await expect(videos(page)).to_have_count(1)
        await type_command(page, "interp", first=first, last=last)
        await expect(videos(page)).to_have_count(2)
        await type_command(page, "animate", prompt="a red star over the sea")
        await expect(videos(page)).to_have_count(3)
        for number in range(3):
            await plays(videos(page).nth(number))
        SHOTS.mkdir(parents=True, exist_ok=True)
        await expect(page.locator(".later")).to_be_hidden()  # the newest clip is in view
        await page.screenshot(path=SHOTS / "page.png")
        newest = messages(page).last
        await newest.hover()
        await newest.locator('.toolbar [data-emoji="🔁"]').click()
        await expect(videos(page)).to_have_count(4)
        await plays(videos(page).nth(3))
    await program.stop(signal.SIGKILL)

    await program.start()
    async with opened(program.address) as page:
        await expect(videos(page)).to_have_count(4)
        await messages(page).first.get_by_role("button", name="Reroll").click()
        await expect(videos(page)).to_have_count(5)
        await page.screenshot(path=SHOTS / "after-a-kill.png")
    await program.stop()
    assert "Traceback" not in "\n".join(program.lines)
