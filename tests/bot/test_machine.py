"""Without a card the whole bot says what it took and why; and a loaded model's clips go first."""

from __future__ import annotations

from pathlib import Path

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
        assert "animatediff-lightning (/animate, 8 GiB)" in said
        assert "taken unless you choose" in said
        assert (
            "/animate takes shapes-lightning: it runs on any processor, and there is no graphics card"
            in bot.words
        )


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
