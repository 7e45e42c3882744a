"""A bundle's graph compared with an independent forward pass over its weights.

The graph runs as users run it, through :mod:`sparkalbert.inference`; the other side is
:mod:`sparkalbert.convert.forward`. It knows how far each number format may be off.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from sparkalbert.bundle import Bundle, Precision
from sparkalbert.config import AlbertConfig
from sparkalbert.convert.bundle_weights import bundle_tensors
from sparkalbert.convert.checkpoint import Checkpoint
from sparkalbert.convert.closeness import Closeness, compare_words
from sparkalbert.convert.forward import Tensors, embedding_output, hidden_states
from sparkalbert.errors import VerificationError, problem_list
from sparkalbert.inference.session import EncoderSession, SessionOptions

__all__ = ["MAX_ABS_ERROR", "MIN_MEAN_COSINE", "Verification", "verify_bundle"]

Float64Array = npt.NDArray[np.float64]
Int64Array = npt.NDArray[np.int64]

MAX_ABS_ERROR: Final = 1e-5
"""How far any number of any layer may be off in fp32."""

MIN_MEAN_COSINE: Final = {"fp32": 0.999999, "fp16": 0.999, "int8": 0.97}
"""Least mean cosine of the last layer's vectors. Random weights of the xlarge shape reach 0.998 in int8;
below these bounds a vector is no longer the one that the checkpoint means."""

_LENGTHS: Final = (1, 7, 20)
_SEED: Final = 20_191


@dataclass(frozen=True)
class Verification:
    """How far a bundle is from the forward pass it was compared with, over valid pieces.

    Attributes
    ----------
    precision
        Number format of the bundle.
    against
        What it was compared with.
    max_abs_error
        Largest absolute difference of any number, over all layers.
    mean_cosine
        Mean cosine between a vector of the last layer and its counterpart.
    worst_cosine
        The smallest of them.
    layer_errors
        Largest absolute difference of each hidden state: the embeddings, then every layer; of the last
        layer only for a foreign graph.
    pieces
        How many vectors of each layer were compared.
    closeness
        How close the word vectors of a text are; None where no text was given.
    """

    precision: Precision
    against: str
    max_abs_error: float
    mean_cosine: float
    worst_cosine: float
    layer_errors: tuple[float, ...]
    pieces: int
    closeness: Closeness | None = None


def verify_bundle(
    bundle: Bundle, *, against: str | Path | None = None, texts: Iterable[str] | None = None
) -> Verification:
    """Run a bundle on seeded ids and return its distance to a NumPy forward pass.

    Every hidden state is compared on sequences of several lengths, the embeddings on every position.

    Parameters
    ----------
    bundle
        The bundle; its checksums are checked first.
    against
        The checkpoint it was made of. None compares with the bundle's own weights, which shows errors of
        the graph but not what rounding the weights has cost.
    texts
        Texts whose word vectors are compared too, a thousand words at most.

    Raises
    ------
    BundleError
        When a file of the bundle is damaged.
    CheckpointError
        When `against` cannot be read.
    VerificationError
        When fp32 is off by more than 1e-5 anywhere, when the mean cosine falls below
        :data:`MIN_MEAN_COSINE`, when the two configurations differ, or when an imported graph comes
        without a checkpoint to compare it with.
    """
    bundle.verify()
    foreign = bundle.manifest.num_layers == 0
    if against is None:
        if foreign:
            msg = (
                f"The bundle {bundle.path} was imported from ONNX and holds no weights by name. "
                "Give the checkpoint it was exported from (against=..., on the command line --against)."
            )
            raise VerificationError(msg)
        config, tensors, name = bundle.config, bundle_tensors(bundle), "its own weights"
    else:
        checkpoint = Checkpoint.open(against)
        config, tensors = checkpoint.config, checkpoint.tensor
        name = f"the checkpoint {checkpoint.folder.resolve().name}"
        _check_same_shape(bundle, config)
    session = EncoderSession(bundle, SessionOptions(threads=os.cpu_count() or 1))
    tensors = cache(tensors)
    result = _compare(session, config, tensors, name, last_only=foreign)
    if texts is not None:
        result = replace(result, closeness=compare_words(session, config, tensors, texts))
    _check_bounds(result, bundle)
    return result


def _check_same_shape(bundle: Bundle, config: AlbertConfig) -> None:
    if bundle.manifest.num_layers == 0:
        pairs = {"hidden_size": (bundle.manifest.dimension, config.hidden_size)}
    else:
        ours, theirs = asdict(bundle.config), asdict(config)
        pairs = {key: (ours[key], theirs[key]) for key in ours}
    problems = [
        f"{key} is {ours} here and {theirs} in the checkpoint"
        for key, (ours, theirs) in pairs.items()
        if ours != theirs
    ]
    if problems:
        raise VerificationError(problem_list(f"The bundle {bundle.path}", problems))


def _compare(
    session: EncoderSession, config: AlbertConfig, tensors: Tensors, against: str, *, last_only: bool
) -> Verification:
    input_ids, mask = _sequences(config)
    expected = hidden_states(config, tensors, input_ids, mask)
    layers = [config.num_hidden_layers] if last_only else range(config.num_hidden_layers + 1)
    valid = mask == 1
    errors = []
    found = expected[-1]
    for layer in layers:
        one_layer = np.zeros(config.num_hidden_layers + 1, dtype=np.float32)
        one_layer[layer] = 1
        found = session.run(input_ids, mask, one_layer).astype(np.float64)
        errors.append(_largest(found[valid] - expected[layer][valid]))
    if not last_only:
        errors[0] = max(errors[0], _position_error(session, config, tensors))
    cosines = _cosines(found[valid], expected[-1][valid])
    return Verification(
        precision=session.bundle.manifest.precision,
        against=against,
        max_abs_error=max(errors),
        mean_cosine=float(cosines.mean()),
        worst_cosine=float(cosines.min()),
        layer_errors=tuple(errors),
        pieces=int(valid.sum()),
    )


def _sequences(config: AlbertConfig) -> tuple[Int64Array, Int64Array]:
    """Return right-padded ids of several lengths, and their mask."""
    lengths = [min(length, config.max_position_embeddings) for length in _LENGTHS]
    ids = np.random.default_rng(_SEED).integers(config.vocab_size, size=(len(lengths), max(lengths)))
    mask = (np.arange(max(lengths)) < np.array(lengths)[:, None]).astype(np.int64)
    return ids * mask, mask


def _position_error(session: EncoderSession, config: AlbertConfig, tensors: Tensors) -> float:
    """Compare the embeddings of one sequence that fills every position; no layer runs for them."""
    ids = np.random.default_rng(_SEED).integers(config.vocab_size, size=(1, config.max_position_embeddings))
    embeddings_only = np.zeros(config.num_hidden_layers + 1, dtype=np.float32)
    embeddings_only[0] = 1
    found = session.run(ids, np.ones_like(ids), embeddings_only)
    return _largest(found - embedding_output(config, tensors, ids))


def _largest(difference: Float64Array) -> float:
    """Return the largest absolute value; NaN where there is one."""
    return float(np.abs(difference).max())


def _cosines(found: Float64Array, expected: Float64Array) -> Float64Array:
    lengths = np.linalg.norm(found, axis=-1) * np.linalg.norm(expected, axis=-1)
    cosines: Float64Array = (found * expected).sum(axis=-1) / np.maximum(lengths, np.finfo(np.float64).tiny)
    return cosines


def _check_bounds(result: Verification, bundle: Bundle) -> None:
    """Raise where a bound is broken; NaN breaks every bound."""
    problems = []
    if result.precision == "fp32":
        problems += [
            f"hidden state {layer} is off by {error:.3g}, expected at most {MAX_ABS_ERROR:g}"
            for layer, error in enumerate(result.layer_errors)
            if not error <= MAX_ABS_ERROR
        ]
    least = MIN_MEAN_COSINE[result.precision]
    if not result.mean_cosine >= least:
        problems.append(
            f"the mean cosine to {result.against} is {result.mean_cosine:.6f}, "
            f"expected at least {least} in {result.precision}"
        )
    if problems:
        raise VerificationError(problem_list(f"The bundle {bundle.path}", problems))
