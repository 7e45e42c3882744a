"""Settings that are changed for a block: for all threads that share a session, until the last block ends."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from sparkalbert.ml.session.connect import is_connect_session
from sparkalbert.ml.session.settings import changed_settings

NAME, UNSET = "spark.sql.files.maxPartitionBytes", "spark.sparkalbert.test"


def values(session):
    return session.conf.get(NAME), session.conf.get(UNSET, None)


def test_the_value_from_before_comes_back_after_the_last_of_overlapping_blocks(any_spark):
    before = values(any_spark)
    assert before[1] is None
    first, second = (changed_settings(any_spark, {NAME: "1048576", UNSET: "mine"}) for _ in range(2))
    with ThreadPoolExecutor(1) as other:
        first.__enter__()
        other.submit(second.__enter__).result()
        first.__exit__(None, None, None)
        assert values(any_spark) == ("1048576", "mine"), "the second block still runs"
        other.submit(second.__exit__, None, None, None).result()
    assert values(any_spark) == before
    with changed_settings(any_spark, {UNSET: "mine"}):
        assert values(any_spark) == (before[0], "mine")
    assert values(any_spark) == before


def test_objects_of_the_same_session_share_its_settings(any_spark, request):
    if is_connect_session(any_spark):
        same = request.getfixturevalue("new_client")(any_spark.session_id)
    else:
        same = type(any_spark)(any_spark.sparkContext, any_spark._jsparkSession)
    assert same is not any_spark
    before = values(any_spark)
    first, second = (changed_settings(session, {UNSET: "mine"}) for session in (any_spark, same))
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert values(any_spark) == (before[0], "mine")
    second.__exit__(None, None, None)
    assert values(any_spark) == before


def test_another_session_keeps_its_own(spark):
    other = spark.newSession()
    before = values(other)
    with changed_settings(spark, {NAME: "1048576", UNSET: "mine"}):
        assert values(other) == before
        with changed_settings(other, {UNSET: "other"}):
            assert (values(spark)[1], values(other)[1]) == ("mine", "other")
        assert values(other) == before


def test_a_setting_that_is_refused_is_left_alone(any_spark):
    static = "spark.sql.warehouse.dir"
    before = any_spark.conf.get(static)
    with changed_settings(any_spark, {static: "/elsewhere", UNSET: "mine"}):
        assert (any_spark.conf.get(static), any_spark.conf.get(UNSET)) == (before, "mine")
    assert any_spark.conf.get(UNSET, None) is None


def test_an_error_while_they_are_changed_restores_them(spark):
    before = values(spark)
    not_a_string = object()
    with pytest.raises((AttributeError, TypeError)), changed_settings(spark, {NAME: "1048576", UNSET: not_a_string}):
        pass
    assert values(spark) == before
