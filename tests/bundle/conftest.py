"""Folders and bundles for the tests of bundles; tests/models uses them too."""

import shutil

import pytest

from sparkalbert.bundle import Bundle
from tests import tiny_bundle


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty SPARKALBERT_HOME for each test."""
    folder = tmp_path / "home"
    monkeypatch.setenv("SPARKALBERT_HOME", str(folder))
    return folder


@pytest.fixture
def tiny(tmp_path):
    """A copy of a real tiny bundle, which a test may damage."""
    return Bundle.open(shutil.copytree(tiny_bundle.bundle().path, tmp_path / "tiny"))
