"""What stories share: `make run`'s program, a browser on its page, and what a person does and reads there."""

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
from playwright.async_api import BrowserContext, Locator, Page, Request, Route, async_playwright, expect

from bench.stage import shipped
from tests.running import KILLS, LEFT, ROOT

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
SAMPLES = ROOT / "playground" / "static" / "samples"
#: Screenshots are kept here; the README shows the first minute's.
SHOTS = ROOT / "build" / "shots"
#: Deeds on the chat page that the bot hears of.
HEARD = re.compile(rb'"deed": ?"(say|slash|menu|press|select|submit|react|unreact|delete)"')

#: Of every file of stories.
STORY = [
    pytest.mark.story,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here: nobody saw this story"),
]


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
        self._told = asyncio.Condition()
        self._falling = asyncio.Lock()

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
        self.reading = asyncio.create_task(self._read())
        async with self._told:
            await asyncio.wait_for(self._told.wait_for(lambda: self.address), 60)

    async def _read(self) -> None:
        assert self.process.stdout
        async for line in self.process.stdout:
            self.lines.append(line.decode().rstrip())
            if match := re.search(r"http://127\.0\.0\.1:\d+", self.lines[-1]):
                self.address = self.address or match[0]
            async with self._told:
                self._told.notify_all()

    async def stop(self, sign: signal.Signals = signal.SIGINT) -> None:
        """Ctrl-C, or a kill of everything it started; no exception was swallowed."""
        if sign is signal.SIGKILL:
            os.killpg(self.process.pid, sign)
        else:
            self.process.send_signal(sign)
        await asyncio.wait_for(self.process.wait(), 40)
        LEFT.discard(self.process.pid)
        await self.reading
        said = "\n".join(self.lines)
        assert "Traceback" not in said, said[-6000:]

    async def fall(self) -> None:
        """`kill -9` of the bot alone; returns once the next one hears."""
        async with self._falling:
            before = self._starts()
            os.kill(_child(self.process.pid), signal.SIGKILL)
            async with self._told:
                await asyncio.wait_for(self._told.wait_for(lambda: self._starts() > before), 90)

    def _starts(self) -> int:
        """How often a bot was connected."""
        return sum("connected to Gateway" in line for line in self.lines)


def _child(parent: int) -> int:
    """The only child of a process."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text("ascii", "replace").rsplit(")", 1)[1].split()
        except OSError:  # it has ended meanwhile
            continue
        if int(fields[1]) == parent:
            found.append(int(status.parent.name))
    (child,) = found
    return child


@asynccontextmanager
async def opened(program: Program) -> AsyncIterator[Page]:
    """The page in a browser, the bot online; an error on it fails the test."""
    errors: list[str] = []
    expect.set_options(timeout=90_000)  # a busy machine is no fault of the program
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = await browser.new_page(viewport={"width": 1180, "height": 1080})
        page.set_default_timeout(90_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        await page.goto(program.address)
        await expect(page.locator("body")).to_have_attribute("data-state", "ready")
        await online(page)
        if KILLS in os.environ:
            await kill_before_deeds(program, page.context)
        try:
            yield page
        except BaseException as error:
            error.add_note("What the bot logged, at last:\n" + "\n".join(program.lines[-40:]))
            await keep_shot(page, "failed")
            raise
        await browser.close()
    assert errors == []


async def kill_before_deeds(program: Program, context: BrowserContext) -> None:
    """From now on, whatever the person does meets a bot that was killed the moment before and came again:
    on the chat page what it hears of; elsewhere all that is asked for by a page, or opened."""

    def is_deed(asked: Request) -> bool:
        if "/page/" in asked.url:
            return HEARD.search(asked.post_data_buffer or b"") is not None
        return asked.resource_type in ("document", "fetch")

    async def fall_first(route: Route) -> None:
        if is_deed(route.request):
            await program.fall()
        await route.continue_()

    await context.route("**/*", fall_first)


async def online(page: Page) -> None:
    """The bot is connected."""
    await expect(page.get_by_text("online")).to_be_visible()


async def become(page: Page, name: str) -> None:
    """Goes on as another person."""
    person = page.locator(f'[data-person="{name}"]')
    await person.click()
    await expect(person).to_have_attribute("aria-pressed", "true")
    await expect(page.locator("body")).to_have_attribute("data-state", "ready")


async def go_to(page: Page, channel: str) -> None:
    """Opens a channel of the sidebar by its name."""
    there = page.locator(".channels button.channel", has_text=channel)
    await there.click()
    await expect(there).to_have_attribute("aria-current", "page")
    await expect(page.locator("body")).to_have_attribute("data-state", "ready")


async def type_command(page: Page, name: str, **options: str | Path) -> None:
    """Types a command as a person does; files are chosen, everything else is typed or picked."""
    await page.locator("#text").click()
    await page.keyboard.type(f"/{name}")
    await page.keyboard.press("Tab")
    await expect(page.locator(f'[data-command="{name}"]')).to_be_visible()
    for option, value in options.items():
        field = page.locator(f'[data-option="{option}"]')
        if not await field.count():
            await page.locator(f'[data-add-option="{option}"]').click()
        if isinstance(value, Path):
            await page.locator(f"#file-{option}").set_input_files(value)
            await expect(field.locator("b")).to_have_text(value.name)
        elif await field.locator("select").count():
            await field.locator("select").select_option(label=value)
        else:
            await field.locator("textarea, input").fill(value)
    await page.locator(".strip button[type=submit]").click()


def last(page: Page) -> Locator:
    """The newest message of the channel."""
    return page.locator(".messages > [data-message-id]").last


def messages(page: Page) -> Locator:
    """The messages with clips, oldest first."""
    return page.locator(".messages > [data-message-id]", has=page.locator("video"))


def videos(page: Page) -> Locator:
    """The clips in the channel."""
    return page.locator(".messages video")


async def private(page: Page, words: str) -> None:
    """Waits for an answer that only this person sees."""
    await expect(last(page)).to_contain_text(words)
    await expect(last(page)).to_contain_text("Only you can see this")


async def plays(video: Locator) -> None:
    """The clip is decoded and its time goes on."""
    await video.evaluate("async each => { each.muted = true; await each.play() }")
    await video.page.wait_for_function(
        "each => each.videoWidth > 0 && each.currentTime > 0.2", arg=await video.element_handle()
    )


async def keep_shot(page: Page, name: str) -> None:
    """A screenshot, once the page has scrolled to its end."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    await page.wait_for_timeout(300)
    await page.screenshot(path=SHOTS / f"{name}.png")
