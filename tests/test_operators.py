"""An operator's evening, in a browser: the line held, someone kept out, all of it in the log."""

from __future__ import annotations

import re
import signal
from pathlib import Path

from playwright.async_api import expect

from bench.stage import shipped
from tests.story import (
    STORY,
    Program,
    become,
    keep_shot,
    last,
    opened,
    plays,
    private,
    type_command,
    videos,
)

pytestmark = STORY


async def test_an_operator_holds_the_line_and_keeps_someone_out(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(shipped(), "utf-8")
    program = Program(tmp_path, config=config)
    await program.start()
    async with opened(program) as page:
        await type_command(page, "admin status")
        await private(page, "Only operators may do that.")
        said = await last(page).inner_text()
    await program.stop(signal.SIGKILL)

    own = re.search(r"operators\.users = \[(\d+)\]", said)
    assert own
    config.write_text(shipped().replace("users = []", f"users = [{own[1]}]"), "utf-8")
    await program.start()
    async with opened(program) as page:
        await type_command(page, "admin pause", reason="a new card goes in")
        await private(page, "The line is paused: a new card goes in")
        await become(page, "ben")
        await type_command(page, "animate", prompt="a red star over the sea")
        await expect(last(page)).to_contain_text("The line is paused: a new card goes in")
    await program.stop(signal.SIGKILL)

    await program.start()
    async with opened(program) as page:
        await type_command(page, "admin resume")
        await expect(videos(page)).to_have_count(1)
        await plays(videos(page).first)
        await type_command(page, "admin ban", reason="the same clip a hundred times", user="Ben", hours="24")
        await private(page, "is banned")
        await become(page, "ben")
        await page.locator(".messages").get_by_role("button", name="Reroll").first.click()
        await private(page, "You may not use this bot; that ends in 23 hours. Reason: the same clip")
        await keep_shot(page, "banned")
        await become(page, "ada")
        await type_command(page, "admin log")
        await private(page, "The line is paused: a new card goes in")
        await keep_shot(page, "operators")
        await expect(videos(page)).to_have_count(1)
    await program.stop()
