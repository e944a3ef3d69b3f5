"""The same picks wherever the pool lies: on one device or several, in one process or two."""

import json
import os
import pathlib
import socket
import subprocess
import sys

import jax
import numpy as np
import pytest

from lbb_jax import acquisition, sharding

SCRIPT = pathlib.Path(__file__).with_name("picks_of_devices.py")


def start(num_devices: int, *arguments: str, script: pathlib.Path = SCRIPT) -> subprocess.Popen:
    flags = f"--xla_force_host_platform_device_count={num_devices}"
    environment = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    command = [sys.executable, str(script), *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def result(process: subprocess.Popen) -> dict:
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return json.loads(output.splitlines()[-1])


@pytest.fixture(scope="module")
def picks_of_one_device() -> dict:
    return result(start(1))["picks"]


@pytest.mark.parametrize("num_devices", [2, 8])
def test_picks_do_not_depend_on_the_number_of_devices(num_devices, picks_of_one_device):
    found = result(start(num_devices))
    assert found == {"devices": num_devices, "picks": picks_of_one_device}


def test_two_processes_make_the_picks_of_one(picks_of_one_device):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        coordinator = f"localhost:{free.getsockname()[1]}"
    processes = [start(2, coordinator, "2", str(process)) for process in range(2)]
    for process in processes:
        assert result(process) == {"devices": 4, "picks": picks_of_one_device}


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
    with pytest.raises(ValueError, match="available has shape"):
        sharding.shard_pool(np.zeros((5, 2, 1)), np.ones(4, bool))


def test_seeds_on_several_devices_acquire_what_they_do_on_one():
    acquired = result(start(8, script=SCRIPT.with_name("runs_of_devices.py")))
    assert acquired.keys() == {"1", "2", "4", "8"}
    for runs in acquired.values():
        # Training may round differently on another device; the first round's picks tell.
        assert [rounds[0] for rounds in runs] == [rounds[0] for rounds in acquired["1"]]
