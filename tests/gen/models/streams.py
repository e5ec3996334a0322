"""A card's streams, acted on the processor, for diffusers' own group offload.

What moves through a stream has arrived no sooner than somebody waits for it: until then there are noughts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch
from diffusers import hooks
from diffusers.hooks import group_offloading
from torch import Tensor, nn


class Stream:
    """Copies that are under way."""

    def __init__(self) -> None:
        self._under_way: list[tuple[Tensor, Tensor]] = []

    def send(self, source: Tensor) -> Tensor:
        """What will be a copy."""
        there = torch.zeros_like(source)
        self._under_way.append((there, source))
        return there

    def synchronize(self) -> None:
        """Waits until all have arrived."""
        for there, source in self._under_way:
            there.copy_(source)
        self._under_way.clear()


class Backend:
    """What torch has for a kind of device."""

    def __init__(self, device: Any) -> None:
        self.stream = nullcontext
        self.current_stream = Stream


@contextmanager
def pinned(group: Any) -> Iterator[Mapping[Tensor, Tensor]]:
    """The copies that layers are fetched from: on the processor nothing can be pinned."""
    yield group.cpu_param_dict


def transfer(group: Any, tensor: Tensor, source: Tensor, _: Any) -> None:
    """Fetches a tensor of a layer."""
    tensor.data = group.stream.send(source) if group.non_blocking else source.clone()


def offload(module: nn.Module, **given: Any) -> None:
    """`apply_group_offloading` with a stream, whatever the device."""
    given.pop("use_stream")
    kind = group_offloading.GroupOffloadingType(given.pop("offload_type"))
    given["exclude_kwargs"] = getattr(module, "_skip_keys", None)
    config = group_offloading.GroupOffloadingConfig(**given, offload_type=kind, stream=Stream())
    group_offloading._raise_error_if_accelerate_model_or_sequential_hook_present(module)
    group_offloading._apply_group_offloading(module, config)


def act(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has every offload use them."""
    groups = group_offloading.ModuleGroup
    monkeypatch.setattr(groups, "_to_cpu", staticmethod(lambda tensor, _: tensor.data.clone()))
    monkeypatch.setattr(groups, "_pinned_memory_tensors", pinned)
    monkeypatch.setattr(groups, "_transfer_tensor_to_device", transfer)
    monkeypatch.setattr(group_offloading, "TorchDeviceBackend", Backend)
    monkeypatch.setattr(hooks, "apply_group_offloading", offload)
