"""The engine's process says what it has to work with, without a model, and makes clips after."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import signal
from collections.abc import Callable
from dataclasses import replace

import pytest

from bot import check
from gen.errors import EngineDied, EngineError, ZoetropeError
from gen.host import Host
from gen.machine import Device
from gen.process import NICE
from tests.gen.conftest import asked

Hosts = Callable[..., Host]


async def test_torch_and_the_device_are_named_and_clips_are_made_after(hosts: Hosts) -> None:
    host = hosts()
    found = await host.describe()
    assert found.h264
    assert found.torch.split("+")[0] == importlib.metadata.version("torch").split("+")[0]
    assert found.name
    assert (found.total > 0) == (found.kind != "cpu")
    pid = host.pid
    assert pid
    assert os.getpriority(os.PRIO_PROCESS, pid) == os.getpriority(os.PRIO_PROCESS, 0) + NICE
    assert (await host.make(asked(), lambda step: None, limit=10**7)).frames == 8
    assert host.pid == pid


async def test_a_device_that_is_not_there_is_an_error_with_a_reason(hosts: Hosts) -> None:
    with pytest.raises(EngineError, match=r"torch is there but does not work: .+"):
        await hosts(device="cuda:99").describe()


async def test_a_death_meanwhile_is_told(hosts: Hosts) -> None:
    host = hosts()
    await host.start()
    assert host.pid
    os.kill(host.pid, signal.SIGSTOP)
    task = asyncio.create_task(host.describe())
    await asyncio.sleep(0)
    os.kill(host.pid, signal.SIGKILL)
    with pytest.raises(EngineDied):
        await task


def test_the_check_prints_one_line_of_it() -> None:
    plain = Device(h264=True, torch="", kind="cpu", name="the processor", free=0.0, total=0.0)
    card = Device(h264=True, torch="2.13.0", kind="cuda", name="NVIDIA H100", free=78.25, total=79.6)
    assert check.engine(plain) == "no torch, the processor, H.264"
    assert check.engine(card) == "torch 2.13.0, NVIDIA H100, 78.2 of 79.6 GiB free, H.264"
    card = replace(card, dtype="bfloat16")
    assert check.engine(card).endswith("78.2 of 79.6 GiB free, bfloat16, no 4-bit text encoders, H.264")
    assert ", bfloat16, 4-bit text encoders, H.264" in check.engine(replace(card, slim=True))
    with pytest.raises(ZoetropeError, match=r"PyAV was built without H\.264"):
        check.engine(replace(plain, h264=False))
