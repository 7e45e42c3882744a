"""One tiny ALBERT for each way in which people publish them, from an imitated Hub to the vectors of words.

Ids are those of Hugging Face's classes, vectors those of a forward pass in float64 that shares no code with the graph.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sparkalbert import WordEmbedder
from sparkalbert.bundle import Bundle
from sparkalbert.config import AlbertConfig
from sparkalbert.convert import export_spark_nlp
from sparkalbert.convert.verify.forward import hidden_states
from sparkalbert.models import find_model
from sparkalbert.text import PieceTokenizer
from tests import child_processes, tiny_checkpoint
from tests.models import families
from tests.models.families import (
    bare_safetensors,
    google_checkpoint,
    google_own_pieces,
    google_pieces,
    recorded,
    recorded_weights,
    safetensors_file,
    safetensors_shards,
    tiny_pieces,
    torch_file,
    torch_shards,
    trained,
    unigram,
    without_weights,
    words_alone,
)
from tests.models.hub_server import COMMIT, running_hub
from tests.recorded import record_weights
from tests.recorded.tokenizer_folders import SENTENCE_PIECES, WORD_PIECES

BOUND = 1e-5
"""Largest error of a vector relative to the root mean square of the hidden states."""

MAX_TEXTS = 30
MIN_WORDS = 5

SMALL, LARGE = 400, 30_010
"""Rows of the embedding table, a few more than there are pieces."""

MARKS = ("[CLS]", "[SEP]", "[MASK]")
ALL_MARKS = {"[CLS]": 0, "[SEP]": 1, "<pad>": 2, "[MASK]": 3}
STARTS = {"cls_token": "<s>", "sep_token": "</s>", "bos_token": "<s>", "eos_token": "</s>"}
CKPT = ("model.ckpt.index", "model.ckpt.data-00000-of-00001")


@dataclass(frozen=True)
class Family:
    """One way to publish an ALBERT.

    Attributes
    ----------
    weights, vocabulary
        What writes these files.
    reads
        The files that a conversion reads beside the configuration.
    ignores
        Files that are there too; their contents would be errors if they were read.
    config
        Values of the configuration that differ from `families.SHAPE`.
    keys
        Keys of the configuration that have no influence.
    special
        The ids of the pieces at the start and the end of a sequence.
    """

    weights: Callable[[Path, families.Tensors], families.Tensors | None]
    vocabulary: Callable[[Path], families.Ids]
    reads: str
    ignores: str = "README.md .gitattributes"
    config: Mapping[str, Any] = field(default_factory=dict)
    keys: Mapping[str, Any] = field(default_factory=lambda: families.HUGGING_FACE)
    config_file: str = "config.json"
    special: tuple[int, int] = (2, 3)


def words(name: str) -> Callable[[Path], families.Ids]:
    return recorded(5, name, WORD_PIECES[name])


def added(name: str) -> Callable[[Path], families.Ids]:
    return recorded(4, name, SENTENCE_PIECES[name])


RECORDED = {**record_weights.SHAPE, "vocab_size": 300, "hidden_act": record_weights.CONFIG.hidden_act}
SAFETENSORS, TORCH, SETTINGS = "model.safetensors", "pytorch_model.bin", "tokenizer_config.json"
SHARDS = "model-00001-of-00002.safetensors model-00002-of-00002.safetensors model.safetensors.index.json"
TORCH_SHARDS = SHARDS.replace("model", "pytorch_model").replace("safetensors", "bin")

# fmt: off
FAMILIES = {
    # safetensors and spiece.model: Google's own, and with options that a file states
    "acme/albert-base-v2": Family(safetensors_file, google_pieces(model_max_length=512),
        f"{SAFETENSORS} spiece.model {SETTINGS}", f"{TORCH} tf_model.h5 with-prefix-tf_model.h5 rust_model.ot"),
    "cservan/malbert-base-cased-32k": Family(safetensors_file, google_pieces(do_lower_case=False, keep_accents=True),
        f"{SAFETENSORS} spiece.model {SETTINGS}"),
    "sentence-transformers/paraphrase-albert-small-v2": Family(bare_safetensors, tiny_pieces,
        f"{SAFETENSORS} spiece.model", "modules.json 1_Pooling/config.json sentence_bert_config.json"),
    # pytorch_model.bin
    "ai4bharat/indic-bert": Family(torch_file, tiny_pieces, f"{TORCH} spiece.model", "spiece.vocab"),
    "twmkn9/albert-base-v2-squad2": Family(recorded_weights("zip.bin"), tiny_pieces, f"{TORCH} spiece.model",
        "training_args.bin nbest_predictions_.json", RECORDED),
    "elgeish/cs224n-squad2.0-albert": Family(recorded_weights("legacy.bin"), tiny_pieces, f"{TORCH} spiece.model",
        config=RECORDED),
    # special pieces outside the vocabulary, added tokens, other names for cls and sep
    "AnReu/albert-for-arqmath-3": Family(safetensors_file, added("added"),
        f"{SAFETENSORS} spiece.model added_tokens.json"),
    "acme/added-tokens-decoder": Family(torch_file, added("flags"), f"{TORCH} spiece.model {SETTINGS}"),
    "l3cube-pune/marathi-albert": Family(torch_file, trained(MARKS, added_tokens={"<pad>": 0}),
        f"{TORCH} spiece.model added_tokens.json", special=(3, 4)),
    "dragosnicolae555/ALR_BERT": Family(torch_file, trained((), added_tokens=ALL_MARKS),
        f"{TORCH} spiece.model added_tokens.json", special=(290, 291)),
    "davaa33/albert-mns": Family(torch_file, trained((), special_tokens_map=STARTS, tokenizer_config=STARTS),
        f"{TORCH} spiece.model special_tokens_map.json {SETTINGS}", special=(1, 2)),
    # tokenizer.json alone
    "damgomz/ft_32_1e6_base_x1": Family(safetensors_file, unigram(4), f"{SAFETENSORS} tokenizer.json {SETTINGS}"),
    "acme/saved-by-transformers-5": Family(bare_safetensors, unigram(5), f"{SAFETENSORS} tokenizer.json {SETTINGS}"),
    "ArBert/albert-base-v2-finetuned-ner": Family(torch_file, unigram(4), f"{TORCH} tokenizer.json {SETTINGS}"),
    # vocab.txt
    "voidful/albert_chinese_tiny": Family(torch_file, words_alone, f"{TORCH} vocab.txt", config={"hidden_act": "relu"}),
    "uer/albert-base-chinese-cluecorpussmall": Family(torch_file, words("words"), f"{TORCH} vocab.txt {SETTINGS}"),
    "kykim/albert-kor-base": Family(torch_file, words("cased words"), f"{TORCH} vocab.txt {SETTINGS}", "tf_model.h5"),
    "ckiplab/albert-base-chinese": Family(torch_file, words("words with options"), f"{TORCH} vocab.txt {SETTINGS}"),
    "acme/words-added": Family(torch_file, words("words with added tokens"),
        f"{TORCH} vocab.txt {SETTINGS} added_tokens.json"),
    # TensorFlow, of Hugging Face and of Google
    "abhilash1910/albert-german-ner": Family(recorded_weights("tf_model.h5"), tiny_pieces, "tf_model.h5 spiece.model",
        config=RECORDED),
    "acme/google-recorded": Family(recorded_weights(*CKPT), tiny_pieces, f"{' '.join(CKPT)} spiece.model",
        "model.ckpt.meta", RECORDED, families.GOOGLE, "albert_config.json"),
    "acme/BioALBERT": Family(google_checkpoint, google_own_pieces, f"{' '.join(CKPT)} 30k-clean.model",
        "30k-clean.vocab", {}, families.GOOGLE, "albert_config.json"),
    # shards
    "acme/sharded": Family(safetensors_shards, tiny_pieces, f"{SHARDS} spiece.model", "model-00009-of-00009.bin"),
    "acme/sharded-torch": Family(torch_shards, tiny_pieces, f"{TORCH_SHARDS} spiece.model"),
}

REFUSED = {
    "keras/albert_base_en_uncased": (families.keras_preset,
        "config.json: it is Keras's configuration of 'AlbertBackbone', expected Hugging Face's",
        "model.weights.h5 is not read: it has the layout of Keras 3; save the weights with Hugging Face's names"),
    "acme/flax": (without_weights("flax_model.msgpack"),
        "flax_model.msgpack is not read: save it again with transformers 4: AlbertModel.from_pretrained("),
    "acme/rust": (without_weights("rust_model.ot"), "rust_model.ot is not read: use pytorch_model.bin"),
    "acme/prefix": (without_weights("with-prefix-tf_model.h5"),
        "with-prefix-tf_model.h5 is not read under this name: ", "rename it to tf_model.h5"),
    "acme/renamed": (without_weights("albert.safetensors"),
        "albert.safetensors is not", "rename it to model.safetensors"),
    "acme/lightning": (without_weights("last.ckpt"), "last.ckpt is not read", "rename it to pytorch_model.bin"),
    "sentence-transformers/old": (without_weights("0_Transformer/pytorch_model.bin"),
        "0_Transformer/pytorch_model.bin is not in the folder itself", "pass the folder 0_Transformer"),
    "onnx-models/paraphrase-albert-small-v2-onnx": (without_weights("model.onnx"),
        "model.onnx is an ONNX export, not a checkpoint.",
        "`hf download OWNER/NAME --local-dir FOLDER`, then pass FOLDER"),
    "acme/exported": (without_weights("onnx/model_quantized.onnx"), "onnx/model_quantized.onnx is an ONNX export"),
    "acme/gguf": (without_weights("albert.Q8_0.gguf"), "model.safetensors is missing, and so is any other file"),
    "ken11/albert-base-japanese-v1-with-japanese-tokenizer": (
        without_weights(TORCH, tokenizer_config={"tokenizer_class": "BertJapaneseTokenizer"}),
        "name the tokenizer class BertJapaneseTokenizer, expected AlbertTokenizer", "or use another model."),
    "acme/t5": (without_weights(TORCH, tokenizer_config={"tokenizer_class": "T5Tokenizer"}),
        "name the tokenizer class T5Tokenizer", "T5Tokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)"),
    "acme/bert": (without_weights(TORCH, config={"model_type": "bert"}), "model_type is 'bert', expected 'albert'"),
    "acme/cased": (families.unstated_cased_words,
        "No file states do_lower_case and keep_accents of ", "Pass do_lower_case=False, keep_accents=True if"),
}
# fmt: on


@dataclass(frozen=True)
class Published:
    """A folder of files and what they must give."""

    folder: Path
    config: AlbertConfig
    ids: families.Ids
    tensors: families.Tensors
    special: tuple[int, int]


def publish(folder: Path, family: Family) -> Published:
    """Write the files of a family."""
    folder.mkdir(parents=True)
    ids = family.vocabulary(folder)
    largest = max(max(sequence, default=0) for sequence in ids.values())
    size = SMALL if largest < SMALL else LARGE
    config = AlbertConfig(**{**families.SHAPE, "vocab_size": size, **family.config})
    tensors = tiny_checkpoint.random_tensors(config, seed=record_weights.SEED)
    families.write_json(folder / family.config_file, families.config_values(config, family.keys))
    tensors = family.weights(folder, tensors) or tensors
    for name in family.ignores.split():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"not read")
    return Published(folder, config, ids, tensors, family.special)


def texts_of(family: Published) -> list[str]:
    """Return the first texts that fit into one window."""
    longest = family.config.max_position_embeddings - 2
    return [text for text, ids in family.ids.items() if 0 < len(ids) <= longest][:MAX_TEXTS]


def reference(family: Published, text: str) -> np.ndarray:
    """Return the last hidden state of each piece of a text, float64."""
    sequence = np.array([[family.special[0], *family.ids[text], family.special[1]]])
    return hidden_states(family.config, family.tensors.__getitem__, sequence, np.ones_like(sequence))[-1, 0, 1:-1]


def check(bundle: Bundle, family: Published) -> None:
    """Compare the ids of all texts, then the vectors of those that are one sentence."""
    tokenizer = PieceTokenizer.load(bundle.path)
    assert (tokenizer.cls_id, tokenizer.sep_id) == family.special
    assert {text: tokenizer.encode(text).ids.tolist() for text in family.ids} == family.ids
    texts = texts_of(family)
    compared = 0
    with WordEmbedder.load(bundle.path, threads=1, max_sentence_length=family.config.max_position_embeddings) as model:
        embedded = model.embed(texts)
    for text, found in zip(texts, embedded, strict=True):
        whole = (found.sentence_start, found.sentence_stop) == ([0], [len(text)])
        if not whole:
            continue
        expected = reference(family, text)
        offsets = tokenizer.encode(text).offsets
        for start, stop, piece, vector in zip(found.start, found.stop, found.piece, found.vectors, strict=True):
            first, last = offsets.T
            inside = np.flatnonzero((first < last) & (first < stop) & (last > start))
            if not inside.size:  # a zero-width space, for example
                assert (piece, vector.any()) == (-1, False)
                continue
            assert piece == family.ids[text][inside[0]]
            error = np.abs(vector - expected[inside[0]]).max()
            assert error <= BOUND * np.sqrt(np.mean(expected**2)), (text, start)
            compared += 1
    assert compared >= MIN_WORDS


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The folders of all families, by name."""
    root = tmp_path_factory.mktemp("published")
    return {name: publish(root / name, family) for name, family in FAMILIES.items()}


