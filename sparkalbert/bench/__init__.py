"""``sparkalbert bench``: how fast this is, compared with what, and how that is measured.

Figures are ratios between systems that ran side by side. Everything in a run shares one machine, one text and one
set of weights:

1. *The same work.* All systems embed the same rows, those on Spark in the same partitions
   (:mod:`~sparkalbert.ml.bench.rows`). Words and pieces per second are the words and pieces of the text, as
   sparkalbert counts them, divided by seconds, whichever system embeds it. In the built-in text no sentence occurs
   twice (:mod:`~sparkalbert.bench.news_text`). For a given text the record states the share of repeated sentences,
   which sparkalbert may compute once. The weights come from one checkpoint, converted for each system
   (:mod:`~sparkalbert.bench.materials`).
2. *One process per system* (:mod:`~sparkalbert.bench.child`). All of them live during the whole run and are idle
   while another one works, so nothing that a system leaves in memory or in a thread pool affects another.
   pipeline-noop and pipeline-parquet share a process.
3. *A warm-up* before every timed run: models are loaded, workers started, code compiled. The time to load a model
   has its own column.
4. *Alternation* (:mod:`~sparkalbert.bench.rounds`): a round runs every system once, and the next round in the
   opposite order, so that drift of the machine affects all systems alike. The median of the rounds counts, and the
   record keeps every round.
5. *The limit* is bare ONNX Runtime on pieces that were encoded beforehand, with the best division of cores and the
   best batch size (:mod:`~sparkalbert.bench.bare`), on the faster of two graphs of the same weights: our loop and a
   plain unrolled one. A pipeline is measured against it from the text column to the last vector.
6. *Like with like.* A system is compared with the limit and with Spark NLP in its own precision: int8 with int8,
   fp32 with fp32. Spark NLP is compared twice, with its defaults and with the fastest of its settings.
7. *Where the time went* is reported by the workers themselves (:mod:`~sparkalbert.timings`): shares of the time of
   all cores in the last round. ``rest`` is Spark, the JVM and waiting.
8. *Memory* is the largest resident size, in MB (1,000,000 bytes), of the process that computes the vectors: the
   Python worker, or the JVM for Spark NLP.

The features of the CPU are next to every figure, because int8 depends on them most.
"""

# Nothing is imported here, because processes of other environments import this package too.
__all__: list[str] = []
