"""Spark Connect: what a client is."""

from sparkalbert.ml.session.connect import is_connect_session


def test_clients_are_told_from_classic_sessions(request):
    assert not is_connect_session(request.getfixturevalue("spark"))
    assert is_connect_session(request.getfixturevalue("connect_spark"))
