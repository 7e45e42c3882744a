import pytest

from sparkalbert.errors import ColumnError, ParamError
from sparkalbert.ml import LightPipeline, MultiDocumentAssembler, Tokenizer


def test_a_light_pipeline_fills_the_first_column():
    """As the real one does without a second text."""
    assembler = MultiDocumentAssembler().setInputCols("question", "context").setOutputCols(["q", "c"])
    light = LightPipeline([assembler.setCleanupMode("shrink"), Tokenizer(inputCols=["q"])])
    assert light.annotate(" solo\n text") == {"q": ["solo text"], "c": [""], "token": ["solo", "text"]}


def test_wrong_params_and_columns(spark):
    with pytest.raises(ParamError, match="inputCols and outputCols length must match, found 2 and 1"):
        MultiDocumentAssembler(inputCols=["a", "b"], outputCols=["c"]).transform(spark.range(1))
    with pytest.raises(ParamError, match=r'has no inputCols\. Call setInputCols\("question", "context"\)'):
        MultiDocumentAssembler().transform(spark.range(1))
    with pytest.raises(ColumnError, match="text"):
        MultiDocumentAssembler(inputCols=["text"]).transform(spark.range(1))
