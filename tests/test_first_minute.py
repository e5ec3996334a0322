"""The first minute, as a person has it: `make run`'s program, a browser, three commands, a reroll, a kill."""

from __future__ import annotations

import signal
from pathlib import Path

from playwright.async_api import expect

from tests.running import ROOT
from tests.story import SAMPLES, SHOTS, STORY, Program, messages, opened, plays, type_command, videos

pytestmark = STORY


async def test_three_commands_three_clips_and_a_reroll_in_the_browser(tmp_path: Path) -> None:
    first, last = SAMPLES / "hills-sunset.jpg", SAMPLES / "hills-night.jpg"
    program = Program(tmp_path, config=ROOT / "config.toml")
    await program.start()
    async with opened(program) as page:
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
    async with opened(program) as page:
        await expect(videos(page)).to_have_count(4)
        await messages(page).first.get_by_role("button", name="Reroll").click()
        await expect(videos(page)).to_have_count(5)
        await page.screenshot(path=SHOTS / "after-a-kill.png")
    await program.stop()
