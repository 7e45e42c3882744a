"""Compares a bundle's graph with an independent forward pass over its weights.

The graph runs as it does for users, through :mod:`sparkalbert.inference`. The reference is
:mod:`sparkalbert.convert.verify.forward`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Final

import numpy as np

from sparkalbert.arrays import Float32Array, Float64Array, Int64Array
from sparkalbert.bundle import Bundle, Precision
from sparkalbert.config import AlbertConfig
from sparkalbert.convert.checkpoint.folder import Checkpoint
from sparkalbert.convert.conversion import Report
from sparkalbert.convert.verify.bundle_weights import bundle_tensors
from sparkalbert.convert.verify.closeness import Closeness, compare_words, encode_words
from sparkalbert.convert.verify.forward import Tensors, embedding_output, hidden_states
from sparkalbert.convert.verify.work import Work, comparison_work
from sparkalbert.errors import VerificationError, problem_list
from sparkalbert.inference.session import EncoderSession, SessionOptions
from sparkalbert.machine import available_cores
from sparkalbert.vectors import unit_vectors

__all__ = ["MAX_RELATIVE_ERROR", "MIN_MEAN_COSINE", "Verification", "verify_bundle"]

MAX_RELATIVE_ERROR: Final = 1e-5
"""Largest relative error allowed for any vector of any layer in fp32: the norm of the error by that of the vector.

