"""What became of what a person did, and what their client was told meanwhile."""

from playground import shape
from playground.home import AtHome, at_home
from playground.records import LOADING, Interaction, Json, Message
from playground.world import World


class Deed(AtHome):
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
    async def settled(self, timeout: float = 40.0) -> "Deed":
        """Waits until it is answered or failed."""
        await self.world.until(lambda: self.state != "pending", timeout)
        return self

    @at_home
    async def message(self, timeout: float = 40.0) -> Json:
        """Waits for the answer's message to say something (thinking over), and gives it.

        AssertionError when the interaction failed.
        """

        def said() -> bool:
            message = self.world.messages.get(self.interaction.message_id or 0)
            return self.state == "failed" or (message is not None and not message.flags & LOADING)

        await self.world.until(said, timeout)
        if self.original is None:
            raise AssertionError(f"{self!r} was not answered")
        return self.original


class Ear(AtHome):
    """What one person's client was told since it began to listen: `events`, each {"t", "d"}."""

    def __init__(self, world: World, user_id: int) -> None:
        self.world = world
        self.events: list[Json] = []
        self._subscription = world.subscribe(user_id, self.events.append)

    def named(self, name: str) -> list[Json]:
        """The payloads of the events of one name."""
        return [event["d"] for event in self.events if event["t"] == name]

    @at_home
    async def heard(self, name: str, timeout: float = 40.0) -> Json:
        """The first event of this name, waited for if need be."""
        return (await self.world.until(lambda: self.named(name), timeout))[0]
