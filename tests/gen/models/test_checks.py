"""Checks of frames on tiny checkpoints in the hub's layout: verdicts by the picture, nothing by default."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from safetensors.torch import load_file, save_file
from transformers import CLIPImageProcessor

from gen.check import Check
from gen.errors import EngineError, Misconfigured, NotAllowed
from gen.models import Pixels, checks
from gen.models.screen import Screen
from tests.gen.models import tiny_check
from tests.gen.models.tiny_check import BLUE, GREEN, RED, picture


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_check.classifier(tmp_path_factory.mktemp("vit"))


def reds(folder: Path, **changes: object) -> Check:
    plain = Check(name="reds", family="classifier", weights={"base": str(folder)}, labels={"red": 0.7})
    return replace(plain, **changes)  # type: ignore[arg-type]  # each test knows what it changes


def screen(check: Check, tmp_path: Path) -> Screen:
    ready = Screen(tmp_path)
    ready.load(check, lambda weights: None)
    return ready


def clip(*colours: tuple[int, int, int]) -> Pixels:
    return np.stack([picture(colour, seed) for seed, colour in enumerate(colours)])


def test_a_classifiers_verdict_is_by_the_picture(folder: Path, tmp_path: Path) -> None:
    judge = checks.load(reds(folder), tmp_path)
    red, blue, green = judge.scores([picture(RED), picture(BLUE, size=(33, 90)), picture(GREEN)])
    assert red["red"] > 0.9 and blue["red"] < 0.1 and green["red"] < 0.1
    assert all(math.isclose(sum(one.values()), 1, abs_tol=1e-5) for one in (red, blue, green))


def test_labels_that_may_hold_at_once_have_chances_of_their_own(folder: Path, tmp_path: Path) -> None:
    several = tmp_path / "several"
    several.mkdir()
    for file in folder.iterdir():
        (several / file.name).write_bytes(file.read_bytes())
    config = json.loads((several / "config.json").read_text())
    (several / "config.json").write_text(json.dumps({**config, "problem_type": "multi_label_classification"}))
    one, other = (checks.load(reds(place), tmp_path).scores([picture(RED)])[0] for place in (folder, several))
    odds = math.log(one["red"] / one["other"])
    logit = {label: math.log(score / (1 - score)) for label, score in other.items()}
    assert math.isclose(logit["red"] - logit["other"], odds, rel_tol=1e-3)


@pytest.mark.parametrize(
    ("colours", "found"),
    [
        ((RED, BLUE, BLUE, BLUE, BLUE), ("red",)),
        ((BLUE, BLUE, RED, BLUE, BLUE), ("red",)),
        ((BLUE, BLUE, BLUE, BLUE, RED), ("red",)),
        ((BLUE, RED, BLUE, RED, BLUE), ()),  # the first, the middle and the last are looked at
        ((RED,), ("red",)),
        ((BLUE, GREEN), ()),
    ],
)
def test_the_first_the_middle_and_the_last_frame_are_seen(
    folder: Path, tmp_path: Path, colours: Sequence[tuple[int, int, int]], found: tuple[str, ...]
) -> None:
    seen = screen(reds(folder), tmp_path)
    assert seen.look(reds(folder), clip(*colours), "spoiler") == found


def test_what_is_found_is_shown_hidden_or_refused(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    check = reds(folder)
    seen = screen(check, tmp_path)
    assert seen.look(check, clip(RED), "show") == seen.look(check, clip(RED), "spoiler") == ("red",)
    for policy in ("refuse", "", "a policy of another version"):
        with pytest.raises(NotAllowed, match="found “red” in the clip"):
            seen.look(check, clip(RED), policy)
        assert seen.look(check, clip(BLUE), policy) == ()
    assert "check reds: red 0.9" in caplog.text and "in frame 0" in caplog.text


def test_a_score_from_the_threshold_on_is_found(folder: Path, tmp_path: Path) -> None:
    score = checks.load(reds(folder), tmp_path).scores([picture(RED, 0)])[0]["red"]
    for least, found in ((score, ("red",)), (math.nextafter(score, 2), ())):
        check = reds(folder, labels={"red": least})
        assert screen(check, tmp_path).look(check, clip(RED), "show") == found


def test_what_is_no_number_counts_as_found(folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in folder.iterdir():
        (broken / file.name).write_bytes(file.read_bytes())
    weights = load_file(broken / "model.safetensors")
    weights["classifier.bias"] = torch.full_like(weights["classifier.bias"], torch.nan)
    save_file(weights, broken / "model.safetensors", {"format": "pt"})
    check = reds(broken)
    assert screen(check, tmp_path).look(check, clip(BLUE), "show") == ("red",)


def refused(check: Check, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> str:
    """What the operator reads; whoever asked for a clip reads one sentence."""
    caplog.clear()
    with pytest.raises(EngineError, match="so none is made; the operator's log says why"):
        screen(check, tmp_path)
    return caplog.text


def test_a_check_that_cannot_be_asked_says_why_to_the_operator(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lost = reds(folder, weights={"base": str(tmp_path / "none")})
    assert "none are missing" in refused(lost, tmp_path, caplog)
    assert "check.reds has no label blue; there are other, red" in refused(
        reds(folder, labels={"blue": 0.5}), tmp_path, caplog
    )
    assert "check.reds.family is magic; there are classifier, concepts" in refused(
        reds(folder, family="magic"), tmp_path, caplog
    )
    other = reds(folder, weights={"other": str(folder)})
    assert "check.reds.weights.base must be set" in refused(other, tmp_path, caplog)


def test_weights_that_are_cut_pickled_or_not_all_there_are_refused(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "odd"
    place.mkdir()
    for file in folder.iterdir():
        (place / file.name).write_bytes(file.read_bytes())
    weights = load_file(place / "model.safetensors")
    lacking = {name: weight for name, weight in weights.items() if name != "classifier.weight"}
    save_file(lacking, place / "model.safetensors", {"format": "pt"})
    assert "check.reds lack classifier.weight" in refused(reds(place), tmp_path, caplog)
    (place / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-9])
    assert "is cut short" in refused(reds(place), tmp_path, caplog)
    (place / "model.safetensors").unlink()
    torch.save(weights, place / "pytorch_model.bin")
    assert "is a pickle, which is not loaded" in refused(reds(place), tmp_path, caplog)
    (place / "pytorch_model.bin").unlink()
    assert "weights of check.reds cannot be loaded" in refused(reds(place), tmp_path, caplog)


def test_of_a_hub_one_model_at_its_root_is_fetched_and_nothing_else() -> None:
    named = checks.weights({"base": "some/repo", "eye": {"repo": "x/y", "allow": ["a"]}})
    assert named["eye"] == {"repo": "x/y", "allow": ["a"]}
    assert named["base"]["allow"] == list(checks.ALLOWED)
    assert not [pattern for pattern in checks.ALLOWED if not pattern.endswith((".json", ".safetensors"))]


def test_concepts_are_near_or_far_as_diffusers_own_checker_has_it(tmp_path: Path) -> None:
    folder = tiny_check.concepts(tmp_path / "sc", near=picture(RED), bound=0.9)
    check = Check(name="near", family="concepts", weights={"base": str(folder)}, labels={"concept": 0.0})
    model = StableDiffusionSafetyChecker.from_pretrained(folder)
    eye = CLIPImageProcessor.from_pretrained(folder)
    seen = screen(check, tmp_path)
    verdicts = []
    for number, colour in enumerate((RED, BLUE, GREEN, (180, 60, 40), (10, 10, 10))):
        image = picture(colour, number)
        pixels = eye(images=[image], return_tensors="pt").pixel_values
        _, [theirs] = model(clip_input=pixels, images=[image])
        verdicts.append(theirs)
        assert bool(seen.look(check, image[None], "show")) == theirs, colour
    assert True in verdicts and False in verdicts


def test_a_concept_with_special_care_is_nearer(tmp_path: Path) -> None:
    """A cosine a hair below its bound counts where the picture is near to what is taken special care of."""
    folder = tiny_check.concepts(tmp_path / "sc", near=picture(RED), bound=1.005)
    check = Check(name="near", family="concepts", weights={"base": str(folder)}, labels={"concept": 0.0})
    assert screen(check, tmp_path).look(check, picture(RED)[None], "show") == ()
    weights = load_file(folder / "model.safetensors")
    weights["special_care_embeds"][0] = weights["concept_embeds"][0]
    weights["special_care_embeds_weights"][0] = 0.9
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    assert screen(check, tmp_path).look(check, picture(RED)[None], "show") == ("concept",)
    care = replace(check, labels={"care": 0.0})
    assert screen(care, tmp_path).look(care, picture(RED)[None], "show") == ("care",)
    with pytest.raises(Misconfigured, match="has no label nsfw; there are concept, care"):
        checks.load(replace(check, labels={"nsfw": 0.0}), tmp_path)
