"""Which layers make a vector, as the weights the graph takes.

It knows layer numbers only.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sparkalbert.errors import ParamError

__all__ = ["layer_weights"]


def layer_weights(layers: Sequence[int], num_layers: int) -> npt.NDArray[np.float32]:
    """Return the weights of the mean of some layers.

    Parameters
    ----------
    layers
        Indices into Hugging Face's ``hidden_states``: 0 is the embedding, ``i`` the output of the
        ``i``-th layer, negative ones count from the last. ``[-1]`` is the last layer,
        ``[-4, -3, -2, -1]`` the mean of the last four. Layers after the highest one are not computed.
    num_layers
        Layers of the model; 0 for a foreign graph, which has its last layer only.

    Returns
    -------
    ndarray
        float32 ``[num_layers + 1]``.

    Raises
    ------
    ParamError
        When a layer does not exist, is named twice, or none is named.

    Examples
    --------
    >>> layer_weights([-1], 3).tolist()
    [0.0, 0.0, 0.0, 1.0]
    >>> layer_weights([1, -1], 3).tolist()
    [0.0, 0.5, 0.0, 0.5]
    """
    if num_layers == 0 and list(layers) != [-1]:
        msg = f"layers is {list(layers)}, but this imported graph gives its last layer only: expected [-1]."
        raise ParamError(msg)
    count = num_layers + 1
    chosen = [layer + count if layer < 0 else layer for layer in layers]
    wrong = [layer for layer, index in zip(layers, chosen, strict=True) if not 0 <= index < count]
    if wrong or not chosen or len(set(chosen)) < len(chosen):
        msg = (
            f"layers is {list(layers)}, expected one or more different indices from {-count} to {num_layers} "
            f"(0 is the embedding, {num_layers} or -1 the last layer)."
        )
        raise ParamError(msg)
    weights = np.zeros(count, dtype=np.float32)
    weights[chosen] = 1 / len(chosen)
    return weights
