"""Every word for users: pure functions of a job, its place, an error and a language."""

from commands.replies.card import card, file_name, letter, parameters, whole
from commands.replies.guide import Standing, help_, info, models
from commands.replies.line import LINES, queue, stopped, suggestion
from commands.replies.notices import (
    accepted,
    bare,
    broken,
    flags_form,
    forbidden,
    forget,
    forgetting,
    forgotten,
    kept,
    letter_sent,
    outdated,
    parcel,
    picture_form,
    reading,
    remix_form,
    returned,
    rules,
    sent_privately,
    unheard,
    unreadable,
)
from commands.replies.office import ACTS, Affairs, audit, done, drained, everyones, reloaded, status
from commands.replies.panel import in_force, prefer, settings
from commands.replies.pieces import (
    DROP,
    LETTER,
    REROLL,
    REROLLS,
    STAR,
    asked,
    link,
    refused,
    spoken,
    title,
)
from commands.replies.shelf import PAGE, SEARCH, Look, history, picture
from commands.replies.ticket import failed, ticket

__all__ = [
    "ACTS", "DROP", "LETTER", "LINES", "PAGE", "REROLL", "REROLLS", "SEARCH", "STAR", "Affairs", "Look",
    "Standing", "accepted", "asked", "audit", "bare", "broken", "card", "done", "drained", "everyones",
    "failed", "file_name", "flags_form", "forbidden", "forget", "forgetting", "forgotten", "help_",
    "history", "in_force", "info", "kept", "letter", "letter_sent", "link", "models", "outdated",
    "parameters", "parcel", "picture", "picture_form", "prefer", "queue", "reading", "refused", "reloaded",
    "remix_form", "returned", "rules", "sent_privately", "settings", "spoken", "status", "stopped",
    "suggestion", "ticket", "title", "unheard", "unreadable", "whole",
]  # fmt: skip
