"""What is in force: the layers of this house put together, and the only way to change them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gen import layers
from gen.choices import Choices
from gen.errors import BadRequest
from gen.job import Task
from gen.layers import Effective, Layer, Policy
from gen.queue import Cap, Queue
from gen.recipe import Recipe, pick


class Force:
    """Recipes and defaults are looked at anew each time: the operator may have them read again."""

    def __init__(
        self,
        policy: Policy,
        choices: Choices,
        recipes: Mapping[str, Recipe],
        defaults: Mapping[Task, str],
        queue: Queue,
    ) -> None:
        self.policy = policy
        self.choices = choices
        self.recipes = recipes
        self.defaults = defaults
        self.queue = queue
        queue.cap = self._cap

    def of(self, user: int, guild: int | None, tier: str = "everyone", **said: object) -> Effective:
        """What is in force for that person there; `said` is what a command says itself: models by task,
        `private`; None says nothing."""
        rules = self.queue.tiers.get(tier) or self.queue.tiers["everyone"]
        own = {
            **{task.value: self.defaults.get(task, "") for task in Task},
            "waiting": rules.waiting, "rate": rules.rate, "line": self.queue.per_guild,
        }  # fmt: skip
        return layers.resolve(
            Policy({**own, **self.policy.defaults}, self.policy.floors),
            {
                Layer.GUILD: self.choices.guild(guild),
                Layer.USER: self.choices.user(user),
                Layer.COMMAND: {name: value for name, value in said.items() if value is not None},
            },
            offered={
                task: [one.name for one in self.recipes.values() if one.task is task and one.on]
                for task in Task
            },
        )

    async def prefer(self, user: int, changes: Mapping[str, Any]) -> None:
        """Changes a person's preferences, by the names of `gen.layers.SETTINGS`; None takes one back. Raises
        BadRequest."""
        await self.choices.prefer(user, self._checked(Layer.USER, changes))

    async def settle(self, guild: int, changes: Mapping[str, Any]) -> None:
        """Changes a server's settings, as `prefer` does a person's. Raises BadRequest."""
        await self.choices.set_guild(guild, self._checked(Layer.GUILD, changes))

    def allows(self, layer: Layer, name: str, value: object) -> bool:
        """Whether that layer may choose that value."""
        try:
            self._checked(layer, {name: value})
        except BadRequest:
            return False
        return True

    def _checked(self, layer: Layer, changes: Mapping[str, Any]) -> dict[str, Any]:
        checked: dict[str, Any] = {}
        for name, value in changes.items():
            above = self._above(name)
            if layer not in layers.SETTINGS[name].by:
                raise ValueError(f"{name} is not the {layer}'s")
            if value is not None and name in layers.TASKS:
                pick(self.recipes, Task(name), value)
            checked[name] = None if value is None else layers.check(name, value, above, self.policy.floors)
        return checked

    def _above(self, name: str) -> Effective:
        """What the operator allows at the most: in the tier that may the most."""
        tiers, of = self.queue.tiers, "rate" if name == "rate" else "waiting"
        return self.of(0, None, max(tiers, key=lambda one: int(getattr(tiers[one], of))))

    def _cap(self, guild: int) -> Cap:
        chosen = self.choices.guild(guild)
        return Cap(*(layers.bound(chosen, name) for name in ("line", "waiting", "rate")))
