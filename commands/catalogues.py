"""Catalogues: gettext's `languages/*.po`, read as they are written, so that nothing needs building."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from babel.messages.pofile import read_po
from discord import Locale, app_commands
from discord.app_commands import ContextMenu, TranslationContextLocation

#: The languages that there are beside English, by Discord's names.
LANGUAGES = ("zh-CN", "ja")
FOLDER = Path(__file__).parent / "languages"

#: What of a command is translated. Its own name and its options' are the same in every language: they are
#: what people tell each other, and what the flags in a prompt are called.
TRANSLATED = frozenset(
    {
        TranslationContextLocation.command_description,
        TranslationContextLocation.group_description,
        TranslationContextLocation.parameter_description,
        TranslationContextLocation.choice_name,
    }
)


@cache
def catalogue(locale: str) -> Mapping[str, str]:
    """English templates to those of that language; empty for a language that there is not.

    A template for one thing and that for many have one translation: neither language has plural forms.
    """
    if locale not in LANGUAGES:
        return {}
    with (FOLDER / f"{locale}.po").open("rb") as file:
        messages = read_po(file, locale=locale.replace("-", "_"), abort_invalid=True)
    found: dict[str, str] = {}
    for message in messages:
        ids = message.id if isinstance(message.id, tuple | list) else [message.id]
        text = message.string if isinstance(message.string, str) else (message.string or [""])[0]
        found |= {one: text for one in ids if one and text}
    return found


class Translator(app_commands.Translator):
    """Tells Discord what commands, options and menus are about in each language."""

    async def translate(
        self,
        string: app_commands.locale_str,
        locale: Locale,
        context: app_commands.TranslationContextTypes,
    ) -> str | None:
        """The translation; None leaves it in English."""
        menu = isinstance(context.data, ContextMenu)
        if context.location not in TRANSLATED and not menu:
            return None
        return catalogue(locale.value).get(string.message)
