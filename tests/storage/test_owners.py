"""Whose a file is, also where the system reports no owners."""

import os

from sparkalbert.storage.owners import is_trusted, user_id


def owned_by(user):
    return os.stat_result((0o100644, 1, 1, 1, user, user, 0, 0, 0, 0))


def test_files_of_this_user_and_root_are_trusted(monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    assert user_id() == 1000
    assert [is_trusted(owned_by(user)) for user in (1000, 0, 1001)] == [True, True, False]


def test_on_windows_every_file_has_the_owner_0(monkeypatch):
    monkeypatch.delattr(os, "getuid")
    assert user_id() == 0
    assert is_trusted(owned_by(0))
