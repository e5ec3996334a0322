"""An operator's evening, in a browser: the line held, someone kept out, all of it in the log."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from bench.stage import shipped
from tests.test_after_the_clip import keep_shot, last, private
from tests.test_first_minute import CHROMIUM, Program, opened, plays, type_command, videos

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="there is no Chromium here: nobody saw the operator's evening"
)


async def online(page: Page) -> None:
    await expect(page.get_by_text("online")).to_be_visible(timeout=40_000)


async def become(page: Page, name: str) -> None:
    await page.locator(f'[data-person="{name}"]').click()
    await expect(page.locator("body")).to_have_attribute("data-state", "ready")


async def order(page: Page, act: str, **options: str) -> None:
    """Types one of /admin's commands as a person does."""
    await page.locator("#text").click()
    await page.keyboard.type(f"/admin {act}")
    await page.keyboard.press("Tab")
    await expect(page.locator(f'[data-command="admin {act}"]')).to_be_visible()
    for option, value in options.items():
        field = page.locator(f'[data-option="{option}"]')
        if not await field.count():
            await page.locator(f'[data-add-option="{option}"]').click()
        if await field.locator("select").count():
            await field.locator("select").select_option(label=value)
        else:
            await field.locator("textarea, input").fill(value)
    await page.locator(".strip button[type=submit]").click()


async def test_an_operator_holds_the_line_and_keeps_someone_out(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(shipped(), "utf-8")
    program = Program(tmp_path, config=config)
    await program.start()
    async with opened(program.address) as page:
        await online(page)
        await order(page, "status")
        await private(page, "Only operators may do that.")
        said = await last(page).inner_text()
    await program.stop(signal.SIGKILL)

    own = re.search(r"operators\.users = \[(\d+)\]", said)
    assert own
    config.write_text(shipped().replace("users = []", f"users = [{own[1]}]"), "utf-8")
    await program.start()
    async with opened(program.address) as page:
        await online(page)
        await order(page, "pause", reason="a new card goes in")
        await private(page, "The line is paused: a new card goes in")
        await become(page, "ben")
        await type_command(page, "animate", prompt="a red star over the sea")
        await expect(last(page)).to_contain_text("The line is paused: a new card goes in")
    await program.stop(signal.SIGKILL)

    await program.start()
    async with opened(program.address) as page:
        await online(page)
        await order(page, "resume")
        await expect(videos(page)).to_have_count(1)
        await plays(videos(page).first)
        await order(page, "ban", reason="the same clip a hundred times", user="Ben", hours="24")
        await private(page, "is banned")
        await become(page, "ben")
        await page.locator(".messages").get_by_role("button", name="Reroll").first.click()
        await private(page, "You may not use this bot; that ends in 23 hours. Reason: the same clip")
        await keep_shot(page, "banned")
        await become(page, "ada")
        await order(page, "log")
        await private(page, "The line is paused: a new card goes in")
        await keep_shot(page, "operators")
        await expect(videos(page)).to_have_count(1)
    await program.stop()
    assert "Traceback" not in "\n".join(program.lines)
