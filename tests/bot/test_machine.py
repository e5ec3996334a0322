"""Without a card the whole bot says what it took and why; and a loaded model's clips go first."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bot.machine import FILE, Chooser
from bot.settings import load
from gen.job import Task
from gen.machine import Device
from tests.bot.conftest import configured
from tests.running import clips, running, until_clips

#: Test cards that count as large models, of which one is kept.
LARGE = "".join(
    f"""
[recipe.{name}]
task = "text"
family = "testcard"
about = "Large"
memory = 4
sizes = {{ "1:1" = [160, 160] }}
clip_frames = 8
options = {{ step_seconds = 0.5 }}
"""
    for name in ("tall", "wide")
)


async def test_what_it_took_and_why(tmp_path: Path) -> None:
    async with running(tmp_path, configured(tmp_path, {'device = "auto"': 'device = "cpu"'})) as (place, bot):
        deed = await place.person("Ada").slash(place.channel("clips"), "models")
        said = (await deed.message())["content"]
        assert "This machine has no graphics card for models" in said
        assert "Not turned on, want more than this machine has: " in said
        assert "animatediff-lightning (/animate, 6 GiB)" in said
        assert "taken unless you choose" in said
        assert (
            "/animate takes shapes-lightning: it runs on any processor, and there is no graphics card"
            in bot.words
        )


async def test_it_answers_before_the_card_is_known(tmp_path: Path) -> None:
    config = configured(tmp_path, {'device = "auto"': 'device = "cuda"'})
    async with running(tmp_path, config) as (place, bot):
        ada, channel = place.person("Ada"), place.channel("clips")
        said = (await (await ada.slash(channel, "models")).message())["content"]
        assert "The graphics card is being looked at; until then commands take what runs on any" in said
        assert "more than this machine has" not in said
        known = "the card could not be looked at: torch is there but does not work"
        async with asyncio.timeout(200):
            while known not in bot.words:  # noqa: ASYNC110 - a log sets no event
                await asyncio.sleep(0.2)
        said = (await (await ada.slash(channel, "models")).message())["content"]
        assert "This machine has no graphics card for models" in said


async def test_the_card_of_the_last_start_is_taken_to_be_here(tmp_path: Path) -> None:
    card = Device(torch="2.13.0", kind="cuda", name="A Card", free=11.0, total=12.0, capability=(8, 6))
    settings = load(
        configured(tmp_path, {'device = "auto"': 'device = "cuda"'}), {"ZOETROPE_DATA": str(tmp_path)}
    )

    class Seen:
        async def describe(self) -> Device:
            return card

    recipes, defaults = dict(settings.recipe), settings.defaults()
    chooser = Chooser(recipes, defaults)
    chooser.begin(settings)
    assert chooser.plan.looking
    assert defaults[Task.TEXT] == "shapes-lightning"
    await chooser.look(settings, Seen())  # type: ignore[arg-type]  # that is all of a host that it asks for
    assert (chooser.plan.looking, defaults[Task.TEXT]) == (False, "animatediff-lightning")
    again = Chooser(dict(settings.recipe), settings.defaults())
    again.begin(settings)
    assert (again.device, again.plan.looking) == (card, False)
    assert again.defaults[Task.TEXT] == "animatediff-lightning"
    for words in (
        "",
        "[]",
        '{"setting": "cuda", "device": {"colour": 1}}',
        '{"setting": "cuda:1", "device": {}}',
    ):
        (tmp_path / FILE).write_text(words)
        again.begin(settings)
        assert again.plan.looking


async def test_a_loaded_model_goes_on(tmp_path: Path) -> None:
    config = configured(tmp_path)
    config.write_text(config.read_text("utf-8") + LARGE, "utf-8")
    async with running(tmp_path, config) as (place, _):
        channel = place.channel("clips")

        for name, model in (("Ada", "tall"), ("Ben", "wide"), ("Cyd", "tall")):
            asked = {"prompt": f"a star of {name}", "model": model}
            deed = await place.person(name).slash(channel, "animate", asked)
            await deed.message()  # it is in the line
        await until_clips(place, channel, 3, 90)
        names = [one["attachments"][0]["filename"] for one in clips(place, channel)]
        order = [who for name in names for who in ("ada", "ben", "cyd") if who in name]
        assert order == ["ada", "cyd", "ben"], names
