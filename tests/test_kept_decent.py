"""A house that is kept decent, as people see it in a browser: words left out, clips hidden and refused."""

from __future__ import annotations

import io
import signal
from pathlib import Path

import pytest
from PIL import Image
from playwright.async_api import expect

from tests.bot.conftest import configured
from tests.bot.test_moderation import CHECKED
from tests.gen.models import tiny_check
from tests.story import STORY, Program, keep_shot, last, messages, opened, plays, type_command, videos

pytestmark = [*STORY, pytest.mark.timeout(900)]  # the engine loads torch beside a browser, twice

#: Long enough for a ticket to be read.
PATIENT = """
[recipe.patient]
task = "text"
family = "testcard"
about = "Takes two seconds"
sizes = { "16:9" = [320, 180] }
seconds = { default = 1, least = 0.5, most = 10 }
fps = { default = 8, least = 8, most = 24 }
options = { step_seconds = 0.3 }
"""
SOFT = {
    'text = "auto"': 'text = "patient"', 'image = "auto"': 'image = "seen"',
    'file = ""': 'file = "words.txt"', 'words = "refuse" ': 'words = "soften" ',
}  # fmt: skip


def house(folder: Path) -> Path:
    """The settings of a house that softens words and checks frames."""
    config = configured(folder, SOFT)
    checked = CHECKED.format(folder=tiny_check.classifier(folder / "reds"))
    wide = checked.replace("long = 96", "long = 320")
    config.write_text(config.read_text("utf-8") + PATIENT + wide, "utf-8")
    return config


def sunset(folder: Path) -> Path:
    """A red picture."""
    data = io.BytesIO()
    Image.fromarray(tiny_check.picture(tiny_check.RED, 1, (180, 320))).save(data, "PNG")
    path = folder / "sunset.png"
    path.write_bytes(data.getvalue())
    return path


async def test_words_are_left_out_a_clip_is_hidden_and_another_refused(
    tmp_path: Path,
) -> None:
    config, picture = house(tmp_path), sunset(tmp_path)
    program = Program(tmp_path, config=config)
    await program.start()
    async with opened(program) as page:
        await type_command(page, "animate", prompt="a plum tree in purple rain -seed 7")
        await expect(last(page)).to_contain_text("left out:")
        await expect(last(page).get_by_role("button", name="Spoiler")).to_have_count(2)
        await keep_shot(page, "words-left-out")
        await expect(videos(page)).to_have_count(1)
        await expect(messages(page).last).to_contain_text("a tree in grey rain")
        await type_command(page, "img2vid", image=picture)
        await expect(videos(page)).to_have_count(2, timeout=240_000)
        cover = messages(page).last.get_by_role("button", name="Spoiler: show")
        await expect(cover).to_be_visible()
        await keep_shot(page, "clip-hidden")
        await cover.click()
        await plays(videos(page).nth(1))
    await program.stop(signal.SIGKILL)

    config.write_text(config.read_text("utf-8").replace('nsfw = "spoiler" ', 'nsfw = "refuse" '), "utf-8")
    await program.start()
    async with opened(program) as page:
        await messages(page).last.get_by_role("button", name="Reroll").click()
        await expect(last(page)).to_contain_text("The check of this model found “red”", timeout=240_000)
        await expect(last(page)).to_contain_text("It does not count against your limit")
        await expect(videos(page)).to_have_count(2)
        await keep_shot(page, "clip-refused")
    await program.stop()
    said = "\n".join(program.lines)
    assert "Traceback" not in said and "check reds: the clip is refused" in said
