from importlib.util import find_spec

import pytest

needs_torch = [
    pytest.mark.reference,
    pytest.mark.skipif(
        find_spec("torch") is None or find_spec("transformers") is None,
        reason="needs torch and transformers (extra distill)",
    ),
]


@pytest.fixture(scope="session")
def teacher_folder(tmp_path_factory):
    from tests.distill import tiny_teacher

    return tiny_teacher.write(tmp_path_factory.mktemp("teacher"))
