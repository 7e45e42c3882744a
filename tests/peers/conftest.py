"""The real Spark NLP and ours in one process: pyspark 3.5.6 with the real one's jars on the class path.

`make test-peers` builds the environment for it. The folder of jars is third-party and lies outside the
project; where it or the environment is missing, these tests are skipped.
"""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sparkalbert.convert import export_spark_nlp
from sparkalbert.ml.session.java import ensure_java
from sparkalbert.storage.homes import HOME_VARIABLE
from tests.peers import real_session
from tests.recorded.recordings import OWN

_STAGES = [
    "AlbertEmbeddings",
    "ChunkEmbeddings",
    "Doc2Chunk",
    "DocumentAssembler",
    "EmbeddingsFinisher",
    "Finisher",
    "LightPipeline",
    "MultiDocumentAssembler",
    "NGramGenerator",
    "Normalizer",
    "RegexTokenizer",
    "SentenceDetector",
    "SentenceEmbeddings",
    "StopWordsCleaner",
    "TextMatcher",
    "TokenAssembler",
    "Tokenizer",
]
_JAVA = "Java 17"  # Spark 3.5 runs on no newer one
# Of pyspark 3.5 and spark-nlp themselves: sockets left open, and distutils.
_IGNORED = [
    "ignore::ResourceWarning",
    "ignore::DeprecationWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("peers")
            for line in _IGNORED:
                item.add_marker(pytest.mark.filterwarnings(line))


@pytest.fixture(scope="session", autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Converted models go where the run's other files go."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(HOME_VARIABLE, str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny model in Spark NLP's import layout."""
    checkpoint = OWN.write_checkpoint(tmp_path_factory.mktemp("model") / "checkpoint")
    return str(export_spark_nlp(checkpoint, checkpoint.with_name("import")))


@pytest.fixture(scope="session")
def peer_folder() -> Path:
    """The folder of the real Spark NLP's ``jars/``."""
    folder = real_session.peer_folder()
    if not (folder / "jars").is_dir():
        pytest.skip(f"the real Spark NLP is not at {folder}")
    return folder


@pytest.fixture(scope="session")
def spark(peer_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A classic session that runs the stages of both."""
    if importlib.util.find_spec("sparknlp") is None:
        pytest.skip("spark-nlp is not installed: make test-peers")
    if not (java := ensure_java()).startswith(_JAVA):
        pytest.skip(f"the real Spark NLP needs {_JAVA}, found {java}")
    from pyspark import SparkContext

    folder = tmp_path_factory.mktemp("spark")
    session = real_session.start(
        peer_folder,
        cores=2,
        onnx_threads=1,
        conf={
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.memory": "3g",
            "spark.local.dir": str(folder / "local"),
            "spark.sql.shuffle.partitions": "2",
            "spark.sql.warehouse.dir": str(folder / "warehouse"),
            "spark.ui.showConsoleProgress": "false",
        },
    )
    yield session
    session.stop()
    gateway: Any = SparkContext._gateway
    SparkContext._gateway = SparkContext._jvm = None
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait(timeout=60)


@pytest.fixture(scope="session")
def theirs(spark: Any) -> SimpleNamespace:
    """The stages of the real Spark NLP by name."""
    from sparknlp import annotator, base

    return _stages(annotator, base)


@pytest.fixture(scope="session")
def ours() -> SimpleNamespace:
    """Our stages by the same names."""
    from sparkalbert import annotator, base

    return _stages(annotator, base)


def _stages(*homes: Any) -> SimpleNamespace:
    return SimpleNamespace(**{name: getattr(home, name) for home in homes for name in _STAGES if hasattr(home, name)})
