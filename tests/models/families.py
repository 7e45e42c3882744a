"""Writes the files of an ALBERT as each family of publishers does: tiny, but with their names and their keys."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
import sentencepiece

from sparkalbert.config import AlbertConfig
from tests import tiny_vocabulary
from tests.convert.checkpoint.weight_writers import write_tensorflow, write_torch
from tests.recorded import record_weights, tokenizer_folders

Tensors = Mapping[str, np.ndarray]
Ids = Mapping[str, list[int]]

HUGGING_FACE: Mapping[str, Any] = {
    "_name_or_path": "albert-base-v2",
    "architectures": ["AlbertForMaskedLM"],
    "attention_probs_dropout_prob": 0,
    "bos_token_id": 2,
    "classifier_dropout_prob": 0.1,
    "down_scale_factor": 1,
    "eos_token_id": 3,
    "gap_size": 0,
    "hidden_dropout_prob": 0,
    "initializer_range": 0.02,
    "inner_group_num": 1,
    "layer_norm_eps": 1e-12,
    "layers_to_keep": [],
    "model_type": "albert",
    "net_structure_type": 0,
    "num_memory_blocks": 0,
    "output_past": True,
    "pad_token_id": 0,
    "position_embedding_type": "absolute",
    "transformers_version": "4.16.2",
}
GOOGLE: Mapping[str, Any] = {
    "hidden_act": "gelu",  # means gelu_new there
    "attention_probs_dropout_prob": 0,
    "hidden_dropout_prob": 0,
    "initializer_range": 0.02,
    "inner_group_num": 1,
    "net_structure_type": 0,
    "layers_to_keep": [],
    "gap_size": 0,
    "num_memory_blocks": 0,
    "down_scale_factor": 1,
}
SHAPE: Mapping[str, Any] = {
    "embedding_size": 8,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_hidden_groups": 1,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 64,
    "type_vocab_size": 2,
    "hidden_act": "gelu_new",
}


def write_json(path: Path, values: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values), encoding="utf-8")


def config_values(config: AlbertConfig, more: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of a real ``config.json`` or ``albert_config.json``."""
    values = {name: value for name, value in config.to_dict().items() if name not in {"architectures", "model_type"}}
    return {**values, **more}


# Weights: each writes a folder's files and its configuration. Heads are beside the model, as in most repositories.


def with_heads(tensors: Tensors, prefix: str = "albert.") -> dict[str, np.ndarray]:
    words = tensors["embeddings.word_embeddings.weight"]
    return {
        **{prefix + name: values for name, values in tensors.items()},
        "predictions.bias": np.zeros(len(words), dtype=np.float32),
        "predictions.decoder.weight": words,
    }


def _halves(tensors: Tensors) -> list[dict[str, np.ndarray]]:
    names = [*tensors]
    return [{name: tensors[name] for name in names[start::2]} for start in (0, 1)]


def _shards(folder: Path, base: str, tensors: Tensors, write: Callable[[Path, Tensors], object]) -> None:
    stem, _, suffix = base.rpartition(".")
    weight_map = {}
    for number, half in enumerate(_halves(tensors), start=1):
        shard = f"{stem}-{number:05}-of-00002.{suffix}"
        write(folder / shard, half)
        weight_map |= dict.fromkeys(half, shard)
    total = sum(values.nbytes for values in tensors.values())
    write_json(folder / f"{base}.index.json", {"metadata": {"total_size": total}, "weight_map": weight_map})


def _write_safetensors(path: Path, tensors: Tensors) -> None:
    safetensors.numpy.save_file({name: np.ascontiguousarray(values) for name, values in tensors.items()}, path)


def safetensors_file(folder: Path, tensors: Tensors) -> None:
    _write_safetensors(folder / "model.safetensors", with_heads(tensors))


def bare_safetensors(folder: Path, tensors: Tensors) -> None:
    _write_safetensors(folder / "model.safetensors", tensors)


def safetensors_shards(folder: Path, tensors: Tensors) -> None:
    _shards(folder, "model.safetensors", with_heads(tensors), _write_safetensors)


def torch_file(folder: Path, tensors: Tensors) -> None:
    write_torch(folder / "pytorch_model.bin", with_heads(tensors))


def torch_shards(folder: Path, tensors: Tensors) -> None:
    _shards(folder, "pytorch_model.bin", with_heads(tensors), write_torch)


def google_checkpoint(folder: Path, tensors: Tensors) -> None:
    contiguous = {name: np.ascontiguousarray(values) for name, values in record_weights.google_tensors(tensors).items()}
    write_tensorflow(folder, contiguous)
    (folder / "model.ckpt.meta").write_bytes(b"")
    (folder / "checkpoint").write_text('model_checkpoint_path: "model.ckpt"\n')


def recorded_weights(*names: str) -> Callable[[Path, Tensors], Tensors]:
    """Write files of ``tests/recorded/weights``, and return their tensors instead of the given ones."""

    def write(folder: Path, _tensors: Tensors) -> Tensors:
        is_torch = names[0].endswith(".bin")
        for name in names:
            shutil.copyfile(record_weights.FOLDER / name, folder / ("pytorch_model.bin" if is_torch else name))
        return record_weights.tensors(rounded=is_torch)

    return write


# Vocabularies: each writes its files and returns the ids of texts, without the special pieces around them.


def recorded(version: int, name: str, write: Callable[[Path], None]) -> Callable[[Path], Ids]:
    """Write a folder of ``tokenizer_folders``; the ids are those of transformers."""

    def written(folder: Path) -> Ids:
        write(folder)
        return _recorded(version, name)

    return written


