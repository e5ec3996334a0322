"""What people do, and what a bot answers: commands, buttons, menus, modals, suggestions."""

import discord


async def test_a_command_is_deferred_and_its_first_follow_up_fills_the_thinking_message(place, bot, start):
    @bot.tree.command(description="Says hello")
    async def hello(interaction: discord.Interaction, name: str) -> None:
        await interaction.response.defer()
        await interaction.followup.send(f"Hello {name}")

    await start()
    deed = await place.person("Ada").slash(place.channel("clips"), "hello", {"name": "you"})
    message = await deed.message()
    assert message["content"] == "Hello you"
    assert deed.state == "answered"
    assert len(await place.person("Ben").history(place.channel("clips"))) == 1
