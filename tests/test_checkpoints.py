import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lbb_jax.checkpoints import Checkpoints
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
        return checkpoints.restore(like=states_of(0))


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


@pytest.mark.parametrize("damage", [cut_every_file, remove_the_arrays])
def test_a_damaged_checkpoint_is_set_aside_and_the_one_before_used(damage, tmp_path, caplog):
    save(tmp_path, 1, 2)
    damage(tmp_path / "2")
    with caplog.at_level("WARNING", logger="lbb_jax"):
        assert_same(restore(tmp_path), states_of(1))
    assert "is damaged" in caplog.text
    assert (tmp_path / "damaged-2").is_dir()
    # The run that goes on saves that round again.
    save(tmp_path, 2)
    assert_same(restore(tmp_path), states_of(2))


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
