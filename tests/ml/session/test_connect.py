"""Spark Connect clients are recognized, and a test of one cannot reach classic Spark."""

import pytest
from pyspark import SparkContext

from sparkalbert.ml.session.connect import is_connect_session


def test_only_a_client_is_a_connect_session(request):
    assert not is_connect_session(request.getfixturevalue("spark"))
    assert is_connect_session(request.getfixturevalue("connect_spark"))


@pytest.mark.parametrize(
    "reach",
    [
        lambda _: SparkContext(),
        lambda _: SparkContext.getOrCreate(),
        lambda _: SparkContext._ensure_initialized(),
        lambda classic: classic.sparkContext,
        lambda classic: classic._jvm,
        lambda classic: classic._jsparkSession,
    ],
    ids=["context", "getOrCreate", "_ensure_initialized", "sparkContext", "_jvm", "_jsparkSession"],
)
def test_a_test_on_connect_fails_if_it_reaches_classic_spark(spark, connect_spark, reach):
    assert connect_spark.range(3).count() == 3
    with pytest.raises(AssertionError, match="reached for classic Spark"):
        reach(spark)


@pytest.mark.parametrize("name", ["sparkContext", "_jvm", "_jsparkSession"])
def test_a_client_has_no_attributes_of_classic_spark(connect_spark, name):
    with pytest.raises(Exception, match="JVM_ATTRIBUTE_NOT_SUPPORTED"):
        getattr(connect_spark, name)
    with pytest.raises(Exception, match="JVM_ATTRIBUTE_NOT_SUPPORTED"):
        _ = connect_spark.range(1)._jdf
