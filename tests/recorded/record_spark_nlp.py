"""Records what the real Spark NLP makes of the texts of this folder: python -m tests.recorded.record_spark_nlp

It runs in the environment of ``make test-peers``, from the project's root; SPARK_NLP_PEER names the folder of
its ``jars/``. See README.md for the files that it writes.
"""

from __future__ import annotations

import inspect
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from py4j.protocol import Py4JJavaError
from pyspark.ml import Pipeline
from pyspark.sql import DataFrame, Row, SparkSession
from sparknlp import annotator, base, functions

from sparkalbert.convert import export_spark_nlp
from tests.peers.compare import with_params
from tests.peers.real_session import peer_folder, start
from tests.recorded import function_calls, settings
from tests.recorded.recordings import OWN
from tests.recorded.texts import all_texts

# The settings are recorded on every tricky text and on some of the others, the stages after the model on fewer.
_SETTING_TEXTS = [r"tricky-\d+", r"prose-[0-4]", r"random-(1?\d|3[0-4])"]
_STAGE_TEXTS = [r"prose-[0-2]", r"tricky-(0|3|10|12|19|25|26|29|32|38|41)"]
_CLEANUP_MODES = ["disabled", "inplace", "inplace_full", "shrink", "shrink_full", "each", "each_full", "delete_full"]
_LIGHT_TEXT = "Rare Hendrix song draft sells for almost $17,000. Two sentences here!"
_DIGITS = 6


def main() -> None:
    """Write every file anew."""
    shutil.rmtree(OWN.folder, ignore_errors=True)
    (OWN.folder / "annotators").mkdir(parents=True)
    with tempfile.TemporaryDirectory() as temporary:
        model = export_spark_nlp(OWN.write_checkpoint(Path(temporary, "checkpoint")), Path(temporary, "import"))
        spark = start(
            peer_folder(),
            cores=2,
            onnx_threads=1,
            conf={"spark.sql.shuffle.partitions": "2", "spark.ui.showConsoleProgress": "false"},
        )
        _record(spark, str(model))
        spark.stop()


def _record(spark: SparkSession, model: str) -> None:
    texts = all_texts()
    frame = _frame(spark, list(texts.items()))
    some = _frame(spark, [item for item in texts.items() if _matches(item[0], _SETTING_TEXTS)])
    _record_pipeline(frame, model)
    _record_documents(spark, some)
    documents = _document_assembler().transform(some)
    _record_sentences(spark, documents)
    _record_tokens(_sentence_detector().transform(documents).cache())
    _record_stages(spark, model, [item for item in texts.items() if _matches(item[0], _STAGE_TEXTS)])
    _record_other_tokens(spark, [item for item in texts.items() if _matches(item[0], _STAGE_TEXTS)])
    _record_functions(spark, [item for item in texts.items() if _matches(item[0], _STAGE_TEXTS)])
    _write_json("lightpipeline.json", _light_pipeline(spark, model))
    _write_json("params.json", {name: _params(stage) for name, stage in _stages(model).items()})
    _write_json("errors.json", {name: _error_of(call) for name, call in _bad_calls(spark, model).items()})


# --- what is recorded ------------------------------------------------------------------------------


def _record_pipeline(frame: DataFrame, model: str) -> None:
    rows = _fit([*_annotators(), _embeddings(model)], frame).collect()
    vectors: list[list[float]] = []
    lines = []
    for row in rows:
        start = len(vectors)
        vectors += [word.embeddings for word in row.embeddings]
        lines.append(
            {
                "id": row.id,
                "text": row.text,
                "document": [_place(one, one.metadata) for one in row.document],
                **{
                    name: [_place(one, one.metadata["sentence"]) for one in row[name]] for name in ("sentence", "token")
                },
                "embeddings": [
                    _place(one, one.metadata["sentence"], one.metadata["pieceId"]) for one in row.embeddings
                ],
                "vectors": [start, len(vectors)],
            }
        )
    _write_lines("../pipeline.jsonl", lines)
    np.savez_compressed(OWN.folder / "pipeline-vectors.npz", batch1=np.array(vectors, dtype=np.float32))


