"""A diffusers pipeline for our families: assembled from checked files, stepped, cancelled, made bytes."""

from __future__ import annotations

import contextlib
import json
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import diffusers
import numpy as np
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn

from gen.errors import EngineError
from gen.models.guess import guessing

if TYPE_CHECKING:
    from gen.models import OnStep, Pixels, Preview
    from gen.models.glimpse import Glimpse

#: What loading raises on files that are not what they should be.
FAULTS = (OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError, ImportError)
#: Prompts whose embeddings are kept: a reroll asks for the same ones again, and the negative one always.
PROMPTS = 32


def assemble(
    kind: Any,
    folder: Path,
    *,
    dtype: torch.dtype,
    dtypes: Mapping[str, torch.dtype] | None = None,
    given: Mapping[str, Any] | None = None,
) -> Any:
    """A pipeline of class `kind` from a folder in the hub's layout, each part looked at by itself.

    `dtypes` are those of parts that differ, `given` are parts that the folder need not have (None: left out).
    Raises EngineError naming the part's folder or file that is wrong or missing.
    """
    quiet()
    named = index(folder)
    parts = dict(given or {})
    for name in signature(kind.__init__).parameters:
        entry = named.get(name)
        if name in parts or not isinstance(entry, list) or entry[0] is None:
            continue
        parts[name] = part(folder / name, *entry, dtype=(dtypes or {}).get(name, dtype))
    try:
        pipe = kind.from_pretrained(folder, **parts)
    except FAULTS as error:
        raise wrong(folder, error) from error
    pipe.set_progress_bar_config(disable=True)
    return pipe


def index(folder: Path) -> Mapping[str, Any]:
    """The parts that a pipeline's folder says it has. Raises EngineError."""
    return _json(folder / "model_index.json")


