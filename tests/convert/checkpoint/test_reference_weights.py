"""Files that the installed torch writes, compared with Hugging Face's AlbertModel (make test-reference)."""

import json
from importlib.util import find_spec

import numpy as np
import pytest

from sparkalbert.convert import convert_checkpoint
from sparkalbert.inference.session import EncoderSession
from tests import tiny_checkpoint

pytestmark = [
    pytest.mark.reference,
    pytest.mark.skipif(
        find_spec("torch") is None or find_spec("transformers") is None, reason="needs torch and transformers"
    ),
]


@pytest.mark.parametrize(
    "task", ["Model", "ForMaskedLM", "ForTokenClassification", "ForPreTraining", "ForQuestionAnswering"]
)
@pytest.mark.parametrize("layout", ["zip", "legacy", "shards"])
@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_every_class_and_format_gives_hugging_faces_vectors(tmp_path, task, layout, prefix):
    import torch
    import transformers

    folder = tiny_checkpoint.write(tmp_path / "model", hidden_act="gelu")
    (folder / "model.safetensors").unlink()
    config = transformers.AlbertConfig(**tiny_checkpoint.tiny_config(hidden_act="gelu").to_dict())
    torch.manual_seed(3)
    model = getattr(transformers, f"Albert{task}")(config).eval()
    state = {prefix + name: values for name, values in model.state_dict().items()}
    if layout == "shards":
        names = sorted(state)
        parts = {"pytorch_model-00001-of-00002.bin": names[::2], "pytorch_model-00002-of-00002.bin": names[1::2]}
        for file, part in parts.items():
            torch.save({name: state[name] for name in part}, folder / file)
        weight_map = {name: file for file, part in parts.items() for name in part}
        (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": weight_map}))
    else:
        is_zip = layout == "zip"
        torch.save(state, folder / "pytorch_model.bin", _use_new_zipfile_serialization=is_zip)
    bundle = convert_checkpoint(folder, tmp_path / "bundle")
    ids = np.array([[2, 40, 50, 60, 3]])
    encoder = model if task == "Model" else model.albert
    with torch.no_grad():
        expected = encoder(torch.from_numpy(ids)).last_hidden_state.numpy()
    computed = EncoderSession(bundle).run(ids, np.ones_like(ids), np.eye(4, dtype=np.float32)[-1])
    np.testing.assert_allclose(computed, expected, rtol=0, atol=1e-5 * float(np.sqrt((expected**2).mean())))
