"""Prints the picks of every method from a pool spread over all devices; run by test_sharding in processes of its own.

python picks_of_devices.py [COORDINATOR NUM_PROCESSES PROCESS]
"""

import json
import sys

import jax
import numpy as np

METHODS = [
    ("bald", {}),
    ("power_bald", {}),
    ("batch_bald", {"num_samples": 50}),
    ("lbb", {"redundancy": "tree"}),
    ("power_lbb", {"redundancy": "tree"}),
    ("lbb_released", {}),
    ("epig", {"num_targets": 20, "power": True}),
]


def main(arguments: list[str]) -> None:
    if arguments:
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        coordinator, num_processes, process = arguments
        jax.distributed.initialize(coordinator, int(num_processes), int(process))
    from lbb_jax import acquisition, sharding
    from lbb_jax.acquisition import lazy

    # Smaller than the pool, so that points outside the front are brought in across devices.
    lazy.FRONT_SIZE = 16
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.full(4, 0.3), size=(101, 6))
    available = np.arange(101) % 5 != 2
    log_probs, mask = sharding.shard_pool(np.log(probs), available)
    assert len(log_probs.sharding.device_set) == jax.device_count()
    picks = {}
    for method, options in METHODS:
        picked = acquisition.acquire(
            jax.random.key(1), log_probs, method=method, batch_size=7, available=mask, **options
        )
        picks[f"{method} {options}"] = [int(index) for index in np.asarray(picked.indices)]
    print(json.dumps({"devices": jax.device_count(), "picks": picks}))


if __name__ == "__main__":
    main(sys.argv[1:])
