"""The requests that the process of a system answers, in this process."""

import io
import json

from sparkalbert.bench import child
from sparkalbert.bench.child import serve
from sparkalbert.errors import MissingDependencyError


def test_a_system_that_fails_is_reported_and_the_next_request_is_answered():
    requests = io.StringIO(
        '{"do": "run", "name": "nobody", "rows": [1]}\n{"do": "run", "name": "nobody", "rows": [1]}\n'
    )
    answers = io.StringIO()
    serve(requests, answers)
    assert [json.loads(line) for line in answers.getvalue().splitlines()] == [{"failed": "KeyError: 'nobody'"}] * 2


class Incomplete:
    """A system that needs a package only when it embeds, or already when it is loaded."""

    def __init__(self, *, at_once):
        self.at_once = at_once

    def load(self):
        if self.at_once:
            self.embed()
        return {}

    def warm_up(self):
        return None

    def take(self, rows):
        pass

    def embed(self):
        msg = "no torch"
        raise MissingDependencyError(msg)


def test_a_missing_package_skips_a_system_only_while_it_is_prepared(monkeypatch):
    monkeypatch.setattr(child, "_KINDS", {"incomplete": Incomplete})
    requests = [
        {"do": "prepare", "name": "early", "kind": "incomplete", "arguments": {"at_once": True}},
        {"do": "prepare", "name": "late", "kind": "incomplete", "arguments": {"at_once": False}},
        {"do": "run", "name": "late", "rows": [1]},
    ]
    answers = io.StringIO()
    serve(io.StringIO("".join(json.dumps(request) + "\n" for request in requests)), answers)
    early, late, failed = [json.loads(line) for line in answers.getvalue().splitlines()]
    assert early == {"skipped": "no torch"}
    assert late.pop("start_s") >= 0
    assert [late, failed] == [
        {"warm_up_vectors": None},
        {"failed": "MissingDependencyError: no torch"},
    ]
