"""The planner: exact work, scaled samples, one memory formula, and an estimate that a real run confirms."""

import json
import math
import time

import numpy as np
import pytest

from sparkalbert.bench.news_text import news_paragraphs
from sparkalbert.cli import run
from sparkalbert.config import AlbertConfig
from sparkalbert.convert import convert_checkpoint
from sparkalbert.convert.unrolled import convert_unrolled
from sparkalbert.errors import InputError, ParamError
from sparkalbert.inference import BatchingOptions, VectorOptions
from sparkalbert.inference.memory import plan_memory, worker_memory
from sparkalbert.inference.sequences import EncodedTexts, encode_texts
from sparkalbert.ml.job import plan as plan_module
from sparkalbert.ml.job.plan import PlanOptions, gflop_of, plan, spark_settings
from sparkalbert.ml.job.sample import TextSample
from sparkalbert.ml.stages import python_pass
from tests import tiny_bundle

QUICK = PlanOptions(calibration_s=0.0, cores=1, start_s=3.0)


def sequences(*lengths):
    return EncodedTexts([np.zeros(length, dtype=np.int64) for length in lengths], [1])


def test_work_is_that_of_every_matrix_product():
    config = AlbertConfig(
        embedding_size=4,
        hidden_size=8,
        num_hidden_layers=6,
        num_hidden_groups=2,
        inner_group_num=2,
        num_attention_heads=2,
        intermediate_size=32,
    )
    length = 5
    layer = 2 * length * (8 * 24 + 8 * 8 + 8 * 32 + 32 * 8)  # qkv, attention output, two of the FFN
    scores = 2 * (2 * length * length * 8)  # queries by keys, shares by values
    expected = 6 * 2 * (layer + scores) + 2 * length * 4 * 8
    assert gflop_of(config, sequences(length)) == pytest.approx(expected / 1e9)
    assert gflop_of(config, sequences(length, length)) == pytest.approx(2 * expected / 1e9)


def test_the_measurement_is_reported_after_each_part(monkeypatch):
    monkeypatch.setattr(plan_module, "_CHARACTERS_PER_PART", 10)
    texts = ["The river was high.", "The bank closed early on Friday.", "It rained."]
    reports = []
    options = PlanOptions(calibration_s=3600.0, cores=1)
    found = plan(tiny_bundle.bundle(), TextSample(texts, 3, 61), options, lambda *report: reports.append(report))
    spent_s = [spent for spent, _ in reports]
    assert len(reports) == 3
    assert spent_s == sorted(spent_s)
    assert reports[-1][1] == found["machine"]["pieces_per_s"]


def test_a_sample_is_scaled_to_all_of_it():
    bundle = tiny_bundle.bundle()
    texts = ["The river was high.", "The bank closed early on Friday."]
    characters = sum(map(len, texts))
    whole = plan(bundle, TextSample(texts, 2, characters), QUICK)
    assert whole["tokens"] == 5 + 7
    assert whole["windows"] == 2
    assert whole["pieces"] == encode_texts(bundle, texts).pieces
    assert whole["output_bytes"] == 12 * 32 * 4
    assert whole["tokens_per_row"]["longest"] == 7
    many = plan(bundle, TextSample(texts, 2000, 1000 * characters), QUICK)
    for name in ("tokens", "pieces", "windows", "gflop", "output_bytes"):
        assert many[name] == pytest.approx(1000 * whole[name]), name
    for found in (whole, many):
        machine = found["machine"]
        assert found["work_s"] == pytest.approx(found["gflop"] / machine["gflop_per_s"])
        assert found["start_s"] > QUICK.start_s, "the model is loaded too"
        assert found["expected_s"] == pytest.approx(found["start_s"] + found["work_s"])
        assert found["expected_s_100_cores"] == pytest.approx(found["start_s"] + found["work_s"] / 100)


def test_memory_is_what_the_stage_computes(monkeypatch):
    """A worker gets what worker_memory() returns, which is enough as a memoryBudgetMb."""
    monkeypatch.setattr(python_pass, "JOINS_STAGES", True)
    small, large = tiny_bundle.bundle(), tiny_bundle.bundle(intermediate_size=4096, hidden_size=512)
    for bundle in (small, large):
        total = worker_memory(bundle, VectorOptions(), BatchingOptions()).total
        found = plan(bundle, TextSample(["A river."], 1, 8), QUICK)
        assert found["worker_bytes"] == total
        overhead = found["spark"]["spark.executor.memoryOverhead"]
        spare = int(overhead.removesuffix("m")) * 2**20 - 4 * total
        assert 512 * 2**20 <= spare < 768 * 2**20, "four workers, and the JVM's own part, rounded up to 256 MiB"
        plan_memory(bundle, VectorOptions(), BatchingOptions(), math.ceil(total / 1e6))


