"""How a memory budget is shared out, and what is said where it cannot be."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkalbert.bundle import Bundle
from sparkalbert.bundle.manifest import FileRecord
from sparkalbert.config import AlbertConfig
from sparkalbert.errors import ParamError
from sparkalbert.inference import BatchingOptions, VectorOptions, VectorSizes, plan_memory
from tests import tiny_bundle
from tests.full_shapes import XLARGE

MB = 1 << 20
FP32_WEIGHTS = 218_120_192


def bundle_of(weights, precision="fp32", **shape):
    """A bundle of a large shape, without its files: only sizes are asked for."""
    manifest = tiny_bundle.bundle().manifest
    files = {**manifest.files, "model.onnx.data": FileRecord(weights, "0" * 64)}
    config = AlbertConfig(**{**XLARGE, **shape})
    bundle = Bundle(
        tiny_bundle.bundle().path,
        replace(manifest, files=files, precision=precision, dimension=config.hidden_size, name="large"),
    )
    vars(bundle)["config"] = config
    return bundle


def test_without_a_budget_sizes_are_the_fastest():
    plan = plan_memory(tiny_bundle.bundle(), VectorOptions(), BatchingOptions(), None)
    assert plan.sizes == VectorSizes(32 * MB, 16 * MB, None)
    assert plan.batching == BatchingOptions(512)


def test_a_large_budget_changes_nothing_but_bounds_a_row():
    plan = plan_memory(bundle_of(FP32_WEIGHTS), VectorOptions(), BatchingOptions(), 2000)
    assert plan.batching == BatchingOptions(256)
    assert plan.sizes.window_bytes == 32 * MB
    assert plan.sizes.output_bytes == 16 * MB
    assert plan.sizes.row_bytes > 1000 * MB


def test_a_small_budget_makes_windows_then_calls_smaller():
    plans = [
        plan_memory(bundle_of(20 * MB, "int8"), VectorOptions(), BatchingOptions(512), budget)
        for budget in (1000, 500, 400, 320, 304)
    ]
    windows = [plan.sizes.window_bytes for plan in plans]
    calls = [plan.batching.pieces_per_call for plan in plans]
    assert windows[0] == 32 * MB
    assert windows[-1] < 3 * MB
    assert calls == sorted(calls, reverse=True)
    assert (calls[0], calls[-1]) == (512, 128)


@given(
    budget=st.integers(1, 3000),
    weights=st.integers(1 * MB, 900 * MB),
    pieces=st.none() | st.integers(1, 4096),
    longest=st.integers(3, 512),
)
def test_the_sum_keeps_within_the_budget(budget, weights, pieces, longest):
    bundle = bundle_of(weights)
    try:
        plan = plan_memory(
            bundle, VectorOptions(max_sentence_length=longest), BatchingOptions(pieces), budget
        )
    except ParamError as error:
        needed = int(re.search(r"needs (\d+):", str(error)).group(1))
        assert needed > budget
        return
    call = max(plan.batching.pieces_per_call, longest) * 4 * (16 * 2048 + 2 * 8192 + 16 * longest)
    held = max(3 * plan.sizes.window_bytes + plan.sizes.row_bytes, 4 * plan.sizes.window_bytes)
    assert 250 * MB + weights + max(weights, call + held) <= budget * MB
    assert plan.sizes.output_bytes <= plan.sizes.window_bytes


@pytest.mark.parametrize("weights_mb", [10, 300])
def test_the_least_budget_that_is_named_is_enough(weights_mb):
    bundle = bundle_of(weights_mb * MB)
    with pytest.raises(ParamError) as refused:
        plan_memory(bundle, VectorOptions(), BatchingOptions(), 100)
    least = int(re.search(r"needs (\d+):", str(refused.value)).group(1))
    plan_memory(bundle, VectorOptions(), BatchingOptions(), least)
    with pytest.raises(ParamError):
        plan_memory(bundle, VectorOptions(), BatchingOptions(), least - 1)


def test_the_refusal_spells_the_sum_out():
    with pytest.raises(ParamError) as refused:
        plan_memory(bundle_of(FP32_WEIGHTS), VectorOptions(), BatchingOptions(), 400)
    assert str(refused.value) == (
        "memoryBudgetMb is 400, but a worker of model 'large' (fp32) needs 667: 250 for the process and a "
        "batch of rows, 209 for the weights, and the larger of 209 to load them and 25 + 8 for a call of 128 "
        "pieces and for vectors. Give it as much, or take a model that is smaller or in int8."
    )
