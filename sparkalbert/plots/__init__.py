"""Pictures of vectors, lengths and speed as matplotlib figures, and a page to explore vectors in a browser.

The functions take word vectors in any form in which sparkalbert returns them: an :class:`~sparkalbert.EmbeddedText` or
a list of them, a pandas or Spark DataFrame, an Arrow table; see :func:`sparkalbert.plots.words.read_words`. They return
a figure, which a notebook shows and ``figure.savefig("name.png")`` saves. Requires matplotlib (extra ``plot``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkalbert.lazy import lazy_attributes

if TYPE_CHECKING:
    from sparkalbert.plots.lengths import length_histogram
    from sparkalbert.plots.page import explorer_page
    from sparkalbert.plots.projection import token_projection
    from sparkalbert.plots.similarity import layer_similarity, similarity_heatmap, word_neighbours
    from sparkalbert.plots.speed import throughput

__all__ = [
    "explorer_page",
    "layer_similarity",
    "length_histogram",
    "similarity_heatmap",
    "throughput",
    "token_projection",
    "word_neighbours",
]

__getattr__, __dir__ = lazy_attributes(
    __name__,
    {
        "explorer_page": "sparkalbert.plots.page",
        "layer_similarity": "sparkalbert.plots.similarity",
        "length_histogram": "sparkalbert.plots.lengths",
        "similarity_heatmap": "sparkalbert.plots.similarity",
        "throughput": "sparkalbert.plots.speed",
        "token_projection": "sparkalbert.plots.projection",
        "word_neighbours": "sparkalbert.plots.similarity",
    },
)
