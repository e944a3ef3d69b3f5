"""Prints what runs of four seeds acquire when they are spread over one device, two and four.

Run as a script by test_sharding.py, with as many virtual devices.
"""

import json

import jax
import jax.numpy as jnp
import numpy as np
import small_problem

from lbb_jax import seeds, sharding

NUM_SEEDS, NUM_ROUNDS = 4, 4


def acquired_on(num_devices: int) -> list:
    """What each seed acquired, by round."""
    settings, data = small_problem.settings("power_bald"), small_problem.data()
    mesh = sharding.seed_mesh(NUM_SEEDS, jax.devices()[:num_devices])
    assert mesh.size == num_devices

    def run(states, _, data):
        return seeds.run_rounds(states, data, settings, num_rounds=NUM_ROUNDS, at_once=1)

    states = sharding.shard_seeds(seeds.init(jnp.arange(NUM_SEEDS), data, settings), mesh)
    states, rounds = jax.jit(sharding.over_seeds(run, mesh))(states, None, sharding.replicate(data, mesh))
    assert np.all(states.round == NUM_ROUNDS)
    return np.asarray(rounds.batch.picked.indices).tolist()


if __name__ == "__main__":
    print(json.dumps({num_devices: acquired_on(num_devices) for num_devices in (1, 2, 4)}))
