"""Every word for users: pure functions of a job, its place, an error and a language."""

from commands.replies.card import card, file_name
from commands.replies.line import LINES, queue, stopped, suggestion
from commands.replies.notices import (
    broken,
    forbidden,
    outdated,
    reading,
    sent_privately,
    unheard,
    unreadable,
)
from commands.replies.pieces import DROP, REROLL, REROLLS, asked, idle, link, refused, title
from commands.replies.shelf import PAGE, history
from commands.replies.ticket import failed, ticket

__all__ = [
    "DROP", "LINES", "PAGE", "REROLL", "REROLLS", "asked", "broken", "card", "failed", "file_name",
    "forbidden", "history", "idle", "link", "outdated", "queue", "reading", "refused", "sent_privately",
    "stopped", "suggestion", "ticket", "title", "unheard", "unreadable",
]  # fmt: skip