def _record_documents(spark: SparkSession, frame: DataFrame) -> None:
    for mode in _CLEANUP_MODES:
        _record_column(f"document-{mode}", _document_assembler().setCleanupMode(mode).transform(frame), "document")
    _record_column("document-id-metadata", _with_metadata(spark), "document")


def _record_sentences(spark: SparkSession, documents: DataFrame) -> None:
    named = {f"sentence-{name}": params for name, params in settings.SENTENCES.items()}
    named["sentence-explode"] = {"explodeSentences": True}
    for name, params in {**named, **settings.JAVA_SENTENCES}.items():
        _record_column(name, with_params(_sentence_detector(), params).transform(documents), "sentence")
    documents = _with_metadata(spark)
    _record_column("sentence-null-empty", _sentence_detector().transform(documents), "sentence")


def _record_tokens(sentences: DataFrame) -> None:
    named = {f"token-{name}": params for name, params in settings.TOKENS.items()}
    for name, params in {**named, **settings.JAVA_TOKENS}.items():
        tokenizer = _tokenizer().setInputCols("document" if name == "token-document" else "sentence")
        tokens = with_params(tokenizer, params).fit(sentences).transform(sentences)
        _record_column(name, tokens, "token")


def _record_stages(spark: SparkSession, model: str, texts: list[tuple[str, str]]) -> None:
    embedding_stages = [*_annotators(), _embeddings(model)]
    words = _fit(embedding_stages, _frame(spark, [("null-0", None), ("empty-0", ""), *texts])).cache()
    _record_stage("albert", words, "embeddings")
    for name, stage, column in [
        ("embeddingsfinisher-default", _finisher(), "finished_embeddings"),
        (
            "embeddingsfinisher-vector-clean",
            _finisher().setOutputCols("vec").setOutputAsVector(True).setCleanAnnotations(True),
            "vec",
        ),
        *(
            (f"sentenceembeddings-{prefix}{strategy.lower()}", _sentence_embeddings(document, strategy), "se")
            for prefix, document in [("", "sentence"), ("document-", "document")]
            for strategy in ("AVERAGE", "SUM")
        ),
    ]:
        _record_stage(name, stage.transform(words), column)
    targets = [(name, text, _target(text)) for name, text in texts if _target(text)]
    with_targets = _fit(embedding_stages, _frame(spark, targets, "id string, text string, target string")).cache()
    chunks = (
        base.Doc2Chunk().setInputCols("document").setOutputCol("chunk").setChunkCol("target").transform(with_targets)
    )
    pairs = annotator.NGramGenerator().setInputCols("token").setOutputCol("chunk").setN(2).transform(with_targets)
    _record_stage("doc2chunk", chunks, "chunk")
    _record_stage("ngram-chunk", pairs, "chunk")
    for name, frame, strategy in [("average", chunks, "AVERAGE"), ("sum", chunks, "SUM"), ("ngram", pairs, "AVERAGE")]:
        embeddings = annotator.ChunkEmbeddings().setInputCols("chunk", "embeddings").setOutputCol("ce")
        _record_stage(f"chunkembeddings-{name}", embeddings.setPoolingStrategy(strategy).transform(frame), "ce")
    both = base.Finisher().setInputCols("token", "sentence")
    tokens = base.Finisher().setInputCols("token").setOutputCols("t").setIncludeMetadata(True)
    _record_stage("finisher-default", both.transform(with_targets), "finished_token")
    _record_stage("finisher-metadata", tokens.transform(with_targets), "t_metadata")
    strings = base.Finisher().setInputCols("token", "sentence").setOutputAsArray(False).setCleanAnnotations(False)
    _record_stage("finisher-string", strings.transform(with_targets), "finished_token")


