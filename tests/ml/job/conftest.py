"""The stage and the texts of a small batch job."""

import json

import pytest

from sparkalbert import AlbertEmbeddings
from tests import tiny_bundle
from tests.ml.job.rows import ROWS


@pytest.fixture
def stage():
    return AlbertEmbeddings.pretrained(str(tiny_bundle.bundle().path))


@pytest.fixture
def texts(tmp_path):
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return path
