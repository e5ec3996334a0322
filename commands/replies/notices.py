"""Single sentences: what is done, and what went wrong apart from refusals."""

from __future__ import annotations

from commands.words import quote, say


def reading(locale: str) -> str:
    """Stands for a moment where a private ticket will be."""
    return say(locale, "One moment: your clip is being taken into the line.")


def sent_privately(locale: str, channel: int) -> str:
    """Says where the clip will be."""
    return say(locale, "Your clip comes as a direct message: <#{channel}>", channel=channel)


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
