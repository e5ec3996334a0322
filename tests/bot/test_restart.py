"""`kill -9` of the bot in the middle: each job is posted once, old buttons and history go on."""

from __future__ import annotations

from pathlib import Path

from bench.stage import shipped
from tests.running import clips, running, texts, until_clips

SLOW = "\n[recipe.testcard.options]\nstep_seconds = 0.1\n"


def slow(folder: Path) -> Path:
    """A settings file whose test card takes its time."""
    path = folder / "config.toml"
    path.write_text(shipped() + SLOW, "utf-8")
    return path


async def test_every_job_is_posted_once_after_a_kill(tmp_path: Path) -> None:
    async with running(tmp_path, slow(tmp_path)) as (place, bot):
        channel = place.channel("clips")
        for name in ("Ada", "Ben", "Cyd"):
            await place.person(name).slash(channel, "animate", {"prompt": f"{name} on the moon"})
        await place.until(
            lambda: len(texts(place, channel)) == 3 and any("step" in t for t in texts(place, channel)), 30
        )
        await bot.kill()
        place.expect(429, f"/channels/{channel}/*")  # the new process does not know what the old one used up
        await bot.start()
        await until_clips(place, channel, 3, 60)
        await place.until(lambda: len(texts(place, channel)) == 3)  # the tickets have gone
        prompts = [one["content"].split("**")[1] for one in clips(place, channel)]
        assert sorted(prompts) == ["Ada on the moon", "Ben on the moon", "Cyd on the moon"]


async def test_old_buttons_and_history_work_after_a_kill(tmp_path: Path) -> None:
    async with running(tmp_path) as (place, bot):
        ada, channel = place.person("Ada"), place.channel("clips")
        await ada.slash(channel, "animate", {"prompt": "a boat"})
        [first] = await until_clips(place, channel, 1)
        await bot.kill()
        await bot.start()
        buttons = [child for row in first["components"] for child in row["components"]]
        again = next(one["custom_id"] for one in buttons if one["custom_id"].startswith("reroll:"))
        await place.person("Ben").press(int(first["id"]), again)
        second = (await until_clips(place, channel, 2))[-1]
        assert second["attachments"][0]["filename"] != first["attachments"][0]["filename"]
        deed = await ada.slash(channel, "history")
        answer = await deed.message()
        assert "a boat" in str(answer)


async def test_a_second_bot_on_the_same_folder_refuses_to_start(tmp_path: Path) -> None:
    async with running(tmp_path) as (_, bot):
        assert bot.process
        first, words = bot.process, len(bot.words)
        try:
            await bot.start()
        except AssertionError as error:
            assert "ended with 78" in str(error)
        else:
            raise AssertionError("two bots run on one folder")
        finally:
            bot.process = first
        assert "Another bot already runs on the data folder" in bot.words[words:]
