"""The bot brought along to a server where it is no member, in a browser: a clip, a kill, another clip."""

from __future__ import annotations

import signal
from pathlib import Path

from playwright.async_api import expect

from playground import places
from playground.server import Playground
from tests.story import STORY, Program, keep_shot, last, messages, opened, plays, type_command, videos

pytestmark = STORY


async def elsewhere(data: Path) -> int:
    """A world with a server that the bot is no member of; Ada brought it along. The id of its channel."""
    async with Playground(data) as place:
        ada = place.user("Ada")
        guild = await place.do(places.add_guild, "Book club", ada, with_bot=False)
        await place.do(places.join, guild, place.user("Ben"))
        channel = await place.do(places.add_channel, guild, "readers", topic="The bot is no member here")
        await place.do(places.install, ada)
        return channel.id


async def test_a_clip_where_the_bot_is_no_member(tmp_path: Path) -> None:
    channel = await elsewhere(tmp_path / "discord")
    program = Program(tmp_path)
    await program.start()
    async with opened(program) as page:
        await page.locator(f'[data-channel-id="{channel}"]').click()
        await type_command(page, "animate", prompt="a whale reads a book")
        await expect(last(page)).to_contain_text("a whale reads a book")
    await program.stop(signal.SIGKILL)

    await program.start()
    async with opened(program) as page:
        await page.locator(f'[data-channel-id="{channel}"]').click()
        await expect(videos(page)).to_have_count(1)
        await plays(videos(page).first)
        await expect(page.locator(".messages > [data-message-id]")).to_have_count(1)
        await page.locator('[data-person="ben"]').click()
        await page.locator(f'[data-channel-id="{channel}"]').click()
        await messages(page).first.get_by_role("button", name="Reroll").click()
        await expect(videos(page)).to_have_count(2)
        await keep_shot(page, "abroad")
        await page.locator("#text").click()
        await page.keyboard.type("/ani")
        await expect(page.locator('[data-command="animate"]')).to_have_count(0)  # Ben did not bring it along
    await program.stop()
