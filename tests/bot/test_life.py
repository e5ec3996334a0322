"""The life of a job, seen from the channel: the real bot, the real discord.py, a stand-in for Discord."""

from __future__ import annotations

from pathlib import Path

from tests.running import clips, picture, running, texts, until_clips


async def test_the_three_commands_and_a_reroll_each_bring_a_clip(tmp_path: Path) -> None:
    async with running(tmp_path) as (place, _):
        ada, channel = place.person("Ada"), place.channel("clips")
        await ada.slash(channel, "animate", {"prompt": "a red star"})
        await until_clips(place, channel, 1)
        await ada.slash(channel, "img2vid", {"image": ("photo.png", picture())})
        await until_clips(place, channel, 2)
        await ada.slash(
            channel,
            "interp",
            {"first": ("a.png", picture(seed=1)), "last": ("b.jpg", picture(seed=2, kind="JPEG"))},
        )
        third = (await until_clips(place, channel, 3))[-1]
        await place.person("Ben").react(int(third["id"]), "🔁")
        four = await until_clips(place, channel, 4)
        assert len({one["attachments"][0]["filename"] for one in four}) == 4
        await place.until(lambda: len(texts(place, channel)) == 4)  # the tickets have gone
        assert len(clips(place, channel)) == 4