def fitting(kind: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `given` that a pipeline of class `kind` has a place for."""
    return {name: value for name, value in given.items() if name in signature(kind.__init__).parameters}


def quiet() -> None:
    """The libraries' bars and their advice to programmers stay out of the operator's log."""
    for each in (diffusers.utils.logging, transformers.utils.logging):
        each.set_verbosity_error()
        each.disable_progress_bar()


def part(folder: Path, library: str, name: str, *, dtype: torch.dtype) -> Any:
    """One part of a pipeline: class `name` of diffusers or transformers. Raises EngineError."""
    kind = getattr({"diffusers": diffusers, "transformers": transformers}.get(library), name, None)
    if kind is None:
        raise EngineError("{folder} wants {part}, which is not here.", folder=_short(folder), part=name)
    if not folder.is_dir():
        raise EngineError("The folder {folder} is missing from the weights.", folder=_short(folder))
    if isinstance(kind, type) and issubclass(kind, nn.Module):
        return module(kind, folder, dtype=dtype)
    kind, how = _as_written(kind, folder)
    try:
        return kind.from_pretrained(folder, **how)
    except FAULTS as error:
        raise wrong(folder, error) from error


def _as_written(kind: Any, folder: Path) -> tuple[Any, Mapping[str, Any]]:
    """The class that reads a tokenizer's `tokenizer.json` as it stands, and how; else `kind`.

    The classes named after models keep the file's vocabulary alone and cut words in their own way: Llama's
    as its second version did, so that the third one's spaces were lost.
    """
    whole = transformers.PreTrainedTokenizerFast
    reads = isinstance(kind, type) and issubclass(kind, whole)
    if not (reads and (folder / "tokenizer.json").is_file()):
        return kind, {}
    said = _json(file) if (file := folder / "tokenizer_config.json").is_file() else {}
    return whole, {"padding_side": said.get("padding_side", kind.padding_side)}


def module(kind: Any, folder: Path, *, dtype: torch.dtype) -> Any:
    """A model of class `kind`, all of whose weights the folder's files have. Raises EngineError.

    The libraries would fill a gap with random numbers and no more than a line in the log.
    """
    _json(folder / "config.json")
    try:
        model, found = kind.from_pretrained(
            folder, dtype=dtype, output_loading_info=True, use_safetensors=True
        )
    except FAULTS as error:
        raise wrong(folder, error) from error
    learnt = dict(model.named_parameters())  # the rest is computed, and published or not
    if missing := sorted(key for key in found["missing_keys"] if key in learnt):
        raise EngineError(
            "The weights in {folder} are not whole: {key} is missing.", folder=_short(folder), key=missing[0]
        )
    return model.eval()


def tensors(place: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, or of the only one in a folder. Raises EngineError."""
    files = [place] if place.is_file() else sorted(place.glob("*.safetensors"))
    if len(files) != 1:
        raise EngineError(
            "One safetensors file is wanted in {folder}; there are {count}.",
            folder=_short(place), count=len(files),
        )  # fmt: skip
    try:
        state: dict[str, Tensor] = load_file(files[0])
    except FAULTS as error:
        raise wrong(files[0], error) from error
    return state


def add_lora(pipe: Any, place: Path, name: str) -> None:
    """Loads a LoRA under that name. Raises EngineError naming the file when it fits no layer."""
    state = {key: tensor.to(pipe.dtype) for key, tensor in tensors(place).items()}
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Already found a `peft_config`")  # several LoRAs are meant
            pipe.load_lora_weights(state, adapter_name=name)
    except FAULTS as error:
        raise wrong(place, error) from error
    if name not in {each for names in pipe.get_list_adapters().values() for each in names}:
        raise EngineError("{file} fits no layer of this model.", file=_short(place))


def schedule(pipe: Any, options: Mapping[str, Any]) -> None:
    """Puts the recipe's `scheduler`, with its `scheduler_args`, in the place of the weights' own."""
    name, changes = options.get("scheduler"), options.get("scheduler_args", {})
    kind = getattr(diffusers, name, None) if name else type(pipe.scheduler)
    if kind is None or not hasattr(kind, "set_timesteps"):
        raise EngineError("There is no scheduler {name}.", name=name)
    pipe.scheduler = kind.from_config(pipe.scheduler.config, **changes)


def wrong(place: Path, error: Exception) -> EngineError:
    """`error`, met while loading `place`, in one line that holds no path of this machine."""
    line = next(iter(str(error).splitlines()), "") or type(error).__name__
    fault = line.replace(f"{place.parent}/", "")[:200]
    return EngineError("{file} could not be loaded: {fault}", file=_short(place), fault=fault)


@dataclass(frozen=True)
class View:
    """How the latents that a pipeline steps through are looked at: `lay` makes them frames × channels ×
    height × width. With `frames`, they are those of the clip's first frames only."""

    glimpse: Glimpse
    lay: Callable[[Tensor], Tensor]
    frames: int | None = None

    def strip(self, latents: Tensor | None) -> Pixels | None:
        """A small picture of them."""
        return None if latents is None else self.glimpse.strip(self.lay(latents))

    def learn(self, latents: Tensor | None, clip: Pixels) -> None:
        """Says what they were decoded to."""
        if latents is not None:
            self.glimpse.learn(self.lay(latents), clip[: self.frames])


def call(
    pipe: Any,
    step: OnStep,
    total: int,
    *,
    last: int | None = None,
    view: View | None = None,
    **arguments: Any,
) -> Any:
    """What `pipe` makes of `arguments`; `step` hears of each step, up to `last` of `total`, and may raise.

    `view` gives pictures of the clip in the making, to a `step` that wants them.
    """
    if unknown := arguments.keys() - signature(pipe.__call__).parameters.keys():
        raise TypeError(f"{type(pipe).__name__} takes no {sorted(unknown)}")  # some would swallow them
    done = 0

    def ended(pipe: Any, index: int, timestep: Any, values: dict[str, Any]) -> dict[str, Any]:
        nonlocal done
        done = min(done + 1, total if last is None else last)
        step(done, total, (lambda: view.strip(guess.finished())) if view else None)
        return values

    with released(pipe), guessing(pipe.scheduler) as guess:
        return pipe(**arguments, callback_on_step_end=ended)


def clip(pipe: Any, step: OnStep, steps: int, *, view: View | None = None, **arguments: Any) -> Pixels:
    """The frames of a pipeline whose decoder takes the clip as a whole: its work is one step more."""
    total, done = steps + 1, 0

    def denoised(now: int, _: int, preview: Preview | None) -> None:
        nonlocal done
        step(done := now, total, preview)

    with watched(pipe.vae.decoder, lambda: step(done, total, None)), guessing(pipe.scheduler) as guess:
        video = call(pipe, denoised, total, last=steps, view=view, **arguments, output_type="pt").frames
    frames = pixels(video[0], low=0.0)
    if view:
        view.learn(guess.latents, frames)
    step(total, total, frames[len(frames) // 2])
    return frames


def later(step: OnStep, before: int) -> OnStep:
    """`step` for work that comes after so many steps of other work."""
    return lambda done, total, frame: step(before + done, before + total, frame)


@contextlib.contextmanager
def released(pipe: Any) -> Iterator[None]:
    """Whatever ends the block early, nothing of it is left on the device or in a cache for the next clip."""
    try:
        yield
    except BaseException:
        pipe.maybe_free_model_hooks()
        raise


@contextlib.contextmanager
def watched(module: nn.Module, heard: Callable[[], None]) -> Iterator[None]:
    """Inside, `heard` is called before each run of `module`, and may raise: so a decoder is cancelled."""
    handle = module.register_forward_pre_hook(lambda *_: heard())
    try:
        yield
    finally:
        handle.remove()


def dice(seed: int) -> torch.Generator:
    """The noise of `seed`, the same on every device.

    Torch's own dice get the seed too: some schedulers and pipelines throw those, whatever they are given.
    """
    torch.manual_seed(seed)
    return torch.Generator("cpu").manual_seed(seed)


@torch.no_grad()
def decode(
    latents: Tensor,
    run: Callable[[Tensor], Tensor],
    step: OnStep,
    *,
    done: int,
    chunk: int,
    size: tuple[int, int],
    glimpse: Glimpse | None = None,
) -> Pixels:
    """frames × channels × … of latents as frames of that height and width, `chunk` of them at a time.

    `step` goes on from `done`, once for each chunk, with its first frame as the preview. `glimpse` learns
    from it.
    """
    chunks, clip = torch.split(latents, chunk), []
    for number, each in enumerate(chunks, start=1):
        clip.append(enlarged(run(each), size))
        step(done + number, done + len(chunks), clip[-1][0])
    whole: Pixels = np.concatenate(clip)
    if glimpse:
        glimpse.learn(latents, whole)
    return whole


def enlarged(frames: Tensor, size: tuple[int, int]) -> Pixels:
    """frames × 3 × height × width as bytes of that height and width, smoothly where they are smaller."""
    if frames.shape[-2:] == size:
        return pixels(frames)
    if frames.device.type == "cpu":  # on a processor, bytes are enlarged ten times faster
        high, wide = size
        return np.stack(
            [cv2.resize(each, (wide, high), interpolation=cv2.INTER_CUBIC) for each in pixels(frames)]
        )
    return pixels(nn.functional.interpolate(frames.float(), size=size, mode="bicubic"))


@torch.no_grad()
def pixels(frames: Tensor, *, low: float = -1.0) -> Pixels:
    """frames × 3 × height × width from `low` to 1, as bytes, frames × height × width × 3.

    They become bytes where they are: a quarter as much leaves the device.
    """
    whole = (frames.float() - low).mul_(255 / (1 - low)).round_().clamp_(0, 255).to(torch.uint8)
    array: Pixels = whole.permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return array


def cover(picture: Pixels, width: int, height: int) -> Pixels:
    """The picture at that size: it fills the frame, and its middle is kept."""
    scale = max(width / picture.shape[1], height / picture.shape[0])
    wide = max(width, round(picture.shape[1] * scale))
    high = max(height, round(picture.shape[0] * scale))
    kernel = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    whole = cv2.resize(picture, (wide, high), interpolation=kernel)
    left, top = (wide - width) // 2, (high - height) // 2
    return np.ascontiguousarray(whole[top : top + height, left : left + width])


def images(pictures: Sequence[Pixels], width: int, height: int) -> list[Image.Image]:
    """The pictures as the pipelines take them, of the clip's size."""
    return [Image.fromarray(cover(picture, width, height)) for picture in pictures]


class Prompts:
    """Embeddings of the last prompts, on the device that they were made on."""

    def __init__(self, encode: Callable[[str], Any], most: int = PROMPTS) -> None:
        self._encode = encode
        self._most = most
        self._kept: OrderedDict[str, Any] = OrderedDict()

    @torch.no_grad()
    def __call__(self, prompt: str) -> Any:
        """What the encoder makes of `prompt`."""
        if prompt not in self._kept:
            self._kept[prompt] = self._encode(prompt)
        self._kept.move_to_end(prompt)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return self._kept[prompt]


def _json(file: Path) -> Mapping[str, Any]:
    try:
        value: Mapping[str, Any] = json.loads(file.read_text("utf-8"))
    except FileNotFoundError as error:
        raise EngineError("{file} is missing from the weights.", file=_short(file)) from error
    except (OSError, ValueError) as error:
        raise EngineError("{file} is not readable; fetch it again.", file=_short(file)) from error
    return value


def _short(place: Path) -> str:
    """A place's last two names: enough to find it, nothing of the machine."""
    return "/".join(place.parts[-2:])
