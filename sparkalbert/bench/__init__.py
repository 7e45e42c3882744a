"""Measures how fast sparkalbert is and compares it with other systems (``sparkalbert bench``).

Figures are ratios between systems that ran side by side. Everything in a run shares one machine, one text and one
set of weights:

1. *The same work.* All systems embed the first rows of the same text, those on Spark in the same partitions
   (:mod:`~sparkalbert.ml.bench.rows`). Words and pieces per second are the words and pieces of these rows, as
   sparkalbert counts them, divided by seconds, whichever system embeds them. In the built-in text no sentence occurs
   twice (:mod:`~sparkalbert.bench.news_text`). For a given text the record states the share of repeated sentences,
   which sparkalbert may compute once. The weights come from one checkpoint, converted for each system
   (:mod:`~sparkalbert.bench.materials`).
2. *One process per system* (:mod:`~sparkalbert.bench.child`). Those of one precision live at the same time and are idle
   while another one works, so nothing that a system leaves in memory or in a thread pool affects another.
   pipeline-noop and pipeline-parquet share a process. Precisions run one after the other.
3. *Slices* (:mod:`~sparkalbert.bench.rounds`). A round gives each system at least 30 s, in up to six slices of about
   6 s. A slice of a slower model is longer, so that its small job (point 4) has at least eight rows per core; if that
   takes more than the round, one job fills the round, or embeds eight rows per core. A short text gives shorter slices.
   Before and after every slice the reference, bare ONNX Runtime, runs a slice of its own. A ratio is that of a slice to
   the mean of the two beside it (:mod:`~sparkalbert.bench.rates`), so load that comes and goes affects both. The value
   of a round is the median of its slices; the median of the rounds counts, with the lowest and the highest round beside
   it. The record keeps every slice. A system that fails takes no further part, and the others continue.
4. *Steady state.* A slice is two jobs, one with a quarter of the rows of the other. The steady rate is that of their
   difference, so the fixed start of a job is not in it; that start is reported as ``job_s``. A slice in which the large
   job was not slower than the small one is left out and counted. Where a small job would have fewer than eight rows per
   core there is none, and the start is a part of the rate. ``start_s`` is the start of a system: session, workers,
   model and first batch, but not the start of Python and its imports. Then each system runs for the length of a round
   without being measured, because a JVM spends a tenth of the CPU time of its first half minute on compiling. A warm-up
   of a few rows precedes every slice.
5. *CPU seconds* (:mod:`~sparkalbert.bench.processes`) of a system are user and system time of its process and of
   everything that it started. Pieces per CPU second depend least on other load. What other processes took while a
   system ran is reported in cores. On a loaded machine trust the ratios per CPU second, or measure again.
6. *The limit* is bare ONNX Runtime on pieces that were encoded and arranged in batches beforehand, with the best
   division of cores, the best batch size (:mod:`~sparkalbert.bench.bare`), and the faster of two graphs of the same
   weights: our loop and a plain unrolled one. A pipeline is measured against it from the text column to the last
   vector. The limit is the best of the settings that were tried, so a round may be above 1 by chance. If even the
   lowest round is, this is reported: measure again, or choose the settings of bare ONNX Runtime. In a text with
   repeated sentences a ratio may rightly exceed 1, because bare ONNX Runtime embeds all of them: it is reported from
   1 / (1 - share of repeated pieces) on.
7. *The lone product* is the limit of the CPU, not of the runtime: ONNX Runtime multiplies matrices of the shapes of the
   model's layers and does nothing else (:mod:`~sparkalbert.convert.lone_product`). ``of_product`` is the share per CPU
   second.
8. *Like with like.* A system is compared with the limit, the lone product and Spark NLP in its own precision: int8 with
   int8, fp32 with fp32. Spark NLP is compared twice, with its defaults and with the fastest of its settings.
9. *Where the time went* is reported by the workers themselves (:mod:`~sparkalbert.timings`): shares of the time of
   all cores in the last slice. ``rest`` is Spark, the JVM and waiting.
10. *Memory* is the largest resident size, in MB (1,000,000 bytes), of the process that computes the vectors: the
    Python worker, or the JVM for Spark NLP.

The features of the CPU are next to every figure, because int8 depends on them most.
"""

# Nothing is imported here, because processes of other environments import this package too.
__all__: list[str] = []