def _record_other_tokens(spark: SparkSession, texts: list[tuple[str, str]]) -> None:
    """Record the stages that need no model, on the same texts and on a null and an empty text."""
    rows = [("null-0", None), ("empty-0", ""), *texts]
    tokens = _fit(_annotators(), _frame(spark, rows)).cache()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        settings.write_files(folder)

        def record(name: str, stage: Any, params: dict[str, Any], frame: DataFrame) -> None:
            with_params(stage.setOutputCol("out"), settings.with_paths(params, folder))
            _record_column(name, _fit([stage], frame), "out")

        for name, params in settings.REGEX_TOKENS.items():
            record(name, annotator.RegexTokenizer().setInputCols("sentence"), params, tokens)
        for name, params in settings.STOP_WORDS.items():
            record(name, annotator.StopWordsCleaner().setInputCols("token"), params, tokens)
        for name, params in settings.NORMALIZED.items():
            record(name, annotator.Normalizer().setInputCols("token"), params, tokens)
        for name, params in settings.MATCHED.items():
            record(name, annotator.TextMatcher().setInputCols("sentence", "token"), params, tokens)
        cleaners = [
            annotator.StopWordsCleaner().setInputCols("token").setOutputCol("kept"),
            annotator.Normalizer().setInputCols("kept").setOutputCol("clean"),
        ]
        clean = _fit(cleaners, tokens)
        for name, params in settings.ASSEMBLED.items():
            whole = "document" if name == "tokenassembler-document" else "sentence"
            record(name, base.TokenAssembler().setInputCols(whole, "clean"), params, clean)
    frame = _frame(spark, rows).selectExpr("id", "text", "upper(text) AS upper", "map('src', id, 'id', 'x') AS m")
    for name, params in settings.SEVERAL_DOCUMENTS.items():
        assembler = with_params(base.MultiDocumentAssembler().setInputCols("text", "upper"), params)
        _record_stage(name, assembler.transform(frame), params.get("outputCols", ["", "finished_upper"])[1])


def _record_functions(spark: SparkSession, texts: list[tuple[str, str]]) -> None:
    """Record the functions over annotation columns, on the tokens of the same texts."""
    tokens = _fit(_annotators(), _frame(spark, [("null-0", None), ("empty-0", ""), *texts])).cache()
    for name, call in function_calls.good_calls(functions, tokens).items():
        frame = call()
        _record_stage(f"functions-{name}", frame, function_calls.output_column(frame))
    record = {
        "parameters": {
            name: list(inspect.signature(getattr(functions, name)).parameters) for name in function_calls.NAMES
        },
        "errors": {
            name: function_calls.python_error(call)
            for name, call in function_calls.bad_calls(functions, tokens).items()
        },
    }
    _write_json("functions.json", record)


def _light_pipeline(spark: SparkSession, model: str) -> dict[str, Any]:
    fitted = Pipeline(stages=[*_annotators(), _embeddings(model)]).fit(_frame(spark, []))
    light, parsing = base.LightPipeline(fitted), base.LightPipeline(fitted, parse_embeddings=True)
    texts = ["I love NLP.", _LIGHT_TEXT, ""]

    def plain(row: dict[str, Any]) -> dict[str, Any]:
        return {name: [_annotation(one) for one in annotations] for name, annotations in row.items()}

    return {
        "annotate_str": light.annotate(_LIGHT_TEXT),
        "annotate_list": light.annotate(texts),
        "fullAnnotate_str": [plain(row) for row in light.fullAnnotate(_LIGHT_TEXT)],
        "fullAnnotate_list": [plain(row) for row in light.fullAnnotate(texts)],
        "parse_fullAnnotate_str": [plain(row) for row in parsing.fullAnnotate(texts[0])],
        "parse_annotate_str": parsing.annotate(texts[0]),
    }