def test_before_spark_4_1_each_stage_has_a_worker_of_its_own(monkeypatch):
    bundle = tiny_bundle.bundle()

    def overhead_mib():
        return int(spark_settings(bundle, 30, 4)["spark.executor.memoryOverhead"].removesuffix("m"))

    monkeypatch.setattr(python_pass, "JOINS_STAGES", True)
    joined = overhead_mib()
    monkeypatch.setattr(python_pass, "JOINS_STAGES", False)
    annotators_mib = 4 * 480_000_000 / 2**20
    assert abs(overhead_mib() - joined - annotators_mib) < 256, "each is rounded up to 256 MiB"


def test_every_core_has_a_task_and_no_task_takes_long():
    bundle = tiny_bundle.bundle()
    assert spark_settings(bundle, 30, 1)["--partitions"] == "1"
    assert spark_settings(bundle, 30, 4)["--partitions"] == "4"
    assert spark_settings(bundle, 3600, 4)["--partitions"] == "60"


def test_a_beginning_without_words_is_not_the_end_of_the_calibration():
    texts = [" " * 9000, "The river was high."]
    found = plan(tiny_bundle.bundle(), TextSample(texts, 2, sum(map(len, texts))), QUICK)
    assert found["machine"]["gflop_per_s"] > 0
    assert found["tokens"] == 5


@pytest.mark.parametrize("text", [" ", "\u200b"])
def test_texts_without_words_cannot_be_planned(text):
    with pytest.raises(InputError, match="no words"):
        plan(tiny_bundle.bundle(), TextSample([text], 1, 1), QUICK)


def test_an_imported_graph_cannot_be_planned(tmp_path):
    foreign = convert_unrolled(tiny_bundle.checkpoint(), tmp_path / "foreign")
    with pytest.raises(ParamError, match="imported graph"):
        plan(foreign, TextSample(["A river."], 1, 8), QUICK)


def test_the_command_reads_with_spark_and_shows_everything(spark, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    (tmp_path / "in.txt").write_text("The river was high.\n\nThe bank closed.\n", encoding="utf-8")
    words = ["plan", str(tmp_path / "in.txt"), "--model", str(tiny_bundle.bundle().path), "--seconds", "0"]
    assert run([*words, "--json", str(tmp_path / "plan.json")]) == 0
    shown = capsys.readouterr().out
    for word in (
        "tokens",
        "pieces",
        "windows",
        "GFLOP",
        "100 such cores",
        "Python worker",
        "memoryOverhead",
        "--partitions",
    ):
        assert word in shown
    found = json.loads((tmp_path / "plan.json").read_text())
    assert (found["rows"], found["tokens"]) == (3, 9)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_real_run_takes_what_was_planned(spark, tmp_path, precision):
    """Within a factor of two, from a tenth of the rows; the model is loaded and the workers are warm."""
    from sparkalbert.ml import AlbertEmbeddings
    from sparkalbert.ml.bench.rows import cached_rows
    from sparkalbert.ml.job.sample import sample_texts
    from sparkalbert.ml.job.text_pipeline import text_pipeline
    from tests.full_shapes import BASE

    checkpoint = tiny_bundle.checkpoint(**BASE)
    bundle = convert_checkpoint(checkpoint, tmp_path / "bundle", precision=precision)
    texts = news_paragraphs(6000)
    rows = cached_rows(spark, texts, 2)
    found = plan(bundle, sample_texts(rows, "text", len(texts) // 10), PlanOptions(10.0, 2))
    out = text_pipeline(AlbertEmbeddings.pretrained(str(bundle.path))).fit(rows).transform(rows)
    out.limit(2).write.format("noop").mode("overwrite").save()
    started_s = time.perf_counter()
    out.write.format("noop").mode("overwrite").save()
    seconds = time.perf_counter() - started_s
    print(f"\n{precision}: planned {found['work_s']:.1f} s, took {seconds:.1f} s")
    assert found["work_s"] / 2 < seconds < 2 * found["work_s"]