float32 keeps seven digits of each number, so an absolute bound would depend on the magnitude of the numbers: vectors of
trained checkpoints have single numbers above 100. Measured: 1.5e-6 on random weights of the xlarge shape (24
layers), 0.9e-6 of the base shape, 1.1e-6 on ``albert_mini_en``.
"""

MIN_MEAN_COSINE: Final = {"fp32": 0.999999, "fp16": 0.999, "int8": 0.97}
"""Smallest mean cosine allowed for the last layer. Random weights of the xlarge shape reach 0.998 in int8."""

_LENGTHS: Final = (1, 7, 20)
_SEED: Final = 20_191


@dataclass(frozen=True)
class Verification:
    """The distance of a bundle's hidden states, without padding, to those of a reference.

    Attributes
    ----------
    precision
        Number format of the bundle.
    against
        A description of the reference.
    max_abs_error
        Largest absolute difference over all layers.
    mean_cosine
        Mean cosine between the vectors of the last layer and those of the reference.
    worst_cosine
        The smallest of these cosines.
    layer_errors
        Largest absolute difference of each hidden state, the embeddings first; for an imported graph that of
        the last layer only.
    relative_errors
        Largest relative error of a vector of each hidden state, see :data:`MAX_RELATIVE_ERROR`.
    pieces
        Number of vectors per layer that were compared.
    closeness
        Closeness of the word vectors of a text; None if no text was given.
    """

    precision: Precision
    against: str
    max_abs_error: float
    mean_cosine: float
    worst_cosine: float
    layer_errors: tuple[float, ...]
    relative_errors: tuple[float, ...]
    pieces: int
    closeness: Closeness | None = None


def verify_bundle(
    bundle: Bundle,
    *,
    against: str | Path | None = None,
    texts: Iterable[str] | None = None,
    report: Report | None = None,
) -> Verification:
    """Run a bundle on random ids and return its distance to a NumPy forward pass.

    Every hidden state is compared on sequences of several lengths, and the embeddings on every position.

    Parameters
    ----------
    bundle
        The bundle; its checksums are checked first.
    against
        The checkpoint that it was made from. With None the reference uses the bundle's own weights, which
        shows errors of the graph, but not the loss by rounding the weights.
    texts
        Texts whose word vectors are compared too, up to a thousand words.
    report
        Called with the number of vectors computed so far, and their total.

    Raises
    ------
    BundleError
        If a file of the bundle is damaged.
    CheckpointError
        If `against` cannot be read.
    VerificationError
        If a relative error exceeds :data:`MAX_RELATIVE_ERROR` in fp32, the mean cosine is below
        :data:`MIN_MEAN_COSINE`, numbers are not finite, the two configurations differ, or an imported graph is
        verified without a checkpoint.
    """
    bundle = bundle.verify()
    is_imported = bundle.manifest.num_layers == 0
    if against is None:
        if is_imported:
            msg = (
                f"The bundle {bundle.path} was imported from ONNX, so its weights have no known names. "
                "Pass the checkpoint that it was exported from (against=..., on the command line --against)."
            )
            raise VerificationError(msg)
        config, tensors, name = bundle.config, bundle_tensors(bundle), "its own weights"
    else:
        checkpoint = Checkpoint.open(against)
        config, tensors = checkpoint.config, checkpoint.tensor
        name = f"the checkpoint {checkpoint.folder.resolve().name}"
        _check_same_shape(bundle, config)
    session = EncoderSession(bundle, SessionOptions(threads=available_cores()))
    tensors = cache(tensors)
    words = None if texts is None else encode_words(session, config, texts)
    layers = [config.num_hidden_layers] if is_imported else range(config.num_hidden_layers + 1)
    ids, mask = _sequences(config)
    total = comparison_work(int(mask.sum()), config.num_hidden_layers, layers)
    work = Work(report, total + (0 if words is None else words.work))
    result = _compare(session, config, tensors, name, ids, mask, layers, work)
    if words is not None:
        result = replace(result, closeness=compare_words(session, config, tensors, words, work))
    _check_bounds(result, bundle)
    return result


def _check_same_shape(bundle: Bundle, config: AlbertConfig) -> None:
    if bundle.manifest.num_layers == 0:
        pairs = {"hidden_size": (bundle.manifest.dimension, config.hidden_size)}
    else:
        of_bundle, of_checkpoint = asdict(bundle.config), asdict(config)
        pairs = {key: (of_bundle[key], of_checkpoint[key]) for key in of_bundle}
    problems = [
        f"{key} is {value}, but {expected} in the checkpoint"
        for key, (value, expected) in pairs.items()
        if value != expected
    ]
    if problems:
        raise VerificationError(problem_list(f"The bundle {bundle.path}", problems))


def _compare(  # noqa: PLR0913, PLR0917 - a part of verify_bundle
    session: EncoderSession,
    config: AlbertConfig,
    tensors: Tensors,
    against: str,
    input_ids: Int64Array,
    mask: Int64Array,
    layers: Sequence[int],
    work: Work,
) -> Verification:
    valid = mask == 1
    pieces = int(valid.sum())
    expected = hidden_states(config, tensors, input_ids, mask, partial(work.add, pieces))
    errors = []
    states = expected[-1]
    for layer in layers:
        one_layer = np.zeros(config.num_hidden_layers + 1, dtype=np.float32)
        one_layer[layer] = 1
        states = _computed(session, input_ids, mask, one_layer)
        errors.append(_errors(states[valid], expected[layer][valid]))
        work.add(pieces * layer)
    if layers[0] == 0:
        errors[0] = np.maximum(errors[0], _position_errors(session, config, tensors))
    absolute, relative = np.array(errors).T
    cosines = (unit_vectors(states[valid]) * unit_vectors(expected[-1][valid])).sum(axis=-1)
    return Verification(
        precision=session.bundle.manifest.precision,
        against=against,
        max_abs_error=float(absolute.max()),
        mean_cosine=float(cosines.mean()),
        worst_cosine=float(cosines.min()),
        layer_errors=tuple(absolute.tolist()),
        relative_errors=tuple(relative.tolist()),
        pieces=pieces,
    )


def _computed(session: EncoderSession, ids: Int64Array, mask: Int64Array, layer_weights: Float32Array) -> Float64Array:
    """Run sequences as users do: in one batch, or each alone if the graph is not batch invariant.

    Returns
    -------
    ndarray
        float64 ``[batch, pieces, hidden]``; rows of padding are undefined.
    """
    if session.bundle.manifest.batch_invariant:
        return session.run(ids, mask, layer_weights).astype(np.float64)
    states = np.zeros((*ids.shape, session.bundle.manifest.dimension))
    for row, length in enumerate(mask.sum(axis=1)):
        states[row, :length] = session.run(ids[row : row + 1, :length], mask[row : row + 1, :length], layer_weights)[0]
    return states


def _sequences(config: AlbertConfig) -> tuple[Int64Array, Int64Array]:
    """Return right-padded ids of several lengths, and their mask."""
    lengths = [min(length, config.max_position_embeddings) for length in _LENGTHS]
    ids = np.random.default_rng(_SEED).integers(config.vocab_size, size=(len(lengths), max(lengths)))
    mask = (np.arange(max(lengths)) < np.array(lengths)[:, None]).astype(np.int64)
    return ids * mask, mask


def _position_errors(session: EncoderSession, config: AlbertConfig, tensors: Tensors) -> Float64Array:
    """Compare the embeddings of a sequence that fills every position; no layer has to run for them."""
    ids = np.random.default_rng(_SEED).integers(config.vocab_size, size=(1, config.max_position_embeddings))
    embeddings_only = np.zeros(config.num_hidden_layers + 1, dtype=np.float32)
    embeddings_only[0] = 1
    embedded = session.run(ids, np.ones_like(ids), embeddings_only)
    return _errors(embedded[0].astype(np.float64), embedding_output(config, tensors, ids)[0])


def _errors(found: Float64Array, expected: Float64Array) -> Float64Array:
    """Return the largest absolute error of a number and the largest relative one of a vector; NaN is not skipped."""
    differences = found - expected
    norms = np.maximum(np.linalg.norm(expected, axis=-1), np.finfo(np.float32).tiny)
    return np.array([np.abs(differences).max(), (np.linalg.norm(differences, axis=-1) / norms).max()])


def _check_bounds(result: Verification, bundle: Bundle) -> None:
    """Raise if a bound is broken; NaN breaks every bound."""
    problems = []
    if result.precision == "fp32":
        states = [f"hidden state {layer}" for layer in range(len(result.relative_errors))]
        if bundle.manifest.num_layers == 0:
            states = ["the last layer"]
        problems += [
            f"{state} has a relative error of {error:.3g}, expected at most {MAX_RELATIVE_ERROR:g}"
            for state, error in zip(states, result.relative_errors, strict=True)
            if not error <= MAX_RELATIVE_ERROR
        ]
    elif not np.isfinite(result.max_abs_error):
        problems.append("its hidden states hold NaN or infinity")
    min_cosine = MIN_MEAN_COSINE[result.precision]
    if not result.mean_cosine >= min_cosine:
        problems.append(
            f"the mean cosine to {result.against} is {result.mean_cosine:.6f}, "
            f"expected at least {min_cosine} in {result.precision}"
        )
    if problems:
        raise VerificationError(problem_list(f"The bundle {bundle.path}", problems))
