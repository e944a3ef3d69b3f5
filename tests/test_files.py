import os

import pytest

from lbb_jax import files


def test_content_replaces_what_was_there_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "folder" / "file.txt"
    files.write_whole(path, "first")
    files.write_whole(path, "second")
    assert path.read_text() == "second"
    assert os.listdir(path.parent) == ["file.txt"]


def test_a_failed_write_leaves_the_old_content(tmp_path, monkeypatch):
    path = tmp_path / "file.txt"
    files.write_whole(path, "first")

    def full_disk(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        files.write_whole(path, "second")
    assert path.read_text() == "first"
    assert os.listdir(tmp_path) == ["file.txt"]
