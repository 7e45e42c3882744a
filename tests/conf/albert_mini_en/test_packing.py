import pytest

from conf.albert_mini_en.packing import pack
from sparkalbert.convert import convert_checkpoint
from sparkalbert.errors import OutputError
from tests import tiny_checkpoint


@pytest.fixture
def checkpoint(tmp_path):
    folder = tiny_checkpoint.write(tmp_path / "tiny", seed=1)
    (folder / "MODEL_CARD.md").write_text("# Tiny\n")
    return folder


def test_the_bundle_is_the_converted_checkpoint_with_its_card(checkpoint, tmp_path):
    plain = convert_checkpoint(checkpoint, tmp_path / "plain" / "tiny", halve=True)
    bundle = pack(checkpoint, tmp_path / "packed" / "tiny")
    assert (bundle.path / "MODEL_CARD.md").read_text() == "# Tiny\n"
    assert set(bundle.manifest.files) == {*plain.manifest.files, "MODEL_CARD.md"}
    for name, record in plain.manifest.files.items():
        assert bundle.manifest.files[name] == record


def test_a_bundle_is_replaced_and_other_folders_are_not(checkpoint, tmp_path):
    target = tmp_path / "bundle"
    pack(checkpoint, target)
    (checkpoint / "MODEL_CARD.md").write_text("# Tiny, again\n")
    pack(checkpoint, target)
    assert (target / "MODEL_CARD.md").read_text() == "# Tiny, again\n"
    (target / "notes.txt").write_text("mine")
    with pytest.raises(OutputError):
        pack(checkpoint, target)


def test_a_checkpoint_without_a_card_is_packed_too(checkpoint, tmp_path):
    (checkpoint / "MODEL_CARD.md").unlink()
    assert "MODEL_CARD.md" not in pack(checkpoint, tmp_path / "bundle").manifest.files
