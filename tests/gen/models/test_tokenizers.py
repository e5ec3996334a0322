"""What reads prompts, in the layouts that are published, through our own loader."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from gen.models import pipe

CAPTIONS = ["a boat at dawn", "the red star moves left", "waves, calm and blue", "people by the sea"] * 20
PROMPT = "the red boat's sails, 2024 Ü\n calm  sea"


def loaded(folder: Path, kind: str) -> Any:
    return pipe.part(folder, "transformers", kind, dtype=torch.float32)


def _write(folder: Path, **files: Any) -> Path:
    for name, value in files.items():
        (folder / f"{name}.json").write_text(json.dumps(value), "utf-8")
    return folder


@pytest.mark.parametrize("kind", ["T5Tokenizer", "T5TokenizerFast"])
def test_a_vocabulary_that_is_a_sentencepiece_model_alone(kind: str, tmp_path: Path) -> None:
    """As LTX-Video's folder has it: no tokenizer.json."""
    made = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CAPTIONS), model_writer=made, vocab_size=60, hard_vocab_limit=False,
        model_type="unigram", pad_id=0, eos_id=1, unk_id=2, bos_id=-1, minloglevel=2,
    )  # fmt: skip
    (tmp_path / "spiece.model").write_bytes(made.getvalue())
    judge = sentencepiece.SentencePieceProcessor(model_proto=made.getvalue())
    extra, size = [f"<extra_id_{i}>" for i in range(100)], judge.get_piece_size()
    special = {
        "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>", "additional_special_tokens": extra,
    }  # fmt: skip
    _write(
        tmp_path,
        tokenizer_config={
            "tokenizer_class": "T5Tokenizer", "extra_ids": 100, "legacy": True, "model_max_length": 128,
            **special,
        },
        special_tokens_map=special,
        added_tokens={name: size + 99 - place for place, name in enumerate(extra)},
    )  # fmt: skip
    words = loaded(tmp_path, kind)
    assert words(PROMPT).input_ids == [*judge.encode(PROMPT), 1]
    padded = words(["sea", PROMPT], padding="max_length", max_length=64, truncation=True)
    assert padded.input_ids[0] == [*judge.encode("sea"), 1, *[0] * (63 - len(judge.encode("sea")))]
    assert len(words) == size + 100
    assert words.convert_tokens_to_ids("<extra_id_0>") == size + 99


@pytest.mark.parametrize("side", ["left", "right", None])
def test_a_tokenizer_file_is_read_as_it_stands(side: str | None, tmp_path: Path) -> None:
    """As HunyuanVideo's folder has it: Llama 3's bytes, under the name of a class that knows Llama 2's."""
    raw = Tokenizer(models.BPE(ignore_merges=True))
    cut = Regex(r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(cut, "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)]
    )
    raw.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    raw.train_from_iterator(CAPTIONS, trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet))
    raw.add_special_tokens(["<|begin_of_text|>", "<|end_of_text|>"])
    first = ("<|begin_of_text|>", raw.token_to_id("<|begin_of_text|>"))
    raw.post_processor = processors.TemplateProcessing(f"{first[0]} $A", special_tokens=[first])
    raw.save(str(tmp_path / "tokenizer.json"))
    _write(
        tmp_path,
        tokenizer_config={
            "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 256,
            "bos_token": first[0], "eos_token": "<|end_of_text|>", "pad_token": "<|end_of_text|>",
            **({"padding_side": side} if side else {}),
        },
    )  # fmt: skip
    words = loaded(tmp_path, "LlamaTokenizerFast")
    wanted = raw.encode(PROMPT).ids
    assert words(PROMPT).input_ids == wanted
    assert words.decode(wanted[1:]) == PROMPT
    empty = [words.pad_token_id] * 3
    padded = words(PROMPT, padding="max_length", max_length=len(wanted) + 3).input_ids
    assert padded == ([*wanted, *empty] if side == "right" else [*empty, *wanted])
