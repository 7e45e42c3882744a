"""``sparkalbert bench``: how fast, compared with what, and how that was measured.

Ratios, never promises in seconds. Everything in a run shares one machine, one text and one set of weights:

1. *The same work.* All contenders embed the same rows, those on Spark in the same partitions
   (:mod:`~sparkalbert.ml.bench.rows`). Words and pieces a second divide the words and pieces of the text,
   as sparkalbert counts them, by seconds, whoever embeds it. In the built-in text no sentence occurs twice
   (:mod:`~sparkalbert.bench.news_text`); of a given text the record tells the repeated share, which
   sparkalbert may compute once. The weights are one checkpoint's, converted for each contender
   (:mod:`~sparkalbert.bench.materials`).
2. *A process for each contender* (:mod:`~sparkalbert.bench.child`), all of them alive during the whole run
   and idle while another works: what one leaves in memory or in a thread pool cannot reach another.
   pipeline-noop and pipeline-parquet share one.
3. *Warm-up first*, before every timed run: models are loaded, workers woken, code compiled. Loading has a
   column of its own.
4. *Alternation* (:mod:`~sparkalbert.bench.rounds`): a round runs every contender once, the next one in the
   opposite order, so that drift of the machine hits all alike. The median of the rounds counts, and the
   record keeps every round.
5. *The limit* is bare ONNX Runtime on pieces encoded beforehand, in its best split of cores and size of calls
   (:mod:`~sparkalbert.bench.bare`), on the faster of two graphs of the same weights: our loop and a plain
   unrolled one. A pipeline is measured against it from the text column to the last vector.
6. *Where the time went* comes from the workers themselves (:mod:`~sparkalbert.stage_times`): shares of all
   cores' time in the last round. ``rest`` is Spark, the JVM and waiting.
7. *Memory* is the largest resident size the kernel has seen of the process where vectors are made: the
   Python worker, the JVM for Spark NLP.

The features of the CPU stand beside every figure: int8 depends on them most.
"""

# Nothing is imported here: the processes of other environments import this package too.
__all__: list[str] = []
