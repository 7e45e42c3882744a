"""The commit that a branch meant is recorded."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sparkalbert.errors import OutputError
from sparkalbert.models import repositories
from sparkalbert.models.names import HubModel


class TestRecordOfACommit:
    MODEL = HubModel("albert", "acme/albert")
    COMMIT = "c0ffee" + "0" * 34

    def test_two_threads_write_it(self, monkeypatch):
        barrier, write_text = threading.Barrier(2), Path.write_text

        def write_together(path, *arguments, **options):
            write_text(path, *arguments, **options)
            barrier.wait(60)

        monkeypatch.setattr(Path, "write_text", write_together)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(repositories._record_commit, [self.MODEL] * 2, [self.COMMIT] * 2))
        assert repositories._commit_of(self.MODEL) == self.COMMIT

    def test_a_cache_without_room(self, home):
        home.mkdir()
        (home / "refs").write_text("a file in its place")
        with pytest.raises(
            OutputError, match=r"refs/acme--albert@main cannot be written \(.*\)\. Free space there, or"
        ):
            repositories._record_commit(self.MODEL, self.COMMIT)
