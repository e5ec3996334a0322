"""A clip in the making is seen, and found again by its picture, as a person has it in a browser."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from bench.stage import shipped
from tests.story import STORY, Program, keep_shot, last, opened, private, type_command, videos

pytestmark = STORY

#: A test card that takes its time: 36 frames, six a second.
SLOW = """
[recipe.slow]
task = "text"
family = "testcard"
about = "Takes some seconds"
sizes = { "16:9" = [640, 360] }
seconds = { default = 3, least = 1, most = 5 }
fps = { default = 12, least = 8, most = 24 }
options = { step_seconds = 0.17 }
"""

SEEN = "each => each.complete && each.naturalWidth > 100"


async def picture_beside(page: Page) -> None:
    """The clip of the last message has a picture, and it has come."""
    shown = last(page).locator(".thumb img")
    await expect(shown).to_have_count(1)
    await page.wait_for_function(SEEN, arg=await shown.element_handle())


@pytest.mark.timeout(300)  # the bot starts twice
async def test_a_clip_is_seen_in_the_making_and_found_by_its_picture(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(shipped() + SLOW, "utf-8")
    program = Program(tmp_path, config=config)
    await program.start()
    async with opened(program) as page:
        await type_command(page, "animate", prompt="a paper boat -model slow -seed 7")
        preview = page.locator('.messages img[src*="preview"]')
        await expect(preview).to_be_visible(timeout=40_000)
        await page.wait_for_function(SEEN, arg=await preview.element_handle())
        await expect(last(page)).to_contain_text("step")
        await keep_shot(page, "in-the-making")
        await expect(videos(page)).to_have_count(1)
        await expect(preview).to_have_count(0)  # it went with the ticket
    await program.stop(signal.SIGKILL)

    await program.start()
    async with opened(program) as page:
        await type_command(page, "history")
        await private(page, "a paper boat")
        await picture_beside(page)
        await keep_shot(page, "history-pictures")
        for file in (tmp_path / "bot" / "thumbs").iterdir():
            file.unlink()  # as with clips from before there were any
        await type_command(page, "history")
        await expect(page.locator(".thumb img")).to_have_count(2)
        await picture_beside(page)
    await program.stop(signal.SIGKILL)
