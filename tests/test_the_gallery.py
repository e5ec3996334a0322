"""A person's clips on a page of their own, as people have it: signed in to, searched, kept, shown, gone."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import ConsoleMessage, Locator, Page, expect

from bench.stage import shipped
from bot.gallery.door import BACK
from tests.bot.hanging import free_port
from tests.running import KILLS
from tests.story import (
    SHOTS,
    STORY,
    Program,
    kill_before_deeds,
    messages,
    opened,
    private,
    type_command,
    videos,
)

pytestmark = STORY

WIDE, NARROW = {"width": 1200, "height": 860}, {"width": 400, "height": 860}


def with_gallery(folder: Path) -> tuple[Program, str]:
    """`make run` with the gallery on, and the gallery's address."""
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    text = shipped()
    off = "port = 0  # of the page"
    assert off in text
    config = folder / "config.toml"
    config.write_text(text.replace(off, f"port = {port}  # of the page"), "utf-8")
    return Program(folder, "--redirect", base + BACK, config=config), base


def _amiss(said: ConsoleMessage) -> bool:
    """Whether the browser complains of more than that the bot was killed while a clip was read."""
    return said.type == "error" and not (KILLS in os.environ and "net::ERR" in said.text)


class Reader:
    """Someone's browser on the gallery; nothing but the gallery and Discord may be asked for anything."""

    def __init__(self, page: Page, base: str, discord: str) -> None:
        self.page = page
        self.base = base
        self.wrong: list[str] = []
        page.set_default_timeout(40_000)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("console", lambda said: self.wrong.append(said.text) if _amiss(said) else None)
        page.on(
            "request", lambda one: None if one.url.startswith((base, discord)) else self.wrong.append(one.url)
        )

    @property
    def clips(self) -> Locator:
        """The thumbnails."""
        return self.page.locator(".clips .clip")

    async def sign_in(self, name: str) -> None:
        await self.page.get_by_role("link", name="Sign in with Discord").click()
        await self.page.get_by_label(name, exact=True).check()
        await self.page.get_by_role("button", name="Authorize").click()
        await expect(self.page.locator("body")).to_have_attribute("data-state", "ready")

    async def plays(self, number: int) -> None:
        """The thumbnail moves, without a sound, by itself."""
        video = self.clips.nth(number).locator("video")
        await self.page.wait_for_function(
            "each => !each.paused && each.muted && each.currentTime > 0.1", arg=await video.element_handle()
        )

    async def shot(self, name: str, size: Any = WIDE, *, dark: bool = False) -> None:
        """A screenshot, with nothing cut off at the side."""
        await self.page.set_viewport_size(size)
        await self.page.emulate_media(color_scheme="dark" if dark else "light")
        SHOTS.mkdir(parents=True, exist_ok=True)
        await self.page.wait_for_timeout(400)  # what came into view begins to play
        assert await self.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await self.page.screenshot(path=SHOTS / f"gallery-{name}.png")


async def reader(page: Page, base: str, program: Program, **context: Any) -> Reader:
    """A browser of its own beside the chat page's."""
    assert page.context.browser
    there = await page.context.browser.new_context(viewport=WIDE, **context)
    if KILLS in os.environ:
        await kill_before_deeds(program, there)
    found = Reader(await there.new_page(), base, program.address)
    await found.page.goto(base)
    await expect(found.page.locator("body")).to_have_attribute("data-state", "ready")
    return found


async def show_everyone(page: Page) -> None:
    """/prefer with public on, by mouse."""
    await type_command(page, "prefer", public="True")
    await private(page, "shows your clips")


@pytest.mark.timeout(300)  # a busy machine takes its time for three clips and two starts
async def test_a_gallery_is_visited_searched_and_emptied(tmp_path: Path) -> None:
    program, base = with_gallery(tmp_path)
    await program.start()
    async with opened(program) as page:
        await type_command(page, "animate", prompt="a red star over the sea -motion 2 -seed 7")
        await expect(videos(page)).to_have_count(1)
        await messages(page).first.get_by_role("button", name="Reroll").click()
        await expect(videos(page)).to_have_count(2)
        await type_command(page, "animate", prompt="a paper boat in the rain -ar 9:16")
        await expect(videos(page)).to_have_count(3)

        ada = await reader(page, base, program)
        await expect(ada.page.get_by_text("Nobody shows clips here yet.")).to_be_visible()
        await ada.sign_in("Ada")
        await expect(ada.page.get_by_text("Signed in as Ada")).to_be_visible()
        await expect(ada.clips).to_have_count(3)
        for number in range(3):
            await ada.plays(number)
        await ada.shot("wide")
        await ada.shot("narrow-dark", NARROW, dark=True)
        await ada.shot("wide-dark", dark=True)

        await ada.page.get_by_role("searchbox").fill("BOAT")
        await ada.page.keyboard.press("Enter")
        await expect(ada.clips).to_have_count(1)
        await ada.page.get_by_role("link", name="Mine").click()
        await expect(ada.clips).to_have_count(3)

        # By keyboard alone: to the first red star, into it, a star for it, and out again.
        star = ada.page.get_by_role("link", name="Clip: a red star over the sea").last
        await star.focus()
        await ada.page.keyboard.press("Enter")
        view = ada.page.get_by_role("dialog")
        await expect(view.get_by_text("a red star over the sea -motion 2 -seed 7")).to_be_visible()
        await expect(view.locator(".tree a")).to_have_count(2)
        await ada.shot("clip")
        await ada.shot("clip-narrow-dark", NARROW, dark=True)
        await ada.page.set_viewport_size(WIDE)
        await view.get_by_role("button", name="Keep as a favourite").press("Enter")
        await expect(view.get_by_role("button", name="Keep no longer")).to_be_visible()
        await ada.page.keyboard.press("Escape")
        await expect(view).to_be_hidden()
        await ada.page.get_by_role("link", name="Favourites").click()
        await expect(ada.clips).to_have_count(1)
        state = await ada.page.context.storage_state()
        assert ada.wrong == []
        await show_everyone(page)
    await program.stop(signal.SIGKILL)

    await program.start()
    async with opened(program) as page:
        ada = await reader(page, base, program, storage_state=state)
        await expect(ada.clips).to_have_count(3)
        cyd = await reader(page, base, program, locale="ja-JP")
        await expect(cyd.page.get_by_text("Discord でサインイン")).to_be_visible()
        await expect(cyd.clips).to_have_count(3)
        await cyd.shot("japanese", NARROW)

        await messages(page).first.hover()
        await messages(page).first.locator('.toolbar [data-emoji="❌"]').click()
        await expect(videos(page)).to_have_count(2)
        for one in (ada, cyd):
            await one.page.reload()
            await expect(one.clips).to_have_count(2)
        await ada.page.get_by_role("button", name="Sign out").click()
        await expect(ada.page.get_by_role("link", name="Sign in with Discord")).to_be_visible()
        assert ada.wrong == [] and cyd.wrong == []
    await program.stop()
