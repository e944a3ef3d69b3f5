"""Checks and times everything on a GPU or TPU, within eight minutes.

    make accelerator                                    # with the python3 of this machine; ON=... names another
    python experiments/accelerator.py --rehearse        # everything on any device, small

It needs JAX for the device, and lbb_jax without extras. Every row is a line of JSON in the output file. Each time is
given with the least time that the device's memory and arithmetic need, from the operations and bytes that XLA counts
and the rates measured here. Ends with status 1 if a check fails or a case ends with an error.
"""

import argparse
import concurrent.futures
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax

import lbb_jax
from paper.benchmarks import accelerator_cases, accelerator_checks, roofline


def main() -> None:
    """Runs what the arguments name."""
    arguments = _parse()
    device = jax.devices()[0]
    if device.platform == "cpu" and not arguments.rehearse:
        sys.exit("error: JAX finds no GPU or TPU; install JAX for it (jax[cuda13], jax[tpu]), or pass --rehearse")
    sizes = accelerator_cases.REHEARSAL if arguments.rehearse else accelerator_cases.FULL
    if arguments.rehearse:
        # A rehearsal tests what is computed, not how fast.
        jax.config.update("jax_disable_most_optimizations", True)
    deadline = time.monotonic() + 60 * arguments.minutes
    num_faults = 0
    with open(arguments.output, "w", encoding="utf-8") as file:
        for row in _rows(sizes, device, deadline):
            file.write(json.dumps(row) + "\n")
            file.flush()
            print(_line(row), flush=True)
            num_faults += "error" in row or not row.get("passed", True)
    print(f"rows: {arguments.output}; faults: {num_faults}")
    sys.exit(num_faults > 0)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rehearse", action="store_true", help="small sizes, on any device")
    parser.add_argument("--minutes", type=float, default=6.5, help="no case begins after these")
    parser.add_argument("--output", default="accelerator.jsonl", help="the file of the rows")
    return parser.parse_args()


def _rows(sizes: accelerator_cases.Sizes, device: jax.Device, deadline: float) -> Iterator[dict[str, Any]]:
    """All rows, as each is done."""
    yield {
        "device": device.device_kind,
        "platform": device.platform,
        "devices": jax.device_count(),
        "jax": jax.__version__,
        "lbb_jax": lbb_jax.__version__,
        "memory_gigabytes": _memory(device, "bytes_limit"),
    }
    large = sizes != accelerator_cases.REHEARSAL
    rates = roofline.measure_rates(num_numbers=2**28 if large else 2**20, matrix_size=8192 if large else 256)
    yield {"rates": {name: float(f"{rate:.4g}") for name, rate in rates._asdict().items()}}
    for name, checks in (
        ("methods", accelerator_checks.check_methods),
        ("forms", accelerator_checks.check_forms),
        ("posteriors", accelerator_checks.check_posteriors),
        ("experiment", lambda: accelerator_cases.experiment(sizes)),
    ):
        yield from _guarded(name, checks, deadline)
    for group in accelerator_cases.groups(sizes):
        if time.monotonic() < deadline:
            yield from _timed(group, sizes, device, rates)
        else:
            yield from ({"case": case.name, "dtype": case.dtype, "left_out": "no time was left"} for case in group)


def _timed(
    group: Sequence[accelerator_cases.AcceleratorCase],
    sizes: accelerator_cases.Sizes,
    device: jax.Device,
    rates: roofline.Rates,
) -> Iterator[dict[str, Any]]:
    """The rows of a group of cases, which are compiled side by side before any is timed."""
    with concurrent.futures.ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        compiling = [pool.submit(case.make) for case in group]
        concurrent.futures.wait(compiling)
    for case, made in zip(group, compiling, strict=True):
        try:
            row = accelerator_cases.measure(case.name, case.dtype, made.result(), rates, repetitions=sizes.repetitions)
            yield row | {"peak_gigabytes": _memory(device, "peak_bytes_in_use")}
        except Exception as error:
            yield _fault(case.name, error)


def _guarded(name: str, rows: Callable[[], Iterator[dict[str, Any]]], deadline: float) -> Iterator[dict[str, Any]]:
    """The rows of ``rows``; after an error or the deadline, a row that says why there are no more."""
    if time.monotonic() > deadline:
        yield {"case": name, "left_out": "no time was left"}
        return
    try:
        yield from rows()
    # A case that runs out of memory or cannot be compiled must not prevent the others.
    except Exception as error:
        yield _fault(name, error)


def _fault(name: str, error: Exception) -> dict[str, Any]:
    return {"case": name, "error": f"{type(error).__name__}: {str(error)[:500]}"}


def _memory(device: jax.Device, name: str) -> float | None:
    """A number of the device's allocator in gigabytes; None where it has none."""
    number = (device.memory_stats() or {}).get(name)
    return None if number is None else round(number / 1e9, 2)


def _line(row: dict[str, Any]) -> str:
    """A row of the table."""
    if "milliseconds" in row:
        least, share = row["least_milliseconds"], row["share_of_roofline"]
        return f"{row['case']:<72}{row['dtype']:>9}{row['milliseconds']:>12.3f} ms{least:>11.3f} least{share:>7.1%}"
    if "check" in row:
        return f"{row['check']:<72}{'as the CPU' if row['passed'] else 'DIFFERS':>12}   {row.get('largest_difference')}"
    name = row.get("case", "")
    return f"{name}  " + "  ".join(f"{key}={value}" for key, value in row.items() if key != "case")


if __name__ == "__main__":
    main()
