"""What a person types is what they get, and what is kept of it is theirs; as seen in a browser."""

from __future__ import annotations

import io
import json
import signal
import zipfile
from pathlib import Path
from urllib.parse import urljoin

import av
import numpy as np
import pytest
from PIL import Image, ImageDraw
from playwright.async_api import Page, expect

from tests.story import (
    STORY,
    Program,
    become,
    go_to,
    keep_shot,
    kill_before_deeds,
    last,
    messages,
    opened,
    plays,
    private,
    type_command,
    videos,
)

pytestmark = STORY

#: As someone types it who comes from Pika.
PIKAS = "a red star -camera zoom in -motion 3 -ar 16:9 -seed 7"
#: Prompts of one clip for all, and of one in private.
BOAT, GARDEN = "a paper boat", "my secret garden"


def red_star(folder: Path) -> Path:
    """A small red star on a night sky."""
    image = Image.new("RGB", (640, 480), (12, 18, 40))
    turns = np.arange(10) * np.pi / 5 - np.pi / 2
    reach = np.where(np.arange(10) % 2, 30, 80)
    points = zip(320 + reach * np.cos(turns), 240 + reach * np.sin(turns), strict=True)
    ImageDraw.Draw(image).polygon([(float(x), float(y)) for x, y in points], fill=(230, 20, 20))
    path = folder / "star.png"
    image.save(path)
    return path


async def fetched(page: Page, number: int) -> av.container.InputContainer:
    """The file of a clip in the channel."""
    address = await videos(page).nth(number).get_attribute("src")
    assert address
    answer = await page.request.get(urljoin(page.url, address))
    return av.open(io.BytesIO(await answer.body()))


def redness(clip: av.container.InputContainer) -> list[float]:
    """How much of each frame is red."""
    frames = (frame.to_ndarray(format="rgb24").astype(int) for frame in clip.decode(video=0))
    return [float((frame[..., 0] - frame[..., 1:].max(2) > 100).mean()) for frame in frames]


async def asked_as_on_pika(page: Page, picture: Path) -> None:
    """The same words, first alone, then with a picture, which a camera can move over."""
    await type_command(page, "animate", prompt=PIKAS)
    await expect(videos(page)).to_have_count(1)
    await expect(messages(page).first).to_contain_text("seed 7 · testcard · 640 × 360")
    await expect(messages(page).first).to_contain_text("no effect here: -camera")
    await type_command(page, "animate", prompt=PIKAS, image=picture)
    await expect(videos(page)).to_have_count(2)
    await expect(last(page)).to_contain_text("-camera zoom in -motion 3 -ar 16:9")
    with await fetched(page, 1) as clip:
        stream, about = clip.streams.video[0], json.loads(clip.metadata["comment"])
        assert stream.width * 9 == stream.height * 16
        assert (about["seed"], about["motion"], about["camera"]) == (7, 3, ["zoom in"])
        red = redness(clip)
    assert red[-1] > 1.2 * red[0] > 0  # the star came nearer


async def refused_with_flag_value_and_range(page: Page) -> None:
    await type_command(page, "animate", prompt="a red star -motion 9")
    await private(page, "-motion takes a number from 0 to 4, not “9”.")
    await type_command(page, "animate", prompt="a red star -camera zoom in left")
    await private(page, "-camera takes zoom in|out, pan up|down|left|right")
    await type_command(page, "animate", prompt="a red star -chaos 50")
    await private(page, "-chaos is no flag I know; there are -camera, -motion, -fps")
    await keep_shot(page, "refused-flags")


async def asked_as_on_midjourney(page: Page) -> None:
    """Two hyphens, and the long dash that a phone makes of them; a hyphen inside a word is none."""
    await type_command(page, "animate", prompt="a well-known star --ar 1:1 —seed 9 --no people")
    await expect(videos(page)).to_have_count(3)
    await expect(last(page)).to_contain_text("a well-known star")
    await expect(last(page)).to_contain_text("seed 9 · testcard · 480 × 480")
    await keep_shot(page, "words")


