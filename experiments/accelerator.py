"""Checks and times everything on a GPU or TPU, within eight minutes.

    make accelerator                                    # with the python3 of this machine; ON=... names another
    python experiments/accelerator.py --rehearse        # everything on any device, small

It needs JAX for the device, and lbb_jax without extras. Every row is a line of JSON in the output file. Each time is
given with the least time that the device's memory and arithmetic need, from the operations and bytes that XLA counts
and the rates measured here. A case that fails, even one that kills its process, is a row that says so. Ends with status
1 if a case or a check fails.
"""

import argparse
import concurrent.futures
import functools
import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax

import lbb_jax
from paper.benchmarks import accelerator_cases, accelerator_checks, child_process, roofline

_DEVICE = "the device"


def main() -> None:
    """Runs what the arguments name."""
    arguments = _parse()
    sizes = accelerator_cases.REHEARSAL if arguments.rehearse else accelerator_cases.FULL
    work = functools.partial(_work, sizes=sizes, deadline=time.monotonic() + 60 * arguments.minutes)
    # A device has memory for one process only, so this one must not use it.
    rows = child_process.rows(work, _groups(sizes))
    device = next(rows)
    if "error" in device:
        sys.exit(f"error: {device['error']}")
    if device["platform"] == "cpu" and not arguments.rehearse:
        sys.exit("error: JAX finds no GPU or TPU; install JAX for it (jax[cuda13], jax[tpu]), or pass --rehearse")
    num_faults = 0
    with open(arguments.output, "w", encoding="utf-8") as file:
        for row in itertools.chain([device], rows):
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


def _groups(sizes: accelerator_cases.Sizes) -> list[list[str]]:
    """The names of all tasks; the timed cases of a group are compiled together."""
    timed = [[case.full_name for case in group] for group in accelerator_cases.groups(sizes)]
    return [[name] for name in (_DEVICE, *_checks(sizes))] + timed


def _checks(sizes: accelerator_cases.Sizes) -> Mapping[str, Callable[[], Iterator[dict[str, Any]]]]:
    """What is compared and counted before anything is timed."""
    return {
        "methods": accelerator_checks.check_methods,
        "forms": accelerator_checks.check_forms,
        "posteriors": accelerator_checks.check_posteriors,
        "experiment": lambda: accelerator_cases.experiment(sizes),
    }


def _work(groups: child_process.Groups, *, sizes: accelerator_cases.Sizes, deadline: float) -> child_process.Progress:
    """Does tasks in a process of their own."""
    if sizes != accelerator_cases.FULL:
        # A rehearsal tests what is computed, not how fast.
        jax.config.update("jax_disable_most_optimizations", True)
    checks = {_DEVICE: lambda: _describe_device(sizes), **_checks(sizes)}
    cases = {case.full_name: case for group in accelerator_cases.groups(sizes) for case in group}
    for names in groups:
        if time.monotonic() > deadline and names[0] != _DEVICE:
            for name in names:
                yield from child_process.whole(name, [{"case": name, "left_out": "no time was left"}])
        elif names[0] in checks:
            yield from child_process.whole(names[0], _guarded(names[0], checks[names[0]]))
        else:
            for name, row in _timed([cases[name] for name in names], sizes):
                yield from child_process.whole(name, [row])


def _describe_device(sizes: accelerator_cases.Sizes) -> Iterator[dict[str, Any]]:
    device = jax.devices()[0]
    yield {
        "device": device.device_kind,
        "platform": device.platform,
        "devices": jax.device_count(),
        "jax": jax.__version__,
        "lbb_jax": lbb_jax.__version__,
        "memory_gigabytes": _memory("bytes_limit"),
    }
    yield {"rates": {name: float(f"{rate:.4g}") for name, rate in _rates(sizes)._asdict().items()}}


@functools.cache
def _rates(sizes: accelerator_cases.Sizes) -> roofline.Rates:
    """The rates of the device, measured once in each process."""
    is_full = sizes == accelerator_cases.FULL
    return roofline.measure_rates(num_numbers=2**28 if is_full else 2**20, matrix_size=8192 if is_full else 256)


def _timed(
    group: Sequence[accelerator_cases.AcceleratorCase], sizes: accelerator_cases.Sizes
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The names and rows of a group of cases, which are compiled side by side before any is timed."""
    with concurrent.futures.ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        compiling = [pool.submit(case.make) for case in group]
        concurrent.futures.wait(compiling)
    for case, made in zip(group, compiling, strict=True):
        try:
            rates = _rates(sizes)
            row = accelerator_cases.measure(case.name, case.dtype, made.result(), rates, repetitions=sizes.repetitions)
            yield case.full_name, row | {"peak_gigabytes": _memory("peak_bytes_in_use")}
        except Exception as error:
            yield case.full_name, _fault(case.full_name, error)


def _guarded(name: str, rows: Callable[[], Iterator[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    """The rows of ``rows``; after an error, a row that says why there are no more."""
    try:
        yield from rows()
    # A case that runs out of memory or cannot be compiled must not prevent the others.
    except Exception as error:
        yield _fault(name, error)


def _fault(name: str, error: Exception) -> dict[str, Any]:
    return {"case": name, "error": f"{type(error).__name__}: {str(error)[:500]}"}


def _memory(name: str) -> float | None:
    """A number of the device's allocator in gigabytes; None where it has none."""
    number = (jax.devices()[0].memory_stats() or {}).get(name)
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
