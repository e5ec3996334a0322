"""After the clip, as people have it in a browser: remixed, explained, kept, found again, in any language."""

from __future__ import annotations

import asyncio
import re
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

from playwright.async_api import Page, expect

from tests.running import picture
from tests.story import (
    STORY,
    Program,
    keep_shot,
    last,
    messages,
    opened,
    plays,
    private,
    type_command,
    videos,
)

pytestmark = STORY


async def remix(page: Page, words: str) -> None:
    """Presses, changes the words in the form that opens, and sends it."""
    await messages(page).first.get_by_role("button", name="Remix").click()
    field = page.locator("dialog textarea")
    await expect(field).to_have_value("a red star over the sea -motion 2 -seed 7")
    await keep_shot(page, "remix")
    await field.fill(words)
    await page.locator("dialog").get_by_role("button", name="Submit").click()


async def until_kept(ledger: Path) -> None:
    """Waits for a favourite: a star that is set shows nothing of what it did."""
    with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as connection:
        async with asyncio.timeout(60):
            # Another process writes it: there is no event to wait for.
            while not connection.execute("SELECT 1 FROM favourites").fetchone():  # noqa: ASYNC110
                await asyncio.sleep(0.05)


async def test_a_clip_is_remixed_explained_kept_and_found_again(tmp_path: Path) -> None:
    program = Program(tmp_path)
    await program.start()
    async with opened(program) as page:
        await type_command(page, "animate", prompt="a red star over the sea -motion 2 -seed 7")
        await expect(videos(page)).to_have_count(1)
        await remix(page, "a blue star over the sea -fps 99")
        await private(page, "You typed:")
        await remix(page, "a blue star over the sea -seed 7")
        await expect(videos(page)).to_have_count(2)
        await plays(videos(page).nth(1))
        await expect(messages(page).nth(1)).to_contain_text("from clip")

        await messages(page).nth(1).get_by_role("button", name="Info").click()
        await private(page, "Model: testcard")
        await keep_shot(page, "info")
        await messages(page).first.hover()
        await messages(page).first.locator('.toolbar [data-emoji="⭐"]').click()
        await until_kept(tmp_path / "bot" / "zoetrope.db")
        await messages(page).nth(1).get_by_role("button", name="Keep").click()
        await private(page, "It is among your favourites")
        await type_command(page, "history", favourites="True")
        await private(page, "a red star over the sea")
        await expect(last(page)).to_contain_text("a blue star over the sea")
        await keep_shot(page, "history")
    await program.stop(signal.SIGKILL)


async def test_a_picture_in_a_message_is_set_in_motion_in_japanese(tmp_path: Path) -> None:
    (tmp_path / "sea.png").write_bytes(picture((640, 400), 3))
    program = Program(tmp_path)
    await program.start()
    async with opened(program) as page:
        await page.locator('[data-person="cyd"]').click()
        await page.locator("input[type=file]").first.set_input_files(tmp_path / "sea.png")
        await page.locator("#text").fill("look")
        await page.keyboard.press("Enter")
        await expect(last(page).locator("img[src*=sea]")).to_be_visible()
        await last(page).hover()
        await last(page).locator(".toolbar .more").click()
        await page.locator('[data-menu-command="Animate this image"]').click()
        await expect(page.locator("dialog")).to_contain_text("プロンプトと指定")
        await keep_shot(page, "japanese-form")
        await page.locator("dialog textarea").fill("波の音 -camera zoom in -seconds 1")
        await page.locator("dialog button[type=submit]").click()
        await expect(videos(page)).to_have_count(1)
        await expect(messages(page).last.get_by_role("button", name="作り変える")).to_be_visible()
        for command, words in (("help", "まずは次"), ("models", "どのマシンでも"), ("info", "このマシン")):
            await type_command(page, command)
            await private(page, words)
        await expect(last(page).locator('[data-style="R"]')).to_have_text(re.compile("前|今"))
        await keep_shot(page, "japanese")
    await program.stop(signal.SIGKILL)
