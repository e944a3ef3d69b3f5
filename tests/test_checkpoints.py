import errno
import json
import os

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pytest

from lbb_jax import checkpoints
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
    for number in round_numbers:
        checkpoints.save(folder, states_of(number))


def test_nothing_saved_is_nothing_restored(tmp_path):
    assert checkpoints.restore(tmp_path / "nowhere", states_of(0)) == checkpoints.Restored(None, {})


def test_the_last_states_come_back_to_the_bit_and_two_are_kept(tmp_path):
    save(tmp_path, 8, 9, 10, 11)
    assert sorted(os.listdir(tmp_path)) == ["10.json", "11.json"]
    found = checkpoints.restore(tmp_path, states_of(0))
    assert found.damaged == {}
    assert_same(found.states, states_of(11))
    assert jax.tree.map(lambda leaf: leaf.dtype, found.states) == jax.tree.map(lambda leaf: leaf.dtype, states_of(11))


def cut(path):
    path.write_bytes(path.read_bytes()[:-30])


def change_a_number(path):
    content = json.loads(path.read_text())
    content["states"]["labelled.indices"][0][0] += 1
    path.write_text(json.dumps(content))


def replace_by_that_of_another_round(path):
    path.write_bytes(path.with_name("1.json").read_bytes())


def replace_by_a_folder(path):
    path.unlink()
    path.mkdir()


def replace_by_a_pipe(path):
    path.unlink()
    os.mkfifo(path)


def replace_by_another_object(path):
    path.write_text("[7]")


DAMAGES = [
    *(cut, change_a_number, replace_by_that_of_another_round),
    *(replace_by_a_folder, replace_by_a_pipe, replace_by_another_object),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_gives_way_to_the_one_before_and_can_be_set_aside(damage, tmp_path):
    save(tmp_path, 1, 2)
    damage(tmp_path / "2.json")
    (tmp_path / "damaged-2.json").write_text("set aside before")
    found = checkpoints.restore(tmp_path, states_of(0))
    assert_same(found.states, states_of(1))
    assert list(found.damaged) == [tmp_path / "2.json"]
    assert checkpoints.set_aside(tmp_path / "2.json").name == "damaged-2-2.json"
    # The run that goes on saves that round again.
    save(tmp_path, 2)
    assert_same(checkpoints.restore(tmp_path, states_of(0)).states, states_of(2))


def test_when_every_checkpoint_is_damaged_there_is_none(tmp_path):
    save(tmp_path, 1, 2)
    for name in os.listdir(tmp_path):
        cut(tmp_path / name)
    found = checkpoints.restore(tmp_path, states_of(0))
    assert found.states is None
    assert len(found.damaged) == 2


def test_a_failure_that_passes_costs_no_checkpoint(tmp_path, monkeypatch):
    save(tmp_path, 1, 2)

    def fail(*arguments, **options):
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr("pathlib.Path.read_text", fail)
        with pytest.raises(OSError, match="Input/output"):
            checkpoints.restore(tmp_path, states_of(0))
    assert_same(checkpoints.restore(tmp_path, states_of(0)).states, states_of(2))


def test_a_checkpoint_that_is_whole_and_of_other_shapes_is_an_error(tmp_path):
    save(tmp_path, 1, 2)
    like = states_of(0)._replace(labelled=LabelledSet(jnp.zeros((2, 6), jnp.int32), jnp.zeros(2, jnp.int32)))
    with pytest.raises(ExperimentError, match=r"2\.json: labelled\.indices has shape \(2, 5\): must be \(2, 6\)"):
        checkpoints.restore(tmp_path, like)


@pytest.fixture
def older(tmp_path):
    """A folder of checkpoints as older versions wrote them, with orbax."""
    for number in (1, 2):
        with ocp.StandardCheckpointer() as checkpointer:
            content = {"states": states_of(number)._asdict(), "checksum": np.array(7, np.uint32)}
            checkpointer.save(tmp_path / str(number) / "default", content)
    return tmp_path


def test_checkpoints_of_an_older_version_are_restored_until_there_is_another(older):
    assert_same(checkpoints.restore(older, states_of(0)).states, states_of(2))
    save(older, 3)
    assert_same(checkpoints.restore(older, states_of(0)).states, states_of(3))


def test_a_damaged_checkpoint_of_an_older_version_is_named(older):
    for path in (older / "2" / "default").rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ExperimentError, match=r"/2 of an older version cannot be restored \(.*remove it"):
        checkpoints.restore(older, states_of(0))
