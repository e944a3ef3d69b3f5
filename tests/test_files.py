import os

import pytest

from lbb_jax import files


def test_content_replaces_what_was_there_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "folder" / "file.txt"
    files.atomic_write(path, "first")
    files.atomic_write(path, "second")
    assert path.read_text() == "second"
    assert os.listdir(path.parent) == ["file.txt"]


def test_a_failed_write_leaves_the_old_content(tmp_path, monkeypatch):
    path = tmp_path / "file.txt"
    files.atomic_write(path, "first")

    def full_disk(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        files.atomic_write(path, "second")
    assert path.read_text() == "first"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_what_is_appended_stands_at_the_end(tmp_path):
    files.append(tmp_path / "file.txt", "first\n")
    files.append(tmp_path / "file.txt", "second\n")
    assert (tmp_path / "file.txt").read_text() == "first\nsecond\n"


def test_an_append_that_fails_takes_back_what_it_had_written(tmp_path, monkeypatch):
    path = tmp_path / "file.txt"
    files.append(path, "first\n")

    def full_disk(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        files.append(path, "second\n")
    assert path.read_text() == "first\n"


def test_the_cache_folder_is_the_users(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "~/cache")
    folder = files.cache_folder("embeddings")
    assert folder.is_relative_to(tmp_path)
    assert folder.name == "embeddings"
