import json

import pytest

from sparkalbert.distill.work import claim_folder, files_digest, text_digest, whole_file
from sparkalbert.errors import OutputError

INPUTS = {"teacher": "a", "corpus": "b"}


def test_a_new_or_empty_folder_records_the_inputs(tmp_path):
    for folder in (tmp_path / "new", tmp_path):
        work = claim_folder(folder, INPUTS)
        assert work == folder / "work"
        assert json.loads((work / "inputs.json").read_text()) == INPUTS
        (folder / "made").write_text("")
        assert claim_folder(folder, INPUTS) == work
        (folder / "made").unlink()
        (work / "inputs.json").unlink()


def test_other_inputs_are_refused_by_name(tmp_path):
    claim_folder(tmp_path, INPUTS)
    (tmp_path / "spiece.model").write_text("")
    with pytest.raises(OutputError, match=r"holds a training with other inputs \(corpus, teacher\)"):
        claim_folder(tmp_path, {"teacher": "x", "corpus": "y"})
    assert claim_folder(tmp_path, INPUTS) == tmp_path / "work"


def test_a_folder_in_which_nothing_was_made_can_have_other_inputs(tmp_path):
    """An error before the first result must not make the folder useless."""
    claim_folder(tmp_path, INPUTS)
    other = {**INPUTS, "corpus": "c"}
    assert json.loads((claim_folder(tmp_path, other) / "inputs.json").read_text()) == other


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "model.safetensors").write_text("mine")
    with pytest.raises(OutputError, match="already exists and is not the output of a training"):
        claim_folder(tmp_path, INPUTS)
    with pytest.raises(OutputError, match="already exists and is not the output of a training"):
        claim_folder(tmp_path / "model.safetensors", INPUTS)
    assert (tmp_path / "model.safetensors").read_text() == "mine"


@pytest.mark.parametrize("content", ["", "{", "[" * 100_000, "[]"])
def test_a_damaged_record_is_refused(tmp_path, content):
    work = claim_folder(tmp_path, INPUTS)
    (tmp_path / "spiece.model").write_text("")
    (work / "inputs.json").write_text(content)
    with pytest.raises(OutputError):
        claim_folder(tmp_path, INPUTS)


def test_a_file_appears_complete_or_not_at_all(tmp_path):
    path = tmp_path / "file.npy"
    unfinished = path.with_name(".unfinished-file.npy")
    unfinished.write_text("half")  # as after a process that was killed
    assert not path.exists()
    with whole_file(path) as unfinished:
        assert unfinished.suffix == ".npy"
        unfinished.write_text("whole")
    assert [item.name for item in tmp_path.iterdir()] == ["file.npy"]
    assert path.read_text() == "whole"


def test_digests_depend_on_every_byte_and_name(tmp_path):
    assert text_digest(["ab", "c"]) == text_digest(iter(["ab", "c"]))
    assert len({text_digest(texts) for texts in (["ab", "c"], ["a", "bc"], ["c", "ab"], ["abc"], ["ab", "c", ""])}) == 5
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("a")
    second.write_text("b")
    digest = files_digest([first, second])
    assert digest == files_digest([second, first])
    second.write_text("c")
    assert files_digest([first, second]) != digest
    second.write_text("b")
    assert files_digest([first, second.rename(tmp_path / "third")]) != digest
