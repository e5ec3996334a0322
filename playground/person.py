"""What a person does in a client: writes, calls commands, presses, reacts; for the page and for tests."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from playground import shape
from playground.records import Interaction, Json, Message
from playground.world import World

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S", bound="_AtHome")


class Impossible(Exception):
    """What a person's client would not let them do; the text says why."""


class _AtHome:
    """Something that lives with a world, on its loop."""

    world: World


def at_home(
    method: Callable[Concatenate[S, P], Awaitable[T]],
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, T]]:
    """Runs the method on the world's own loop, whichever loop it is awaited on."""

    @wraps(method)
    async def hop(self: S, *args: P.args, **kwargs: P.kwargs) -> T:
        home = self.world.loop
        if home is None or home is asyncio.get_running_loop():
            return await method(self, *args, **kwargs)

        async def there() -> T:
            return await method(self, *args, **kwargs)

        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(there(), home))

    return hop


class Deed(_AtHome):
    """An interaction that a person set going, and what became of it.

    `state` is "pending", "answered" or "failed" (no answer within the deadline). Messages are
    Discord-shaped dicts as the person sees them.
    """

    def __init__(self, world: World, interaction: Interaction) -> None:
        self.world = world
        self.interaction = interaction
        self.id = interaction.id

    def __repr__(self) -> str:
        return f"<Deed {self.interaction.data.get('name')!r} {self.state} answer={self.interaction.answer}>"

    @property
    def state(self) -> str:
        return self.interaction.state

    @property
    def modal(self) -> Json | None:
        """The modal that was opened in answer: {"id", "custom_id", "title", "components"}; see `submit`."""
        return self.interaction.modal

    @property
    def choices(self) -> list[Json] | None:
        """The suggestions, for an autocomplete: [{"name", "value"}]."""
        return self.interaction.choices

    @property
    def followups(self) -> list[Json]:
        found = [self.world.messages.get(one) for one in self.interaction.followups]
        return [self._shape(one) for one in found if one is not None]

    @property
    def original(self) -> Json | None:
        """The first answer's message as it is now; it may still be thinking (flags & 128)."""
        found = self.world.messages.get(self.interaction.message_id or 0)
        return self._shape(found) if found else None

    def _shape(self, message: Message) -> Json:
        return shape.message(self.world, message, self.interaction.user_id)

    @at_home
    async def settled(self, timeout: float = 10.0) -> "Deed":
        """Waits until it is answered or failed."""
        raise NotImplementedError

    @at_home
    async def message(self, timeout: float = 10.0) -> Json:
        """Waits for the answer's message to say something (thinking over), and gives it."""
        raise NotImplementedError


class Person(_AtHome):
    """One person's client. Methods may be awaited on any loop; what a client would refuse is `Impossible`.

    A file is (name, bytes) or (name, bytes, content type). An emoji is its character ("🔁") or "name:id".
    """

    def __init__(self, world: World, user_id: int) -> None:
        self.world = world
        self.id = user_id

    @at_home
    async def say(self, channel_id: int, content: str, reply_to: int | None = None) -> Json:
        """Writes a message; the answer is the message."""
        raise NotImplementedError

    @at_home
    async def attach(
        self, channel_id: int, *files: tuple[str, bytes] | tuple[str, bytes, str], content: str = ""
    ) -> Json:
        """Writes a message with files."""
        raise NotImplementedError

    @at_home
    async def slash(self, channel_id: int, name: str, options: Mapping[str, Any] | None = None) -> Deed:
        """Calls a slash command; a subcommand is called by its path: "privacy export".

        An option's value: text, number, bool, an id, or a file for an attachment.
        """
        raise NotImplementedError

    @at_home
    async def complete(
        self, channel_id: int, name: str, options: Mapping[str, Any], focused: str
    ) -> list[Json]:
        """The suggestions [{"name", "value"}] for the option `focused`, given what was typed so far."""
        raise NotImplementedError

    @at_home
    async def menu(self, channel_id: int, name: str, message_id: int) -> Deed:
        """Calls a context menu command on a message."""
        raise NotImplementedError

    @at_home
    async def press(self, message_id: int, custom_id: str) -> Deed:
        """Presses a button; one that is absent or disabled is Impossible."""
        raise NotImplementedError

    @at_home
    async def select(self, message_id: int, custom_id: str, values: list[str]) -> Deed:
        """Chooses in a select menu."""
        raise NotImplementedError

    @at_home
    async def submit(self, modal: Json, values: Mapping[str, Any]) -> Deed:
        """Sends a modal, its fields by custom_id; a field not named keeps its preset value."""
        raise NotImplementedError

    @at_home
    async def react(self, message_id: int, emoji: str) -> None:
        raise NotImplementedError

    @at_home
    async def unreact(self, message_id: int, emoji: str) -> None:
        raise NotImplementedError

    @at_home
    async def delete(self, message_id: int) -> None:
        """Deletes an own message, or another's with Manage Messages; a private answer is dismissed."""
        raise NotImplementedError

    @at_home
    async def type(self, channel_id: int) -> None:
        """Shows as typing."""
        raise NotImplementedError

    @at_home
    async def direct(self) -> int:
        """The id of the private channel with the bot, opened if need be."""
        raise NotImplementedError

    @at_home
    async def history(self, channel_id: int, limit: int = 50) -> list[Json]:
        """The channel's last messages as this person sees them, oldest first."""
        raise NotImplementedError