def _params(stage: Any) -> dict[str, Any]:
    """Return the Params, annotator types and methods of a class; Params that the recorder has set are marked."""
    params = {}
    for param in stage.params:
        value = stage.getOrDefault(param) if stage.isDefined(param) else None
        params[param.name] = {
            "doc": param.doc,
            "default": None if value is None else repr(value),
            "set": stage.isSet(param),
        }
    types = ("inputAnnotatorTypes", "optionalInputAnnotatorTypes", "outputAnnotatorType", "name")
    methods = [name for name in dir(stage) if not name.startswith("_") and callable(getattr(stage, name))]
    return {
        "uid": _without_ids(stage.uid),
        "params": params,
        "types": {name: getattr(stage, name, None) for name in types},
        "methods": [name for name in methods if name in _PUBLIC or name.startswith(("set", "get"))],
    }


# Of the other methods those that users call; the rest are pyspark's and Spark NLP's inner ones.
_PUBLIC = {
    *("clear", "copy", "explainParam", "explainParams", "extractParamMap", "fit", "hasDefault", "hasParam"),
    *("inputColsValidation", "isDefined", "isSet", "load", "loadSavedModel", "pretrained", "read", "save", "transform"),
    *("write", "addInfixPattern", "addContextChars", "addException", "addSplitChars"),
}


def _bad_calls(spark: SparkSession, model: str) -> dict[str, Callable[[], Any]]:
    frame = _document_assembler().transform(_frame(spark, [("1", "a")]))

    def embeddings(*columns: Any) -> Any:
        return annotator.AlbertEmbeddings.loadSavedModel(model, spark).setInputCols(*columns).setOutputCol("e")

    def light_pipeline() -> Any:
        fitted = Pipeline(stages=[_tokenizer().setInputCols("document")]).fit(frame)
        return base.LightPipeline(fitted).annotate("a")

    return {
        "missing-column": lambda: base.DocumentAssembler().setInputCol("nope").setOutputCol("d").transform(frame),
        "wrong-annotator": lambda: embeddings("document", "text").transform(frame),
        "three-inputs": lambda: embeddings("a", "b", "c"),
        "tuple-inputs": lambda: embeddings(("a", "b")),
        "msl-600": lambda: embeddings("a", "b").setMaxSentenceLength(600),
        "cleanup": lambda: base.DocumentAssembler().setCleanupMode("none"),
        "finisher-not-annotation": lambda: base.Finisher().setInputCols("text").transform(frame).collect(),
        "finisher-wrong-type": lambda: _finisher().setInputCols("document").transform(frame).collect(),
        "lightpipeline-missing": light_pipeline,
        "no-folder": lambda: annotator.AlbertEmbeddings.loadSavedModel("/nonexistent", spark),
        "sentence-strategy": lambda: _sentence_embeddings("sentence", "MAX"),
    }


def _error_of(call: Callable[[], Any]) -> str:
    try:
        call()
    except Exception as error:  # noqa: BLE001 - any error is what is recorded
        message = error.java_exception.toString() if isinstance(error, Py4JJavaError) else str(error)
        return _without_ids(f"{type(error).__name__}: {message}").partition("\n\tat ")[0]
    return "no error"


def _without_ids(text: str) -> str:
    """Replace random ids, so that recording again gives the same files."""
    return re.sub(r"Lambda\$\d+/0x[0-9a-f]+", "Lambda", re.sub(r"_[0-9a-f]{12}\b", "_000000000000", text))


# --- the stages ------------------------------------------------------------------------------------


def _document_assembler() -> Any:
    return base.DocumentAssembler().setInputCol("text").setOutputCol("document")


def _sentence_detector() -> Any:
    return annotator.SentenceDetector().setInputCols("document").setOutputCol("sentence")


def _tokenizer() -> Any:
    return annotator.Tokenizer().setInputCols("sentence").setOutputCol("token")


def _annotators() -> list[Any]:
    return [_document_assembler(), _sentence_detector(), _tokenizer()]


def _embeddings(model: str) -> Any:
    """Return the stage of the model, with one sentence per batch, so that there is no padding."""
    stage = annotator.AlbertEmbeddings.loadSavedModel(model, SparkSession.getActiveSession())
    stage.setInputCols("sentence", "token").setOutputCol("embeddings").setStorageRef("recorded")
    return stage.setBatchSize(1).setDimension(32)


