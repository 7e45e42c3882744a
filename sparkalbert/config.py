"""Reads ALBERT's configuration from a Hugging Face ``config.json`` and checks it as a whole.

Keys keep their Hugging Face names. Keys that do not change the numbers of a forward pass (dropout,
``net_structure_type``, ``gap_size`` ...) are ignored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from sparkalbert.errors import ConfigError, problem_list

__all__ = ["ACTIVATIONS", "AlbertConfig"]

ACTIVATIONS: Final[Mapping[str, str]] = {
    "gelu": "erf",
    "gelu_python": "erf",
    "gelu_new": "tanh",
    "gelu_fast": "tanh",
    "gelu_pytorch_tanh": "tanh",
    "relu": "relu",
}
"""Each ``hidden_act`` that can be converted, and the formula behind it (Hugging Face ``activations.py``)."""

_MAX_BYTES: Final = 16 << 20
"""A configuration has some kilobytes, more with thousands of labels."""

_LIMITS: Final[Mapping[str, tuple[int, int]]] = {
    "vocab_size": (6, 2_000_000),
    "embedding_size": (1, 8_192),
    "hidden_size": (1, 32_768),
    "num_hidden_layers": (1, 1_000),
    "num_hidden_groups": (1, 100),
    "inner_group_num": (1, 100),
    "num_attention_heads": (1, 1_024),
    "intermediate_size": (1, 262_144),
    "max_position_embeddings": (3, 65_536),
    "type_vocab_size": (1, 1_024),
}
"""Smallest and largest values: xxlarge is far inside, a hostile file that requests terabytes is far outside."""


@dataclass(frozen=True)
class AlbertConfig:
    """The shape of an ALBERT model.

    Every attribute is a key of Hugging Face's ``config.json``; defaults are those of
    ``transformers.AlbertConfig``, which older files rely on.

    Raises
    ------
    ConfigError
        If values are out of bounds or contradict each other; every problem is listed.

    Examples
    --------
    >>> config = AlbertConfig(hidden_size=768, num_attention_heads=12, intermediate_size=3072)
    >>> config.head_size
    64
    """

    vocab_size: int = 30_000
    embedding_size: int = 128
    hidden_size: int = 4_096
    num_hidden_layers: int = 12
    num_hidden_groups: int = 1
    inner_group_num: int = 1
    num_attention_heads: int = 64
    intermediate_size: int = 16_384
    hidden_act: str = "gelu_new"
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    layer_norm_eps: float = 1e-12

    def __post_init__(self) -> None:
        problems = [*_range_problems(self), *_shape_problems(self)]
        if problems:
            raise ConfigError(problem_list("The ALBERT configuration", problems))

    @property
    def head_size(self) -> int:
        """Width of one attention head."""
        return self.hidden_size // self.num_attention_heads

    @property
    def activation(self) -> str:
        """The formula behind ``hidden_act``: ``erf``, ``tanh`` or ``relu``."""
        return ACTIVATIONS[self.hidden_act]

    @property
    def num_parameters(self) -> int:
        """Number of parameters of the graph, which has no pooler and no heads, and adds token types to positions."""
        hidden, narrow, wide = self.hidden_size, self.embedding_size, self.intermediate_size
        embeddings = narrow * (self.vocab_size + self.max_position_embeddings + 2) + hidden * (narrow + 1)
        layer = hidden * (4 * hidden + 2 * wide + 9) + wide
        return embeddings + self.num_hidden_groups * self.inner_group_num * layer

    def layers_of_groups(self) -> tuple[int, ...]:
        """Return how many consecutive layers each group serves.

        Layer ``i`` belongs to group ``int(i / (num_hidden_layers / num_hidden_groups))``, as in
        ``transformers.models.albert.modeling_albert.AlbertTransformer``.

        Examples
        --------
        >>> shape = {"hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 16}
        >>> AlbertConfig(**shape, num_hidden_layers=5, num_hidden_groups=2).layers_of_groups()
        (3, 2)
        """
        per_group = self.num_hidden_layers / self.num_hidden_groups
        groups = [int(layer / per_group) for layer in range(self.num_hidden_layers)]
        return tuple(groups.count(group) for group in range(self.num_hidden_groups))

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as Hugging Face would write it, ready for ``json``."""
        return {"architectures": ["AlbertModel"], "model_type": "albert", **asdict(self)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, source: str = "config.json") -> AlbertConfig:
        """Build a configuration from the keys of a ``config.json``.

        Parameters
        ----------
        values
            The parsed file; unknown keys are ignored, missing keys take Hugging Face's defaults.
        source
            Name used in messages.

        Raises
        ------
        ConfigError
            If ``model_type`` is not ``albert``, or a value has the wrong type or is out of bounds.
        """
        model_type = values.get("model_type", "albert")
        problems = [] if model_type == "albert" else [f"model_type is {model_type!r}, expected 'albert'"]
        if "model_type" not in values and "class_name" in values:
            problems.append(f"it is Keras's configuration of {values['class_name']!r}, expected Hugging Face's")
        if values.get("position_embedding_type", "absolute") != "absolute":
            problems.append(f"position_embedding_type is {values['position_embedding_type']!r}, expected 'absolute'")
        known = {field.name: values[field.name] for field in fields(cls) if field.name in values}
        problems += _type_problems(known)
        if not problems:
            try:
                return cls(**known)
            except ConfigError as error:
                problems = [line.removeprefix("  - ") for line in str(error).splitlines()[1:]]
        raise ConfigError(problem_list(source, problems))

    @classmethod
    def from_file(cls, path: Path) -> AlbertConfig:
        """Read a ``config.json``.

        Raises
        ------
        ConfigError
            If the file is missing, is not a JSON object, or does not describe an ALBERT.
        """
        try:
            with path.open("rb") as file:
                content = file.read(_MAX_BYTES + 1)
        except OSError as error:
            msg = f"{path} cannot be read ({error.strerror}); a checkpoint or bundle requires its config.json."
            raise ConfigError(msg) from error
        if len(content) > _MAX_BYTES:
            msg = f"{path} has more than {_MAX_BYTES:,} bytes, expected ALBERT's keys only. Copy the file again."
            raise ConfigError(msg)
        try:
            values = json.loads(content.decode())
        except (ValueError, RecursionError) as error:
            msg = f"{path} is not valid JSON: {error}"
            raise ConfigError(msg) from error
        if not isinstance(values, dict):
            msg = f"{path} holds a JSON {type(values).__name__}, expected an object with ALBERT's keys."
            raise ConfigError(msg)
        return cls.from_dict(values, source=str(path))


def _type_problems(values: Mapping[str, Any]) -> list[str]:
    problems = []
    for name, value in values.items():
        if name == "hidden_act":
            expected, fits = "a string", isinstance(value, str)
        elif name == "layer_norm_eps":
            expected, fits = "a number", isinstance(value, (int, float)) and not isinstance(value, bool)
        else:
            expected, fits = "an integer", isinstance(value, int) and not isinstance(value, bool)
        if not fits:
            problems.append(f"{name} is {value!r}, expected {expected}")
    return problems


def _range_problems(config: AlbertConfig) -> list[str]:
    problems = []
    for name, (low, high) in _LIMITS.items():
        value = getattr(config, name)
        if not low <= value <= high:
            problems.append(f"{name} is {value}, expected {low} to {high}")
    if not 0 < config.layer_norm_eps < 1:
        problems.append(f"layer_norm_eps is {config.layer_norm_eps}, expected a number between 0 and 1")
    if config.hidden_act not in ACTIVATIONS:
        problems.append(f"hidden_act is {config.hidden_act!r}, expected one of {', '.join(ACTIVATIONS)}")
    return problems


def _shape_problems(config: AlbertConfig) -> list[str]:
    problems = []
    if config.num_attention_heads > 0 and config.hidden_size % config.num_attention_heads:
        problems.append(
            f"hidden_size {config.hidden_size} is not a multiple of num_attention_heads {config.num_attention_heads}"
        )
    if config.num_hidden_groups > config.num_hidden_layers:
        problems.append(
            f"num_hidden_groups {config.num_hidden_groups} exceeds num_hidden_layers {config.num_hidden_layers}"
        )
    return problems
