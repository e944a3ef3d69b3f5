"""Prints the picks from a stream or a pool that several processes share, and what these send; run by test_sharding.

Its arguments are COORDINATOR NUM_PROCESSES PROCESS; without any, one process has it all.
"""

import json
import os
import socket
import stat
import sys
import time

import jax
import numpy as np

STREAMED = {
    "lbb": ("lbb", {}),
    "power_lbb": ("power_lbb", {"redundancy": "tree"}),
    "power_bald": ("power_bald", {}),
}
NUM_POINTS, BATCH_SIZE, NUM_CANDIDATES = 1_200, 6, 40
# TCP_LISTEN, of the kernel.
_LISTENING = 10


def main(arguments: list[str]) -> None:
    num_processes, process = 1, 0
    if arguments:
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        coordinator, (num_processes, process) = arguments[0], map(int, arguments[1:])
        jax.distributed.initialize(coordinator, num_processes, process)
    part = slice(*(number * NUM_POINTS // num_processes for number in (process, process + 1)))
    found = {name: streamed(*STREAMED[name], part, is_shared=num_processes > 1) for name in STREAMED}
    print(json.dumps(found))


def streamed(method: str, options: dict, part: slice, *, is_shared: bool) -> dict:
    """What is picked from a stream of which this process reads ``part``."""
    from lbb_jax import acquisition

    log_probs = np.log(np.random.default_rng(0).dirichlet(np.full(4, 0.3), size=(NUM_POINTS, 5)))
    mine = log_probs[part]
    before = sent()
    picked = acquisition.acquire_stream(
        jax.random.key(1),
        lambda: np.array_split(mine, 3),
        method=method,
        batch_size=BATCH_SIZE,
        num_candidates=NUM_CANDIDATES,
        first_point=part.start if is_shared else None,
        **options,
    )
    return {
        "indices": picked.indices.tolist(),
        "certified": picked.certified,
        "num_points": picked.num_points,
        "received": picked.num_bytes_received,
        **sent_since(before),
    }


def sent_since(before: dict[int, int]) -> dict:
    """Bytes sent through the sockets that are open, and whether all that were open before still are."""
    after = sent()
    return {
        "sent": sum(count - before.get(number, 0) for number, count in after.items()),
        "all_open": before.keys() <= after.keys(),
    }


def sent() -> dict[int, int]:
    """Bytes sent through each open socket of this process, as the kernel counts them when all have arrived."""
    end = time.monotonic() + 30
    while True:
        arrived, num_unacknowledged = _arrived()
        if num_unacknowledged == 0:
            return arrived
        if time.monotonic() > end:
            raise TimeoutError(f"{num_unacknowledged} packets were not acknowledged within 30 seconds")
        time.sleep(0.001)


def _arrived() -> tuple[dict[int, int], int]:
    """Bytes that have arrived, by the inode of the socket, and packets of all sockets of which that is not known."""
    found, num_unacknowledged = {}, 0
    for name in os.listdir("/proc/self/fd") if sys.platform == "linux" else ():
        try:
            file = os.stat(int(name))
            if not stat.S_ISSOCK(file.st_mode):
                continue
            with socket.socket(fileno=os.dup(int(name))) as connection:
                # The kernel's struct tcp_info.
                information = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 128)
        except OSError:
            continue
        if len(information) >= 128:
            state, unacked, bytes_acked = information[0], information[24:28], information[120:128]
            found[file.st_ino] = int.from_bytes(bytes_acked, sys.byteorder)
            # Of a socket that listens, it is the number of connections that wait.
            num_unacknowledged += state != _LISTENING and int.from_bytes(unacked, sys.byteorder)
    return found, num_unacknowledged


if __name__ == "__main__":
    main(sys.argv[1:])
