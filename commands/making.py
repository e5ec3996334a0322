"""The way of every command that makes a clip: judge, answer, fetch, submit, show."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import discord

from commands import errors, replies
from commands.house import House
from gen.errors import BadRequest, NotAllowed, Refused
from gen.job import Answer, Asker, Job, Task
from gen.layers import Effective
from gen.studio import Upload

log = logging.getLogger(__name__)

NOBODY = discord.AllowedMentions.none()

#: Seconds for which an interaction can be answered, and those that an upload and a guess may be wrong by.
LIVES = 900.0
SLACK = 60.0

#: Sends a ticket, and answers with its message's id.
Send = Callable[[str, discord.ui.View], Awaitable[int]]
#: Has a clip taken into the line for whoever is given: the same person, perhaps in direct messages.
Submit = Callable[[Asker], Awaitable[Job]]


async def make(
    house: House,
    interaction: discord.Interaction[Any],
    task: Task,
    text: str,
    options: Mapping[str, object],
    files: Sequence[discord.Attachment] = (),
    *,
    private: bool | None = None,
) -> None:
    """From words to a job. Raises Refused: before any answer, for what can be judged at once."""
    asker = house.desk.asker(interaction)
    for file in files:
        look(file, video=task is Task.VIDEO)
    force = house.studio.force(asker.user, asker.guild, asker.tier, private=private)
    recipe, _, _ = house.studio.read(task, text, options, asker, force=force)

    async def submit(asker: Asker) -> Job:
        return await _submit(house, task, text, options, files, asker, force)

    await begin(house, interaction, asker, submit, private=force.private.value, recipe=recipe.name)


async def begin(
    house: House,
    interaction: discord.Interaction[Any],
    asker: Asker,
    submit: Submit,
    *,
    private: bool,
    recipe: str = "",
) -> None:
    """Answers at once, has the clip taken into the line, and shows its ticket: here or, in private, by direct
    message. Raises Refused: before any answer, where `recipe` is known and the clip would come too late."""
    private = private and (interaction.guild_id is not None or house.desk.away(interaction))
    if recipe and not private:
        promised(house, interaction, asker, recipe)
    async with house.door.answering():
        await errors.begin(interaction, private=private)
    await house.door.quiet()
    if private:
        await _privately(house, interaction, asker, submit)
        return
    job = await submit(await answered(house, interaction, asker))
    await show(house, job, partial(in_answer, interaction))
    if house.desk.bare(interaction):
        with suppress(*errors.UNHEARD):
            await interaction.followup.send(replies.bare(interaction.locale.value), ephemeral=True)


def promised(house: House, interaction: discord.Interaction[Any], asker: Asker, recipe: str) -> None:
    """Raises NotAllowed when the bot is no member there, and the clip would come after its last answer."""
    if house.desk.away(interaction):
        house.studio.promise(recipe, asker, LIVES - SLACK)


async def answered(house: House, interaction: discord.Interaction[Any], asker: Asker) -> Asker:
    """The same asker, with the key to the answer where the bot can reach nothing else."""
    if not house.desk.away(interaction):
        return asker
    message = interaction.extras.get("answer") or (await interaction.original_response()).id
    until = interaction.created_at.timestamp() + LIVES
    return replace(asker, answer=Answer(token=interaction.token, message=message, until=until))


async def _privately(
    house: House, interaction: discord.Interaction[Any], asker: Asker, submit: Submit
) -> None:
    """The ticket stands in direct messages, where the bot's own token can edit it for hours; a private answer
    could be edited for 15 minutes only. The first message there shows that the door is open."""
    asker = await house.desk.private(asker, interaction.user)
    asker = replace(asker, locale=interaction.locale.value)  # nobody else reads it
    message = await _knock(interaction, asker)

    async def send(text: str, view: discord.ui.View) -> int:
        await message.edit(content=text, view=view, allowed_mentions=NOBODY)
        await interaction.edit_original_response(content=replies.sent_privately(asker.locale, asker.channel))
        return message.id

    try:
        job = await submit(asker)
    except BaseException:
        with suppress(*errors.UNHEARD):
            await message.delete()
        raise
    await show(house, job, send)


async def _knock(interaction: discord.Interaction[Any], asker: Asker) -> discord.Message:
    """Writes to the person, before anything is made. Raises NotAllowed when that is not allowed."""
    channel: discord.PartialMessageable = interaction.client.get_partial_messageable(asker.channel)
    try:
        return await channel.send(replies.reading(asker.locale), nonce=str(interaction.id))
    except discord.Forbidden as error:
        raise NotAllowed(
            "Your direct messages are closed to me; allow them for this server, or leave out “private”."
        ) from error


def whole(house: House, job: Job, path: Path | None, locale: str) -> str:
    """Where the job's clip is whole, if the file at `path` is a smaller one and there is a gallery."""
    smaller = path is not None and job.clip is not None and path.name != job.clip.file
    if not smaller or house.link is None or job.clip is None:
        return ""
    address, until = house.link(job.id)
    return replies.whole(replies.spoken(job, locale), address, until, job.clip.size, alone=False)


async def show(house: House, job: Job, send: Send) -> None:
    """Sends the job's ticket; a job whose ticket Discord refuses goes on without."""
    try:
        await house.board.open(job, send)
    except errors.UNHEARD as error:
        log.warning("job %s: its ticket was not sent: %s", job.id, error)


async def in_answer(interaction: discord.Interaction[Any], text: str, view: discord.ui.View) -> int:
    """Puts a ticket in the place of “thinking”; the message's id."""

    async def edit() -> discord.InteractionMessage:
        return await interaction.edit_original_response(content=text, view=view, allowed_mentions=NOBODY)

    return (await errors.persist(edit)).id


def look(file: discord.Attachment, *, video: bool = False) -> None:
    """Judges a file by what Discord says of it. Raises BadRequest."""
    if video:
        _look_at_video(file)
        return
    if not file.size:
        raise BadRequest("{name} is empty; send a picture.", name=file.filename)
    kind = (file.content_type or "image/").split(";")[0]
    if not kind.startswith("image/"):
        raise BadRequest(
            "{name} is no picture ({kind}); PNG, JPEG, WebP and GIF are taken.", name=file.filename, kind=kind
        )


def _look_at_video(file: discord.Attachment) -> None:
    if not file.size:
        raise BadRequest("{name} is empty; send a video.", name=file.filename)
    kind = (file.content_type or "video/").split(";")[0]
    if not kind.startswith("video/"):
        raise BadRequest(
            "{name} is no video ({kind}); MP4, MOV and WebM are taken.", name=file.filename, kind=kind
        )


async def _submit(
    house: House,
    task: Task,
    text: str,
    options: Mapping[str, object],
    files: Sequence[discord.Attachment],
    asker: Asker,
    force: Effective,
) -> Job:
    """A few people's files at a time: they are looked at one by one, and would fill the memory meanwhile."""
    async with house.desk.counter if files else nullcontext():
        if files:  # others of theirs may have taken the last seat while this one waited for its turn
            house.studio.queue.can_take(asker.user, asker.guild, asker.tier)
        return await house.studio.submit(task, text, options, await _fetch(house, files), asker, force=force)


async def _fetch(house: House, files: Sequence[discord.Attachment]) -> list[Upload]:
    """All files at once; when one is refused, the others are let go."""
    try:
        async with asyncio.TaskGroup() as group:
            fetched = [group.create_task(house.desk.fetch(file), name=f"fetch-{file.id}") for file in files]
    except ExceptionGroup as faults:
        refused, _ = faults.split(Refused)
        raise (refused or faults).exceptions[0] from None
    return [task.result() for task in fetched]
