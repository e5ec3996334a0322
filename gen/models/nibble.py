"""Text encoders whose weights are kept in 4 bits (NF4; Dettmers et al., 2023, arXiv:2305.14314)."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

log = logging.getLogger(__name__)

GIB = 2**30
#: Weights that share a scale, which is a float of 32 bits.
BLOCK = 64
#: Bytes of a weight: its four bits, and its part of the scale.
BYTES = 0.5 + 4 / BLOCK
#: What a library for cards does where it does not fit the card, the system or its driver.
FAULTS = (
    ImportError, OSError, RuntimeError, AssertionError, AttributeError, LookupError, TypeError, ValueError,
)  # fmt: skip
#: How far, in parts of the result, a product of random numbers may be off: a tenth is usual.
ROUGH = 0.25


def works(device: str) -> bool:
    """Whether 4-bit weights can be had on that device: a small product is made with them."""
    try:
        return _trial(device)
    except FAULTS as error:
        log.info("no 4-bit text encoders here: %.200s", str(error).partition("\n")[0] or type(error).__name__)
        return False


def readers(pipe: Any) -> dict[str, nn.Module]:
    """A pipeline's text encoders."""
    return {
        name: part
        for name, part in pipe.components.items()
        if name.startswith("text_encoder") and isinstance(part, nn.Module)
    }


def size(part: nn.Module) -> float:
    """GiB of a text encoder's weights once they are narrow; it may be on no device."""
    slim = {id(layer.weight) for _, _, layer in _layers(part)}
    each = ((one.numel(), BYTES if id(one) in slim else one.element_size()) for one in part.parameters())
    return float(sum(count * bytes for count, bytes in each)) / GIB


@torch.no_grad()
def narrow(part: nn.Module, device: str) -> int:
    """Keeps the weights of its layers in 4 bits, made so on that device, one after the other; of how many."""
    bits = _library()

    layers = [each for each in _layers(part) if not isinstance(each[2], bits.nn.Linear4bit)]
    for parent, name, layer in layers:
        slim = bits.nn.Linear4bit(
            layer.in_features, layer.out_features, bias=False, compute_dtype=layer.weight.dtype,
            quant_type="nf4", device="meta",
        )  # fmt: skip
        wide = layer.weight.data.to(device)
        slim.weight = bits.nn.Params4bit(
            wide, requires_grad=False, blocksize=BLOCK, compress_statistics=False, quant_type="nf4",
            module=slim,
        ).to(device)  # fmt: skip
        slim.bias = layer.bias
        slim.support_avx512bf16_for_cpu = False  # a processor's own packing would go along to the card
        setattr(parent, name, slim.to(layer.weight.device).eval())
    return len(layers)


@torch.no_grad()
def widen(part: nn.Module) -> int:
    """Gives layers of 4 bits their usual numbers back, as exact as four bits were; how many."""
    if sys.modules.get("bitsandbytes") is None:
        return 0
    bits = _library()

    count = 0
    for parent, name, layer in tuple(_linear(part)):
        if isinstance(layer, bits.nn.Linear4bit):
            wide = nn.Linear(layer.in_features, layer.out_features, bias=False, device="meta")
            weight = bits.functional.dequantize_4bit(layer.weight.data, layer.weight.quant_state)
            wide.weight = nn.Parameter(weight.to(layer.compute_dtype), requires_grad=False)
            wide.bias = layer.bias
            setattr(parent, name, wide.eval())
            count += 1
    return count


def _trial(device: str) -> bool:
    bits = _library()

    dice = torch.Generator().manual_seed(0)
    weight, values = (torch.randn(BLOCK, BLOCK, generator=dice) for _ in range(2))
    slim, state = bits.functional.quantize_4bit(
        weight.to(device), blocksize=BLOCK, compress_statistics=False, quant_type="nf4"
    )
    made = bits.matmul_4bit(values.to(device), slim.t(), state).cpu()
    wanted = values @ weight.T
    if not (made - wanted).norm() <= ROUGH * wanted.norm():
        raise ValueError("its products are wrong")
    return True


def _library() -> Any:
    """bitsandbytes, which the engine's process holds back from libraries that load it and do not use it."""
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it advises to fetch code from a hub
    if sys.modules.get("bitsandbytes", ...) is None:
        del sys.modules["bitsandbytes"]
    import bitsandbytes

    return bitsandbytes


def _layers(part: nn.Module) -> Iterator[tuple[nn.Module, str, nn.Linear]]:
    """Those that may be narrow. A model names others: it looks at their weights' type when it computes."""
    kept = {
        name
        for table in ("_keep_in_fp32_modules", "_keep_in_fp32_modules_strict")
        for name in getattr(part, table, None) or ()
    }
    return (each for each in _linear(part) if each[1] not in kept and each[2].in_features % BLOCK == 0)


def _linear(part: nn.Module) -> Iterator[tuple[nn.Module, str, nn.Linear]]:
    """Its linear layers, each with the module it is of and its name there."""
    for parent in part.modules():
        for name, layer in parent.named_children():
            if isinstance(layer, nn.Linear):
                yield parent, name, layer
