import os

import pytest

from lbb_jax import paths
from lbb_jax.paths import PathError

FUNCTIONS = [paths.resolve, paths.folder, paths.output_folder, paths.output_file, paths.input_file]


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_tilde_is_the_home_folder(function, home):
    path = home / "runs"
    if function is paths.input_file:
        path.write_text("")
    assert function("~/runs", name="--workdir") == path


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("", r"--workdir='': is empty; name a path, and see that no variable in it is unset"),
        ("  ", r"--workdir='  ': is empty"),
        ("gs://bucket/run", r"--workdir=gs://bucket/run: only local paths are supported"),
        ("s3://bucket", r"--workdir=s3://bucket: only local paths are supported"),
        ("a\0b", r"--workdir='a\\x00b': holds a null character"),
        ("x" * 300, r"--workdir=x*: cannot be used \(File name too long\); name another"),
        ("~nobody_of_this_name/runs", r"--workdir=~nobody_of_this_name/runs: .*home"),
    ],
)
def test_what_is_no_local_path_is_an_error_that_names_the_argument(function, path, message):
    with pytest.raises(PathError, match=message):
        function(path, name="--workdir")


def test_a_file_is_no_folder_and_a_folder_no_file(tmp_path):
    (tmp_path / "file.png").write_text("")
    with pytest.raises(PathError, match=r"encoder=.*file\.png: is a file; name a folder"):
        paths.folder(tmp_path / "file.png", name="encoder")
    for within in ("file.png", "file.png/run"):
        with pytest.raises(PathError, match=r"--workdir=.*: cannot be written to: .*file\.png is a file"):
            paths.output_folder(tmp_path / within, name="--workdir")
    for function in (paths.output_file, paths.input_file):
        with pytest.raises(PathError, match=r"--output=.*: is a folder; name a file"):
            function(tmp_path, name="--output")
    with pytest.raises(PathError, match=r"--output=.*: cannot be written to: .*file\.png is a file"):
        paths.output_file(tmp_path / "file.png" / "curves.png", name="--output")
    with pytest.raises(PathError, match=r"--predictions=.*: there is no such file"):
        paths.input_file(tmp_path / "nosuch.npy", name="--predictions")


def test_a_suffix_that_is_not_allowed_is_an_error_that_names_those_that_are(tmp_path):
    for name in ("curves", "curves.txt"):
        with pytest.raises(PathError, match=rf"--output=.*{name}: must end in \.pdf or \.png"):
            paths.output_file(tmp_path / name, name="--output", suffixes=(".png", ".pdf"))
    assert paths.output_file(tmp_path / "CURVES.PNG", name="--output", suffixes=(".png",)) == tmp_path / "CURVES.PNG"


def test_what_cannot_be_written_or_read_is_an_error_before_anything_is_made(tmp_path, monkeypatch):
    (tmp_path / "log_probs.npy").write_text("")
    # Who runs the tests may be allowed everything.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(PathError, match=rf"--workdir=.*: cannot be written to: {tmp_path} is read-only"):
        paths.output_folder(tmp_path / "runs" / "bald", name="--workdir")
    with pytest.raises(PathError, match=rf"--output=.*: cannot be written to: {tmp_path} is read-only"):
        paths.output_file(tmp_path / "curves.png", name="--output")
    with pytest.raises(PathError, match=r"--predictions=.*: cannot be read"):
        paths.input_file(tmp_path / "log_probs.npy", name="--predictions")
    assert os.listdir(tmp_path) == ["log_probs.npy"]
