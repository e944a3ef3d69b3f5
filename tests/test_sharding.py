"""The same picks wherever the pool lies: on one device or several, in one process or two."""

import json
import pathlib
import socket
import sys

import jax
import numpy as np
import pytest
import streams_of_processes
from generate import stream_tables
from script_processes import Script

from lbb_jax import acquisition, sharding

SCRIPT = pathlib.Path(__file__).parent / "support" / "picks_of_devices.py"


def start(num_devices: int, *arguments: str, script: pathlib.Path = SCRIPT) -> Script:
    return Script(script, *arguments, num_devices=num_devices)


def result(process: Script) -> dict:
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    return json.loads(output.splitlines()[-1])


def bytes_planned(num_processes: int) -> list[int]:
    """What the page on streams says that a process receives of this stream, by the number of rounds."""
    stream = {"K": 5, "C": 4, "b": streams_of_processes.BATCH_SIZE}
    return [stream_tables.bytes_received(num_processes, stream, num_rounds) for num_rounds in range(8)]


@pytest.fixture(scope="module")
def picks() -> dict:
    """The picks from a pool on one device, and on eight, in one process."""
    found = result(start(8, "1", "8"))
    assert found.keys() == {"1", "8"}
    return found


@pytest.mark.slow
def test_picks_do_not_depend_on_the_number_of_devices(picks):
    assert picks["8"] == picks["1"]


@pytest.mark.slow
def test_two_processes_make_the_picks_of_one(picks):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        coordinator = f"localhost:{free.getsockname()[1]}"
    processes = [start(2, coordinator, "2", str(process)) for process in range(2)]
    for process in processes:
        assert result(process) == {"4": picks["1"]}


@pytest.mark.slow
@pytest.mark.parametrize("num_processes", [2, 4])
def test_processes_that_share_a_stream_make_the_picks_of_one(num_processes):
    script = SCRIPT.with_name("streams_of_processes.py")
    alone = result(start(1, script=script))
    with socket.socket() as free:
        free.bind(("localhost", 0))
        coordinator = f"localhost:{free.getsockname()[1]}"
    arguments = [(coordinator, str(num_processes), str(process)) for process in range(num_processes)]
    shared = [result(process) for process in [start(1, *each, script=script) for each in arguments]]
    for name, expected in alone.items():
        of_processes = [found[name] for found in shared]
        for found in of_processes:
            assert (found["indices"], found["num_points"]) == (expected["indices"], expected["num_points"])
            assert found["certified"]
        # All get the same from the others, and nothing else is sent but what the sending itself takes.
        (received,) = {found["received"] for found in of_processes}
        more = [received - planned for planned in bytes_planned(num_processes)]
        assert any(0 <= each <= 40 * (num_processes - 1) for each in more), (name, more)
        total, said = sum(found["sent"] for found in of_processes), num_processes * received
        if sys.platform == "linux":
            assert total <= 1.3 * said, name
            # What went through a socket that was closed meanwhile is not counted.
            assert said <= total or not all(found["all_open"] for found in of_processes), name


def test_a_pool_is_padded_with_points_that_are_not_available():
    log_probs = np.zeros((5, 2, 1))
    spread, available = sharding.shard_pool(log_probs, np.array([True, False, True, True, True]))
    assert spread.shape == (6, 2, 1)
    np.testing.assert_array_equal(available, [True, False, True, True, True, False])
    assert spread.dtype == np.float32
    assert len(spread.sharding.device_set) == 2
    picked = acquisition.acquire(jax.random.key(0), spread, method="random", batch_size=4, available=available)
    assert sorted(picked.indices.tolist()) == [0, 2, 3, 4]


def test_some_devices_can_be_chosen():
    spread, _ = sharding.shard_pool(np.zeros((5, 2, 1)), mesh=sharding.pool_mesh(jax.devices()[:1]))
    assert spread.shape == (5, 2, 1)


def test_wrong_shapes_are_errors():
    with pytest.raises(ValueError, match="log_probs has shape"):
        sharding.shard_pool(np.zeros((5, 2)))
    with pytest.raises(ValueError, match=r"available has dtype bool and shape \(4,\)"):
        sharding.shard_pool(np.zeros((5, 2, 1)), np.ones(4, bool))


@pytest.mark.slow
def test_seeds_on_several_devices_acquire_what_they_do_on_one():
    acquired = result(start(4, script=SCRIPT.with_name("runs_of_devices.py")))
    assert acquired.keys() == {"1", "2", "4"}
    for runs in acquired.values():
        # Training may round differently on another device; the first round's picks tell.
        assert [rounds[0] for rounds in runs] == [rounds[0] for rounds in acquired["1"]]
