"""Prints the picks of every method from a pool that lies on one device or several; run by test_sharding.

Its arguments are the numbers of devices, of which there may be more; or, for a pool spread over all devices of several
processes, which are started together: COORDINATOR NUM_PROCESSES PROCESS.
"""

import json
import sys

import jax
import numpy as np

# The options that are not the defaults.
OPTIONS = {
    "batch_bald": {"num_samples": 50},
    "lbb": {"redundancy": "tree"},
    "power_lbb": {"redundancy": "tree"},
    "epig": {"num_targets": 20, "sampling": "power"},
    "batch_epig": {"num_targets": 20},
}


def main(arguments: list[str]) -> None:
    if ":" in arguments[0]:
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        coordinator, num_processes, process = arguments
        jax.distributed.initialize(coordinator, int(num_processes), int(process))
        arguments = [jax.device_count()]
    print(json.dumps({int(num_devices): picks_on(jax.devices()[: int(num_devices)]) for num_devices in arguments}))


def picks_on(devices: list[jax.Device]) -> dict[str, list[int]]:
    """What each method picks, in order, from a pool spread over ``devices``."""
    from lbb_jax import acquisition, sharding
    from lbb_jax.acquisition import lazy_greedy

    # Smaller than the pool, so that points outside the front are brought in across devices.
    lazy_greedy.FRONT_SIZE = 16
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.full(4, 0.3), size=(101, 6))
    available = np.arange(101) % 5 != 2
    log_probs, mask = sharding.shard_pool(np.log(probs), available, mesh=sharding.pool_mesh(devices))
    assert log_probs.sharding.device_set == set(devices)
    picks = {}
    # Points that only fill the pool up have no embedding: to core-set they would be labelled points.
    embeddings = np.full((len(log_probs), 3), np.nan, np.float32)
    embeddings[:101] = np.random.default_rng(1).normal(size=(101, 3))
    for method, row in acquisition.METHODS.items():
        options = {"embeddings": embeddings} if row.uses_embeddings else OPTIONS.get(method, {})
        picked = acquisition.acquire(
            jax.random.key(1), log_probs, method=method, batch_size=7, available=mask, **options
        )
        picks[f"{method} {sorted(options)}"] = [int(index) for index in np.asarray(picked.indices)]
    return picks


if __name__ == "__main__":
    main(sys.argv[1:])
