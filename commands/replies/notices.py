"""Single sentences: what is done, and what went wrong apart from refusals."""

from __future__ import annotations

from discord.ui import View

from commands import buttons
from commands.buttons import button, row
from commands.replies import pieces
from commands.words import MOST, count, fit, plain, quote, say
from gen.errors import ZoetropeError

#: A person's direct messages with the bot.
DIRECT = "https://discord.com/channels/@me/{}"
#: Stand for three backticks, which would end a block of code.
QUOTES = "'''"


def reading(locale: str) -> str:
    """Stands for a moment where a private ticket will be."""
    return say(locale, "One moment: your clip is being taken into the line.")


def bare(locale: str) -> str:
    """The bot may add no reactions in a channel."""
    return say(
        locale,
        "I may not add reactions here, so clips have buttons only; a moderator can give me Add Reactions.",
    )


def sent_privately(locale: str, channel: int) -> str:
    """Says where the clip will be."""
    return say(locale, "Your clip comes as a [direct message]({link}).", link=DIRECT.format(channel))


def outdated(locale: str) -> str:
    """Discord still shows what is no more."""
    return say(locale, "This command has changed; reload Discord, then use it again.")


def unreadable(locale: str, value: str) -> str:
    """An option that discord.py cannot read."""
    return say(
        locale, "“{value}” cannot be read here; choose one of the suggestions.", value=quote(value, 100)
    )


def forbidden(locale: str) -> str:
    """Discord forbids the bot something."""
    return say(locale, "Discord does not let me do that here; ask a moderator to check my permissions.")


def unheard(locale: str) -> str:
    """Discord did not do its part."""
    return say(locale, "Discord did not take my answer; try again in a moment.")


def broken(locale: str) -> str:
    """A bug."""
    return say(
        locale, "Something broke inside the bot; the operator's log says what. Try again, or tell them."
    )


def returned(error: ZoetropeError, words: str, locale: str) -> str:
    """A refusal of what was typed into a form, which has closed: the words come back with it."""
    text = pieces.refused(error, locale)
    if not words:
        return text
    typed = say(locale, "You typed:")
    return f"{text}\n{typed}\n```\n{plain(words, MOST - len(text) - 100).replace('`' * 3, QUOTES)}\n```"


def remix_form(locale: str) -> tuple[str, str, str]:
    """Title, label and note of the form that remixes a clip."""
    return (
        say(locale, "Remix this clip"),
        say(locale, "Prompt and flags"),
        say(locale, "As they were; change what you like. Without -seed the clip comes out anew."),
    )


def picture_form(locale: str, name: str) -> tuple[str, str, str]:
    """Title, label and note of the form that sets a picture in motion."""
    return (
        say(locale, "Animate this image"),
        say(locale, "Prompt and flags"),
        say(
            locale, "What is to happen in {name}; may be empty. Flags: -camera zoom in", name=plain(name, 30)
        ),
    )


def flags_form(locale: str) -> tuple[str, str, str]:
    """Title, label and note of the form for a person's default flags."""
    return (
        say(locale, "Your default flags"),
        say(locale, "Flags"),
        say(locale, "They stand where a prompt has none of that name; empty takes them back."),
    )


def letter_sent(locale: str, channel: int) -> str:
    """Says where the clip is."""
    return say(locale, "It is in your [direct messages]({link}).", link=DIRECT.format(channel))


def kept(locale: str, *, on: bool) -> str:
    """Says what became of a favourite."""
    if on:
        return say(locale, "It is among your favourites; /history with favourites on shows them.")
    return say(locale, "It is no longer among your favourites.")


def rules(locale: str, text: str, about: str) -> tuple[str, View]:
    """The operator's rules, and the button that accepts them."""
    head = say(locale, "**Before your first clip: the rules of this bot**")
    again = pieces.small(locale, say(locale, "Asked once, and again when they change"))
    yes = button(buttons.RULES, about, say(locale, "I accept"))
    return fit(f"{head}\n{text}\n{again}"), row(yes)


def accepted(locale: str) -> str:
    """What was asked for is no longer known."""
    return say(locale, "Thank you. Now ask for it once more.")


def parcel(locale: str) -> str:
    """Stands above what is handed out to a person."""
    return say(locale, "All that is kept about you: your settings, prompts and clips.")


def forget(locale: str, user: int) -> tuple[str, View]:
    """Asks once before a person's data is erased."""
    text = say(
        locale,
        "This erases your clips here and in the channels, your prompts, favourites and settings, and cancels "
        "what is in the line. Only counts stay. It cannot be undone.",
    )
    sure = button(buttons.FORGET, str(user), say(locale, "Erase everything"), pieces.DROP)
    return text, row(sure)


def forgetting(locale: str) -> str:
    """Stands while it is done."""
    return say(locale, "Erasing; with many clips this takes a while.")


def forgotten(locale: str, jobs: int) -> str:
    """Says what was erased."""
    return count(
        locale, "One clip and all about it is erased.", "{number} clips and all about them are erased.", jobs
    )