def _finisher() -> Any:
    return base.EmbeddingsFinisher().setInputCols("embeddings")


def _sentence_embeddings(document: str, strategy: str) -> Any:
    stage = annotator.SentenceEmbeddings().setInputCols(document, "embeddings").setOutputCol("se")
    return stage.setPoolingStrategy(strategy)


def _stages(model: str) -> dict[str, Any]:
    stages = [
        _document_assembler(),
        _sentence_detector(),
        _tokenizer(),
        _embeddings(model),
        _finisher(),
        _sentence_embeddings("sentence", "AVERAGE"),
        annotator.ChunkEmbeddings(),
        base.Doc2Chunk(),
        base.Finisher(),
        annotator.NGramGenerator(),
        annotator.RegexTokenizer(),
        annotator.StopWordsCleaner(),
        annotator.Normalizer(),
        annotator.TextMatcher(),
        base.TokenAssembler(),
        base.MultiDocumentAssembler(),
    ]
    return {type(stage).__name__: stage for stage in stages}


# --- frames and files ------------------------------------------------------------------------------


def _frame(spark: SparkSession, rows: Sequence[Any], schema: str = "id string, text string") -> DataFrame:
    return spark.createDataFrame(rows, schema).coalesce(1).cache()


def _with_metadata(spark: SparkSession) -> DataFrame:
    """Return documents of a plain, an empty and a null text, with an id and a map of metadata."""
    rows = [("a", "One text.", {"src": "x"}), ("b", "", {"src": "y"}), ("c", None, {"src": "z"})]
    frame = _frame(spark, rows, "id string, text string, m map<string,string>")
    return _document_assembler().setIdCol("id").setMetadataCol("m").transform(frame)


def _fit(stages: list[Any], frame: DataFrame) -> DataFrame:
    return Pipeline(stages=stages).fit(frame).transform(frame)


def _matches(name: str, patterns: list[str]) -> bool:
    return any(re.fullmatch(pattern, name) for pattern in patterns)


def _target(text: str) -> str | None:
    found = re.search(r"(\w+ \w+)", text, re.ASCII)
    return found and found[1]


def _place(one: Row, *more: Any) -> list[Any]:
    return [one.begin, one.end, one.result, *more]


def _annotation(one: Any) -> list[Any]:
    kind = one.annotatorType
    return [kind, *_place(one, dict(one.metadata)), [round(number, _DIGITS) for number in one.embeddings]]


def _record_column(name: str, frame: DataFrame, column: str) -> None:
    lines = [{"id": row.id, "out": [_annotation(one)[:-1] for one in row[column]]} for row in frame.collect()]
    _write_lines(f"{name}.jsonl", lines)


def _record_stage(name: str, frame: DataFrame, column: str) -> None:
    _write_lines(f"{name}.jsonl", [{"id": row.id, "out": _plain(row[column])} for row in frame.collect()])
    _write_json(f"{name}.schema.json", {"columns": frame.columns, "fields": [_field(frame, c) for c in frame.columns]})


def _field(frame: DataFrame, name: str) -> Any:
    return json.loads(frame.schema[name].json())


def _plain(value: Any) -> Any:
    if isinstance(value, Row) and "annotatorType" in value:
        return _annotation(value)
    if isinstance(value, float):
        return round(value, _DIGITS)
    if hasattr(value, "toArray"):
        return [round(float(number), _DIGITS) for number in value.toArray()]
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value


def _write_lines(name: str, rows: list[dict[str, Any]]) -> None:
    path = OWN.folder / "annotators" / name
    path.write_text("".join(f"{_dumps(row)}\n" for row in rows), encoding="utf-8")


def _write_json(name: str, value: Any) -> None:
    (OWN.folder / "annotators" / name).write_text(f"{_dumps(value)}\n", encoding="utf-8")


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


if __name__ == "__main__":
    sys.exit(main())
