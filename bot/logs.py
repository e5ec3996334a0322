"""The log: lines for people, or objects for programs, each with the id of the job that it is about."""

from __future__ import annotations

import json
import logging
import sys
from typing import TextIO

import discord

from bot.settings import Log
from gen.trace import Named

#: Whose DEBUG has addresses with keys in them, and people's words as they came.
TALKERS = ("discord", "aiohttp")


class Text(logging.Formatter):
    """`2026-01-31 12:00:00,123 INFO gen.worker [7h3k…]: words`; without brackets outside of any job."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s%(about)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """One record, its traceback below it."""
        job = getattr(record, "job", "")
        record.about = f" [{job}]" if job else ""
        return super().format(record)


class Json(logging.Formatter):
    """One object a line: at (seconds since 1970), level, name, job, text, and trace where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """One record."""
        line = {
            "at": round(record.created, 3),
            "level": record.levelname,
            "name": record.name,
            "job": getattr(record, "job", ""),
            "text": record.getMessage(),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def begin(settings: Log, stream: TextIO | None = None) -> None:
    """From now on everything is logged as the settings say, to standard error."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(Json() if settings.format == "json" else Text())
    handler.addFilter(Named())
    logging.basicConfig(level=settings.level, handlers=[handler], force=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    for name in TALKERS:
        logging.getLogger(name).setLevel(max(logging.INFO, logging.getLevelNamesMapping()[settings.level]))
    discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False  # Zoetrope does not speak
