"""Whose choice it is, in a browser: a server's settings, a person's own, and what a clip then is."""

from __future__ import annotations

import signal
from pathlib import Path

from playwright.async_api import Locator, Page, expect

from tests.story import (
    STORY,
    Program,
    become,
    go_to,
    keep_shot,
    last,
    opened,
    private,
    type_command,
    videos,
)

pytestmark = STORY


def panel(page: Page, words: str) -> Locator:
    """The private answer that says so."""
    return page.locator(".messages > [data-message-id]", has_text=words).last


async def choose(there: Locator, name: str, value: str) -> None:
    await there.locator(f'select[data-custom-id="{name}"]').select_option(value)


async def set_the_server(page: Page) -> None:
    """Clips in one channel only, each behind a spoiler, and none longer than three seconds."""
    await become(page, "mod")
    await type_command(page, "settings")
    there = panel(page, "Settings of this server")
    await choose(there, "settings:text", "testcard")
    await expect(there).to_contain_text("Model of /animate testcard · this server's")
    await there.get_by_role("button", name="Channels").click()
    await expect(there).to_contain_text("every channel · nobody's choice")
    await choose(there, "settings:spoiler", "all")
    await expect(there).to_contain_text("every clip · this server's")
    chosen = there.locator('details[data-custom-id="settings:channels"]')
    await chosen.locator("summary").click()
    await chosen.locator("label", has_text="clips").locator("input").check()
    await chosen.get_by_role("button", name="Done").click()
    await expect(there).to_contain_text("#clips · this server's")
    await there.get_by_role("button", name="Limits").click()
    await choose(there, "settings:seconds", "3")
    await expect(there).to_contain_text("3 s · this server's")
    await keep_shot(page, "settings")


async def set_my_own(page: Page) -> None:
    """Default flags by a form: refused as a prompt is, then taken."""
    await type_command(page, "prefer")
    there = panel(page, "What holds for your clips here")
    await there.get_by_role("button", name="Change").click()
    await page.locator("dialog textarea").fill("-fps 99")
    await page.locator("dialog").get_by_role("button", name="Submit").click()
    await private(page, "-fps takes a whole number from 8 to 24, not “99”.")
    await there.get_by_role("button", name="Change").click()
    await page.locator("dialog textarea").fill("--ar 1:1 --motion 3 -seconds 9")
    await page.locator("dialog").get_by_role("button", name="Submit").click()
    await expect(there).to_contain_text("Default flags -motion 3 -ar 1:1 -seconds 9 · yours")


async def test_each_chooses_within_what_stands_above_and_reads_whose_choice_it_is(tmp_path: Path) -> None:
    program = Program(tmp_path)
    await program.start()
    async with opened(program) as page:
        await set_the_server(page)
    await program.stop(signal.SIGKILL)

    await program.start()
    async with opened(program) as page:
        await become(page, "ada")
        await go_to(page, "quiet")
        await type_command(page, "animate", prompt="a red star over the sea")
        await private(page, "Clips are not made in this channel. Where they are: #clips.")
        await go_to(page, "clips")
        await set_my_own(page)
        await type_command(page, "animate", prompt="a red star over the sea")
        await expect(page.locator('.messages [data-filename^="SPOILER_a-red-star"]')).to_have_count(1)
        await expect(last(page)).to_contain_text("-motion 3 -ar 1:1 -seconds 3")
        await type_command(page, "info")
        await private(page, "Longest clip 3 s · this server's")
        await keep_shot(page, "whose-choice")

        await become(page, "cyd")
        await type_command(page, "prefer")
        there = panel(page, "ここであなたのクリップ")
        await there.get_by_role("button", name="DM").click()
        await expect(there).to_contain_text("ダイレクトメッセージ · あなたの設定")
        await choose(there, "prefer:language", "zh-CN")
        await expect(page.locator(".messages")).to_contain_text("回复语言")
        await keep_shot(page, "preferences")
        await expect(videos(page)).to_have_count(1)
    await program.stop(signal.SIGKILL)