@pytest.fixture(scope="module")
def hub(published, tmp_path_factory):
    """A server with the repositories of all families, and those that are refused."""
    repositories = {name: files_in(family.folder) for name, family in published.items()}
    for name, (write, *_) in REFUSED.items():
        folder = tmp_path_factory.mktemp("refused")
        write(folder)
        repositories[name] = files_in(folder)
    with running_hub(repositories) as hub:
        yield hub


def files_in(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


@pytest.fixture(scope="module")
def online(hub, tmp_path_factory):
    """A process that sees the Hub."""
    environment = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path_factory.mktemp("hf"))}
    with child_processes.processes(environment) as pool:
        yield pool


@pytest.mark.parametrize("name", FAMILIES)
def test_a_repository_is_inspected_downloaded_converted_and_embeds(hub, online, published, home, name):
    family = FAMILIES[name]
    reads = {*family.reads.split(), family.config_file}
    hub.requests.clear()
    kind, inspection = online.submit(child_processes.inspect, name, str(home)).result()
    assert kind == "", inspection
    assert inspection.contents.problems == ()
    assert set(inspection.contents.uses) == reads
    assert set(inspection.ignored) >= set(family.ignores.split())
    kind, path = online.submit(child_processes.find, name, str(home)).result()
    assert kind == "", path
    assert {request.partition(COMMIT + "/")[2] for request in hub.requests if "/resolve/" in request} == reads
    check(Bundle.open(path), published[name])


