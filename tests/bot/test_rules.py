"""The house rules: asked once and privately, kept for good, asked anew when they change."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.bot.conftest import CHANGED, Scene, Stage, configured
from tests.running import picture, running
from tests.speaking import button, pressed

pytestmark = pytest.mark.asyncio(loop_scope="module")

RULES = "Be kind; no pictures of people you know."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def strict(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A bot with rules."""
    folder = tmp_path_factory.mktemp("strict")
    config = configured(folder, {**CHANGED, 'text = ""': f'text = "{RULES}"'})
    async with running(folder, config) as (place, bot):
        yield Stage(place, bot)


async def asked(deed: Any) -> Any:
    """The rules, as only the person sees them."""
    message = await deed.message()
    assert RULES in message["content"], message["content"]
    assert message["flags"] & 64
    return message


async def accept(scene: Scene, message: Any) -> Any:
    deed = await scene.person.press(int(message["id"]), button(message, "rules"))
    return await deed.settled()


async def test_a_command_goes_on_once_the_rules_are_accepted_and_they_are_asked_once(strict: Stage) -> None:
    scene = await strict.scene()
    deed = await scene.ask("a red star", seed=7, fps=10)
    message = await asked(deed)
    assert scene.texts() == []
    await accept(scene, message)
    [clip] = await scene.until_done()
    assert (
        "**a red star**" in clip["content"] and "seed `7`" in clip["content"] and "10 fps" in clip["content"]
    )
    assert deed.original is None, "the rules were taken away"
    await scene.ask("again")
    await scene.until_done(2)


async def test_a_picture_and_a_refusal_go_on_too(strict: Stage) -> None:
    scene = await strict.scene()
    file = ("sea.png", picture())
    first = await scene.person.slash(scene.channel, "img2vid", {"image": file, "seconds": 1})
    await accept(scene, await asked(first))
    [clip] = await scene.until_done()
    assert "camera" in clip["content"]
    other = await strict.scene()
    refused = await accept(other, await asked(await other.ask("a star", model="none")))
    assert "There is no model none" in (await refused.message())["content"]


async def test_a_reroll_a_form_and_a_reaction_ask_as_well(strict: Stage) -> None:
    maker, scene = await strict.scene(), await strict.scene()
    await accept(maker, await asked(await maker.ask("a boat")))
    [clip] = await maker.until_done()
    scene.channel = maker.channel
    await scene.person.react(int(clip["id"]), "🔁")
    direct = await scene.person.direct()
    await strict.place.until(
        lambda: any(
            "rules to accept" in one["content"] for one in strict.place.world.last(direct, scene.person.id, 9)
        )
    )
    form = await pressed(scene.person, clip, "remix")
    await form.settled()
    assert form.modal
    sent = await scene.person.submit(form.modal, {"words": "a blue boat"})
    await accept(scene, await asked(sent))
    clips = await maker.until_done(2)
    assert clips[-1]["content"].startswith(f"<@{scene.person.id}> **a blue boat**")
    third = await strict.scene()
    third.channel = maker.channel
    rolled = await pressed(third.person, clip, "reroll")
    await accept(third, await asked(rolled))
    await maker.until_done(3)


async def test_what_makes_no_clip_asks_for_nothing(strict: Stage) -> None:
    scene = await strict.scene()
    for name in ("queue", "help", "models"):
        answer = await (await scene.person.slash(scene.channel, name)).message()
        assert RULES not in answer["content"]
    assert await scene.person.complete(scene.channel, "animate", {"prompt": "a"}, "prompt")


async def test_after_a_restart_the_button_lives_and_other_rules_are_asked_anew(strict: Stage) -> None:
    scene, late = await strict.scene(), await strict.scene()
    await accept(scene, await asked(await scene.ask()))
    await scene.until_done()
    shown, changed = await asked(await late.ask()), await asked(await late.ask())
    config = strict.bot.config
    assert config
    await strict.bot.kill()
    strict.place.expect(429, "*")  # the new process does not know what the old one used up
    await strict.bot.start()
    await scene.ask("still accepted")
    await scene.until_done(2)
    await accept(late, shown)
    now = strict.place.world.last(late.channel, late.person.id, 9)
    assert any(one["content"] == "Thank you. Now ask for it once more." for one in now)

    config.write_text(config.read_text("utf-8").replace("Be kind", "Be very kind"), "utf-8")
    await strict.bot.stop()
    await strict.bot.start()
    await accept(late, changed)
    now = strict.place.world.last(late.channel, late.person.id, 9)
    anew = next(one for one in now if "Be very kind" in one["content"])
    await accept(late, anew)
    await late.ask("accepted")
    await late.until_done()
    deed = await scene.ask("changed")
    assert "Be very kind" in (await deed.message())["content"]


async def test_who_is_forgotten_is_asked_again(strict: Stage) -> None:
    scene = await strict.scene()
    await accept(scene, await (await scene.ask()).message())
    await scene.until_done()
    deed = await scene.person.slash(scene.channel, "privacy delete")
    message = await deed.message()
    await scene.person.press(int(message["id"]), button(message, "forget"))
    await strict.place.until(lambda: "erased" in (deed.original or {}).get("content", ""))
    assert "the rules of this bot" in (await (await scene.ask()).message())["content"]
