import errno
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


def chained(error, cause):
    try:
        raise error from cause
    except type(error) as raised:
        return raised


FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (FULL, errno.ENOSPC),
        (chained(ValueError("cannot save"), FULL), errno.ENOSPC),
        (ExceptionGroup("several", [KeyError("a"), FULL]), errno.ENOSPC),
        (ValueError("RESOURCE_EXHAUSTED: Error writing: [OS error 28: No space left on device]"), errno.ENOSPC),
        (RuntimeError("Disk quota exceeded"), errno.EDQUOT),
        (FileNotFoundError(errno.ENOENT, "No such file or directory"), None),
        (IsADirectoryError(errno.EISDIR, "Is a directory"), None),
        (ValueError("DATA_LOSS: checksum"), None),
    ],
)
def test_a_failure_that_may_pass_is_found_behind_what_libraries_make_of_it(error, code):
    found = files.passing_failure(error)
    assert (found and found.errno) == code


def test_the_cache_folder_is_the_users(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "~/cache")
    folder = files.cache_folder("embeddings")
    assert folder.is_relative_to(tmp_path)
    assert folder.name == "embeddings"