@pytest.mark.parametrize("name", REFUSED)
def test_a_repository_is_refused_with_the_mend_and_without_its_weights(hub, online, home, name):
    _, *expected = REFUSED[name]
    hub.requests.clear()
    kind, inspection = online.submit(child_processes.inspect, name, str(home)).result()
    assert kind == "", inspection
    kind, message = online.submit(child_processes.find, name, str(home)).result()
    assert kind == "CheckpointError"
    for part in expected:
        assert any(part in problem for problem in inspection.contents.problems)
        assert part in message
    read = {request.partition(COMMIT + "/")[2] for request in hub.requests if "/resolve/" in request}
    assert {Path(file).suffix for file in read} <= {".json", ".model", ".spm", ".txt"}
    assert not (home / "bundles").exists()


@pytest.mark.parametrize("version", [4, 5])
def test_an_onnx_export_with_tokenizer_json_only(tmp_path, home, version):
    """As optimum writes it; such a repository is refused, see above."""
    checkpoint = publish(tmp_path / "checkpoint", Family(safetensors_file, tiny_pieces, ""))
    exported = export_spark_nlp(checkpoint.folder, tmp_path / "exported")
    folder = tmp_path / "paraphrase-albert-small-v2-onnx"
    folder.mkdir()
    ids = unigram(version)(folder)
    shutil.copyfile(exported / "model.onnx", folder / "model.onnx")
    shutil.copyfile(checkpoint.folder / "config.json", folder / "config.json")
    bundle = find_model(folder)
    assert bundle.manifest.tokenizer.source == "tokenizer.json"
    check(bundle, replace(checkpoint, folder=folder, ids=ids))
