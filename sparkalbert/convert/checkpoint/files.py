"""The files of a checkpoint folder that a conversion reads. Imports no library that reads weights.

Weights
-------
If there are several, the first of these is read: ``model.safetensors``, ``pytorch_model.bin``, ``tf_model.h5``,
each before its shards (``NAME.index.json``), as Hugging Face's ``from_pretrained`` does, then a TensorFlow
checkpoint (``NAME.index`` with ``NAME.data-00000-of-00001``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from sparkalbert.bundle.folder import CONFIG_FILE
from sparkalbert.text.pieces.files import tokenizer_files

__all__ = [
    "GOOGLE_CONFIG_FILE",
    "WEIGHTS_FILE",
    "WeightFiles",
    "WeightsFormat",
    "checkpoint_files",
    "choose_weights",
    "config_path",
    "weight_files",
]

WEIGHTS_FILE: Final = "model.safetensors"
GOOGLE_CONFIG_FILE: Final = "albert_config.json"

WeightsFormat = Literal["safetensors", "torch", "hdf5", "tensorflow"]

_FORMATS: Final[dict[str, WeightsFormat]] = {
    WEIGHTS_FILE: "safetensors",
    "pytorch_model.bin": "torch",
    "tf_model.h5": "hdf5",
}
_SHARDS: Final = ".index.json"
_TENSORFLOW_INDEX: Final = ".index"
_TENSORFLOW_DATA: Final = re.compile(r"\.data-\d{5}-of-\d{5}")
_MAX_INDEX_BYTES: Final = 16 << 20
_SAVE: Final = "AlbertModel.from_pretrained(FOLDER{}).save_pretrained(FOLDER)"
_ADAPTER: Final = (
    "it holds an adapter, not a model; merge it into its base model (merge_and_unload() of peft) and save that"
)
_OTHERS: Final = {
    "flax_model.msgpack": f"save it again with transformers 4: {_SAVE.format(', from_flax=True')}",
    "rust_model.ot": "use pytorch_model.bin, from which it was made",
    "model.weights.h5": "it has the layout of Keras 3; save the weights with Hugging Face's names as safetensors",
    "openvino_model.bin": "it belongs to OpenVINO; use the checkpoint that it was exported from",
    "adapter_model.safetensors": _ADAPTER,
    "adapter_model.bin": _ADAPTER,
}
"""Weights that are not read, and what to do."""

_NO_WEIGHTS: Final = frozenset(
    {"training_args.bin", "optimizer.bin", "scheduler.bin", "optimizer.pt", "scheduler.pt", "rng_state.pth"}
)
"""Files of the trainer, which look like weights."""

_TORCH: Final = "if it holds the weights as torch.save writes them, rename it to pytorch_model.bin"
_RENAMES: Final = {
    **dict.fromkeys((".bin", ".ckpt", ".pt", ".pth"), _TORCH),
    ".h5": "if it holds the weights of Hugging Face's TensorFlow classes, rename it to tf_model.h5",
    ".safetensors": f"if it holds Hugging Face's names, rename it to {WEIGHTS_FILE}",
}
_ONNX: Final = (
    "is an ONNX export, not a checkpoint. It is imported from a folder: `hf download OWNER/NAME --local-dir FOLDER`, "
    "then pass FOLDER"
)


@dataclass(frozen=True)
class WeightFiles:
    """The weights that a conversion reads.

    Attributes
    ----------
    name
        The file that was chosen; for shards, their index.
    format
        How to read the parts.
    parts
        The files whose headers name the tensors.
    files
        Every file that is read: the parts, an index of shards, the data files of a TensorFlow checkpoint.
    """

    name: str
    format: WeightsFormat
    parts: tuple[Path, ...]
    files: tuple[Path, ...]


def choose_weights(names: Collection[str]) -> list[str]:
    """Return the names that hold weights, best first, in the order of the module's docstring.

    Parameters
    ----------
    names
        The names of the files of a folder or repository.

    Examples
    --------
    >>> choose_weights(["tf_model.h5", "pytorch_model.bin", "README.md"])
    ['pytorch_model.bin', 'tf_model.h5']
    >>> choose_weights(["model.ckpt-best.index", "model.ckpt-best.data-00000-of-00001", "model.ckpt-best.meta"])
    ['model.ckpt-best.index']
    """
    known = [name for base in _FORMATS for name in (base, base + _SHARDS)]
    return [name for name in known if name in names] + sorted(
        name for name in names if name.endswith(_TENSORFLOW_INDEX) and _tensorflow_data(name, names)
    )


def checkpoint_files(folder: Path) -> list[Path]:
    """Return every existing file that a conversion of `folder` reads, sorted."""
    weights = weight_files(folder, [])
    candidates = [config_path(folder), *(weights.files if weights else ()), *tokenizer_files(folder)]
    return sorted({path for path in candidates if path.is_file()})


def config_path(folder: Path) -> Path:
    """Return the path of the configuration: ``config.json``, or ``albert_config.json`` if only that exists."""
    path = folder / CONFIG_FILE
    google = folder / GOOGLE_CONFIG_FILE
    return google if google.is_file() and not path.is_file() else path


def weight_files(folder: Path, problems: list[str]) -> WeightFiles | None:
    """Return the weights of a folder.

    Parameters
    ----------
    folder
        A checkpoint folder.
    problems
        One line is appended for each problem: a missing file, a malformed index.
    """
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    found = choose_weights(names)
    if not found:
        others = [f"{name} is not read: {mend}" for name, mend in _OTHERS.items() if name in names]
        others += [
            f"{name} is not read under this name: {_RENAMES[suffix]}"
            for name in names
            if name not in _OTHERS and name not in _NO_WEIGHTS and (suffix := PurePosixPath(name).suffix) in _RENAMES
        ]
        exports = sorted([*folder.glob("*.onnx"), *folder.glob("onnx/*.onnx")])
        others += [f"{path.relative_to(folder).as_posix()} {_ONNX}" for path in exports]
        others += [
            f"{path.relative_to(folder).as_posix()} is not in the folder itself: download the repository, and pass the "
            f"folder {path.parent.name} if it holds the configuration and the vocabulary, too"
            for path in sorted(folder.glob("*/*"))
            if path.name in _FORMATS
        ]
        problems += others or [f"{WEIGHTS_FILE} is missing, and so is any other file of weights ({_known()})"]
        return None
    adapter = next((name for name in names if name.startswith("adapter_model.")), None)
    if adapter and "adapter_config.json" in names:
        problems.append(
            f"{found[0]} and the adapter {adapter} are in one folder: transformers applies the adapter if peft is "
            "installed. Remove it with adapter_config.json, or merge it first (merge_and_unload() of peft)"
        )
    chosen = found[0]
    path = folder / chosen
    if chosen.endswith(_TENSORFLOW_INDEX):
        if len(found) > 1:
            problems.append(f"expected one TensorFlow checkpoint, found {', '.join(found)}; remove the others")
        data = [folder / name for name in _tensorflow_data(chosen, names)]
        return WeightFiles(chosen, "tensorflow", (path,), (path, *data))
    if chosen.endswith(_SHARDS):
        shards = tuple(_shards(path, names, problems))
        return WeightFiles(chosen, _FORMATS[chosen.removesuffix(_SHARDS)], shards, (path, *shards))
    return WeightFiles(chosen, _FORMATS[chosen], (path,), (path,))


def _tensorflow_data(index: str, names: Collection[str]) -> list[str]:
    prefix = index.removesuffix(_TENSORFLOW_INDEX)
    return [name for name in names if name.startswith(prefix) and _TENSORFLOW_DATA.fullmatch(name[len(prefix) :])]


def _known() -> str:
    return ", ".join([*_FORMATS, "a TensorFlow checkpoint"])


def _shards(path: Path, existing: Collection[str], problems: list[str]) -> Iterator[Path]:
    try:
        if path.stat().st_size > _MAX_INDEX_BYTES:
            problems.append(f"{path.name} is larger than the index of any model")
            return
        index = json.loads(path.read_text(encoding="utf-8"))
        names = sorted(set(index["weight_map"].values()))
        outside = [name for name in names if PurePosixPath(name).name != name or "\\" in name]
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        problems.append(
            f'{path.name} is malformed ({type(error).__name__}: {error}); expected {{"weight_map": {{tensor: file}}}}'
        )
        return
    problems += [f"{path.name} names {name!r}, which is outside the folder" for name in outside]
    for name in names:
        if name in outside:
            continue
        if name in existing:
            yield path.parent / name
        else:
            problems.append(f"the shard {name} is missing")