async def test_flags_mean_what_they_mean_elsewhere(tmp_path: Path) -> None:
    program = Program(tmp_path)
    await program.start()
    async with opened(program) as page:
        await asked_as_on_pika(page, red_star(tmp_path))
        await refused_with_flag_value_and_range(page)
        await asked_as_on_midjourney(page)
    await program.stop(signal.SIGKILL)


async def a_clip_for_all_and_one_for_me(page: Page) -> None:
    await type_command(page, "animate", prompt=f"{BOAT} -seconds 0.5")
    await expect(videos(page)).to_have_count(1)
    await messages(page).first.get_by_role("button", name="Keep").click()
    await private(page, "It is among your favourites")
    await type_command(page, "animate", prompt=f"{GARDEN} -seconds 0.5", private="True")
    await private(page, "Your clip comes as a direct message.")
    await last(page).get_by_role("link", name="direct message").click()
    await expect(last(page)).to_contain_text(GARDEN)
    await plays(videos(page).first)
    await go_to(page, "clips")
    await expect(videos(page)).to_have_count(1)
    await become(page, "ben")
    await expect(videos(page)).to_have_count(1)
    await expect(page.locator(".messages")).not_to_contain_text(GARDEN)
    await become(page, "ada")


async def handed_out(page: Page) -> zipfile.ZipFile:
    """/privacy export, and the file that came by direct message."""
    await type_command(page, "privacy export")
    await private(page, "It is in your direct messages")
    await last(page).get_by_role("link", name="direct messages").click()
    await expect(videos(page)).to_have_count(1)  # the clip that was asked for in private
    await expect(last(page)).to_contain_text("All that is kept about you")
    async with page.expect_download() as coming:
        await page.locator('[data-filename^="zoetrope-1"] a').last.click()
    return zipfile.ZipFile(await (await coming.value).path())


def holds_all(parcel: zipfile.ZipFile) -> None:
    """Both clips, their prompts, the favourite; nothing that opens a door."""
    assert parcel.testzip() is None
    told = json.loads(parcel.read("data.json"))
    assert [job["words"] for job in told["jobs"]] == [
        f"{BOAT} -seconds 0.5",
        f"{GARDEN} -seconds 0.5",
    ]
    assert [one["job"] for one in told["favourites"]] == [told["jobs"][0]["id"]]
    assert told["files left out"] == []
    for job in told["jobs"]:
        with av.open(io.BytesIO(parcel.read(f"clips/{job['clip']['file']}"))) as clip:
            assert sum(1 for _ in clip.decode(video=0)) == 6


async def erased(page: Page) -> None:
    """/privacy delete asks once; whoever dismisses the question keeps everything."""
    await type_command(page, "privacy delete")
    await private(page, "It cannot be undone.")
    await keep_shot(page, "privacy")
    await last(page).get_by_role("button", name="Erase everything").click()
    await expect(page.locator(".messages")).to_contain_text("2 clips and all about them are erased.")
    await expect(videos(page)).to_have_count(0)
    await type_command(page, "history")
    await private(page, "You have no clips yet")


@pytest.mark.timeout(600)  # the bot starts five times
async def test_what_is_kept_is_handed_out_and_erased_wherever_the_bot_dies(tmp_path: Path) -> None:
    program = Program(tmp_path)
    await program.start()
    async with opened(program) as page:
        await a_clip_for_all_and_one_for_me(page)
        await kill_before_deeds(program, page.context)
        holds_all(await handed_out(page))
        await erased(page)
        await keep_shot(page, "erased")
        assert list((tmp_path / "bot" / "clips").iterdir()) == []
        await go_to(page, "clips")
        await expect(page.locator(".messages")).not_to_contain_text(BOAT)
    await program.stop(signal.SIGKILL)
