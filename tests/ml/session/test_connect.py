"""Spark Connect clients are recognized."""

from sparkalbert.ml.session.connect import is_connect_session


def test_only_a_client_is_a_connect_session(request):
    assert not is_connect_session(request.getfixturevalue("spark"))
    assert is_connect_session(request.getfixturevalue("connect_spark"))