def unigram(version: int) -> Callable[[Path], Ids]:
    """Write the ``tokenizer.json`` that transformers wrote, and no SentencePiece file."""
    source = tokenizer_folders.FOLDER / f"unigram{version}"
    return recorded(version, "unigram", lambda folder: shutil.copytree(source, folder, dirs_exist_ok=True))


@cache
def _recorded(version: int, name: str) -> Ids:
    with (tokenizer_folders.FOLDER / f"transformers{version}.jsonl").open(encoding="utf-8") as lines:
        return {row["text"]: row[name] for row in map(json.loads, lines)}


def words_alone(folder: Path) -> Ids:
    """Write ``vocab.txt`` alone, with a hundred rare characters more: a vocabulary of hanzi."""
    tokenizer_folders.WORD_PIECES["words"](folder)
    (folder / "tokenizer_config.json").unlink()
    with (folder / "vocab.txt").open("a", encoding="utf-8") as file:
        file.writelines(f"{chr(0x3400 + index)}\n" for index in range(100))
    return _recorded(5, "words")


def google_pieces(**options: Any) -> Callable[[Path], Ids]:
    """Write Google's vocabulary; the ids of the slow tokenizer of transformers 4 are recorded."""

    def written(folder: Path) -> Ids:
        shutil.copyfile(tokenizer_folders.VOCABULARY, folder / "spiece.model")
        write_json(folder / "tokenizer_config.json", options)
        return _recorded_of_google("ids" if options.get("do_lower_case", True) else "cased_ids")

    return written


def google_own_pieces(folder: Path) -> Ids:
    """Write Google's vocabulary under its own name; its rule has no quote step, so no text here has such quotes."""
    shutil.copyfile(tokenizer_folders.VOCABULARY, folder / "30k-clean.model")
    return {text: ids for text, ids in _recorded_of_google("ids").items() if "``" not in text and "''" not in text}


@cache
def _recorded_of_google(column: str) -> Ids:
    with tokenizer_folders.VOCABULARY.with_name("token_ids.jsonl").open(encoding="utf-8") as lines:
        return {row["text"]: row[column] for row in map(json.loads, lines)}


def tiny_pieces(folder: Path) -> Ids:
    """Write a small vocabulary with ALBERT's special pieces."""
    tiny_vocabulary.write(folder)
    return _encoded(tiny_vocabulary.model_bytes())


def trained(control_symbols: tuple[str, ...], **files: Any) -> Callable[[Path], Ids]:
    """Write a vocabulary that starts with <unk>, <s> and </s>, as SentencePiece's own defaults are.

    `files` are JSON files by their stem; in ``added_tokens``, ids count from the end of the vocabulary.
    """

    def written(folder: Path) -> Ids:
        model = _train(control_symbols)
        size = sentencepiece.SentencePieceProcessor(model_proto=model).get_piece_size()
        (folder / "spiece.model").write_bytes(model)
        for stem, values in files.items():
            counted = {name: size + index for name, index in values.items()} if stem == "added_tokens" else values
            write_json(folder / f"{stem}.json", counted)
        return _encoded(model)

    return written


@cache
def _train(control_symbols: tuple[str, ...]) -> bytes:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(2 * tiny_vocabulary.TEXT.lower().strip().splitlines()), model_writer=model,
        vocab_size=290, hard_vocab_limit=False, character_coverage=1.0, control_symbols=list(control_symbols),
        num_threads=1, minloglevel=3,
    )  # fmt: skip
    return model.getvalue()


def _encoded(model: bytes) -> Ids:
    """Return the ids of texts without accents, quotes and commas after digits, whose only rule is lower case."""
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    texts = [
        "Hello, the RIVER!",
        "A DOCTOR met 2 women",
        "\\frac x",
        "(the) well-known U.S.",
        "日本",
        "Snow",
        "The river",
        "Of 1999",
        "A town (in May)",
    ]
    return {text: processor.encode(text.lower()) for text in texts}


# What is published, but not read.

KERAS_CONFIG = {
    "module": "keras_hub.src.models.albert.albert_backbone",
    "class_name": "AlbertBackbone",
    "config": {"name": "albert_backbone", "trainable": True, "vocabulary_size": 30_000, "num_layers": 12},
    "registered_name": "keras_hub>AlbertBackbone",
}
KERAS_TOKENIZER = {
    "module": "keras_hub.src.models.albert.albert_tokenizer",
    "class_name": "AlbertTokenizer",
    "config": {"name": "albert_tokenizer", "proto": None, "sequence_length": None},
}


def keras_preset(folder: Path) -> None:
    tiny_pieces(folder / "assets" / "tokenizer")
    spiece = folder / "assets" / "tokenizer" / "spiece.model"
    spiece.rename(spiece.with_name("vocabulary.spm"))
    write_json(folder / "config.json", KERAS_CONFIG)
    write_json(folder / "tokenizer.json", KERAS_TOKENIZER)
    write_json(folder / "metadata.json", {"keras_version": "3.7.0", "keras_hub_version": "0.18.1"})
    (folder / "model.weights.h5").write_bytes(b"not read")


def without_weights(*others: str, **files: Any) -> Callable[[Path], None]:
    """Write a checkpoint with other files of weights, and JSON files by their stem."""

    def written(folder: Path) -> None:
        tiny_pieces(folder)
        write_json(folder / "config.json", config_values(AlbertConfig(**SHAPE, vocab_size=300), HUGGING_FACE))
        for name in others:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(b"not read")
        for stem, values in files.items():
            write_json(folder / f"{stem}.json", values)

    return written


def unstated_cased_words(folder: Path) -> None:
    without_weights("pytorch_model.bin")(folder)
    (folder / "spiece.model").unlink()
    tokenizer_folders.WORD_PIECES["cased words"](folder)
    (folder / "tokenizer_config.json").unlink()
