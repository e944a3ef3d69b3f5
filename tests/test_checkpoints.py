import errno
import os
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pytest

from lbb_jax.checkpoints import Checkpoints
from lbb_jax.errors import ExperimentError
from lbb_jax.labelled_set import LabelledSet
from lbb_jax.loop import State


def states_of(round_number):
    """States of two seeds, other ones in each round."""
    indices = jnp.arange(10, dtype=jnp.int32).reshape(2, 5) + round_number
    sizes = jnp.full(2, 3, jnp.int32)
    return State(
        jax.vmap(jax.random.key)(jnp.arange(2) + round_number),
        LabelledSet(indices, sizes),
        jnp.full(2, round_number, jnp.int32),
    )


def assert_same(found, expected):
    np.testing.assert_array_equal(jax.random.key_data(found.key), jax.random.key_data(expected.key))
    np.testing.assert_array_equal(found.labelled.indices, expected.labelled.indices)
    np.testing.assert_array_equal(found.round, expected.round)


def save(folder, *round_numbers):
    with Checkpoints(folder) as checkpoints:
        for number in round_numbers:
            checkpoints.save(states_of(number))


def restore(folder):
    with Checkpoints(folder) as checkpoints:
        found = checkpoints.restore(like=states_of(0))
        checkpoints.set_aside(found.damaged)
        return found.states


def test_nothing_saved_is_nothing_restored(tmp_path):
    assert restore(tmp_path) is None


def test_the_last_states_come_back_to_the_bit(tmp_path):
    save(tmp_path, 1, 2, 3)
    assert_same(restore(tmp_path), states_of(3))


def cut_every_file(checkpoint):
    for path in checkpoint.rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def remove_the_arrays(checkpoint):
    for path in checkpoint.rglob("*"):
        if path.is_file() and "METADATA" not in path.name:
            path.unlink()


def remove_the_arrays_of_an_older_version(checkpoint):
    (checkpoint / "files.json").unlink()
    shutil.rmtree(checkpoint / "default")


def replace_it_by_a_file(checkpoint):
    shutil.rmtree(checkpoint)
    checkpoint.write_text("not a folder")


def replace_it_by_a_link(checkpoint):
    shutil.rmtree(checkpoint)
    checkpoint.symlink_to("1")


DAMAGES = [
    *(cut_every_file, remove_the_arrays, remove_the_arrays_of_an_older_version),
    *(replace_it_by_a_file, replace_it_by_a_link),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_set_aside_and_the_one_before_used(damage, tmp_path, caplog):
    save(tmp_path, 1, 2)
    damage(tmp_path / "2")
    with caplog.at_level("WARNING", logger="lbb_jax"):
        assert_same(restore(tmp_path), states_of(1))
    assert "is damaged" in caplog.text
    assert os.path.lexists(tmp_path / "damaged-2")
    # The run that goes on saves that round again.
    save(tmp_path, 2)
    assert_same(restore(tmp_path), states_of(2))


def test_a_checkpoint_of_an_older_version_is_restored(tmp_path):
    save(tmp_path, 1)
    (tmp_path / "1" / "files.json").unlink()
    assert_same(restore(tmp_path), states_of(1))


FAILURES = [
    # As Python, and as libraries that keep only its words, tell of a failure that passes.
    OSError(errno.EIO, "Input/output error"),
    ValueError("RESOURCE_EXHAUSTED: Error opening file [OS error 24: EMFILE Too many open files]"),
]


@pytest.mark.parametrize("failure", FAILURES, ids=["python", "library"])
@pytest.mark.parametrize("has_hashes", [True, False])
def test_a_failure_that_passes_costs_no_checkpoint(failure, has_hashes, tmp_path, monkeypatch):
    save(tmp_path, 1, 2)
    if not has_hashes:
        (tmp_path / "2" / "files.json").unlink()
    with monkeypatch.context() as patched:
        patched.setattr(ocp.StandardCheckpointer, "restore", raising(failure))
        with pytest.raises(OSError, match=r"Input/output|Too many open files"):
            restore(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["1", "2"]
    assert_same(restore(tmp_path), states_of(2))


def raising(error):
    def raise_it(*arguments, **options):
        raise error

    return raise_it


def test_a_checkpoint_that_is_whole_is_never_set_aside(tmp_path, monkeypatch):
    save(tmp_path, 1, 2)
    monkeypatch.setattr(ocp.StandardCheckpointer, "restore", raising(ValueError("sharding of another device")))
    with pytest.raises(ExperimentError, match=r"2 is what was saved, and cannot be restored .*sharding of another"):
        restore(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["1", "2"]


def test_a_full_disk_is_told_whichever_library_notices_it(tmp_path, monkeypatch):
    monkeypatch.setattr(ocp.CheckpointManager, "save", raising(ValueError("[OS error 28: No space left on device]")))
    with pytest.raises(OSError, match="No space left on device"):
        save(tmp_path, 1)


def test_content_that_is_not_what_was_saved_is_damage(tmp_path, monkeypatch, caplog):
    save(tmp_path, 1)
    monkeypatch.setattr("lbb_jax.checkpoints._checksum", lambda states: 7)
    save(tmp_path, 2)
    monkeypatch.undo()
    assert_same(restore(tmp_path), states_of(1))
    assert "checksum" in caplog.text


def test_when_every_checkpoint_is_damaged_there_is_none(tmp_path):
    save(tmp_path, 1, 2)
    for number in (1, 2):
        cut_every_file(tmp_path / str(number))
    assert restore(tmp_path) is None
