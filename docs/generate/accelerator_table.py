"""Writes what was measured on GPUs and TPUs, and what the loops of the greedy forms are estimated to take there."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from generate import markdown
from lbb_jax.json_lines import read_lines

Row = dict[str, Any]
_NOTHING = "## On a GPU\n\nNothing has been timed on a GPU or TPU.\n"
_LEAST = (
    "The least time is what the device's memory or arithmetic, whichever takes longer, would need at these rates for "
    "the bytes and operations that XLA counts, and the share is the least time in the measured one. XLA counts a loop "
    "whose length depends on the data as one turn, so the least time of the lazy forms is too small. It counts bytes "
    "that stay in a cache, too, so a share can exceed 100 %.\n"
)
_METHODS = {"lbb, pairwise": "lbb", "lbb, tree": "lbb, tree", "log_det": "log_det"}


def files(benchmark: Path) -> list[Path]:
    """The outputs of ``experiments/accelerator.py`` in the folder ``benchmark``, one for each device."""
    return sorted(benchmark.glob("accelerator_*.jsonl"))


def write(path: Path, benchmark: Path) -> None:
    """Writes a section for each device that was measured to ``path`` (Markdown), or that there is none."""
    sections = [section(read_lines(file), file.name) for file in files(benchmark)]
    path.write_text("\n".join(sections) or _NOTHING, encoding="utf-8")


def write_loops(path: Path, benchmark: Path) -> None:
    """Writes the estimates of ``experiments/count_loops.py`` to ``path`` (Markdown), beside the times of an H200."""
    measured = benchmark / "accelerator_h200.jsonl"
    times = milliseconds(measured) if measured.exists() else {}
    rows = [_of_loop(row, times) for row in read_lines(benchmark / "loops.jsonl")]
    path.write_text(_table(rows), encoding="utf-8")


def milliseconds(file: Path) -> dict[str, float]:
    """The times in an output of ``experiments/accelerator.py``, by their cases."""
    return {row["case"]: row["milliseconds"] for row in read_lines(file) if "milliseconds" in row}


def case_of(loop: Row) -> str:
    """The case of ``experiments/accelerator.py`` that runs what a row of ``experiments/count_loops.py`` counts."""
    return f"{_METHODS[loop['case']]}, {loop['form']}, N={loop['N']:,}, C=10, b={loop['b']}"


def section(rows: Sequence[Row], name: str) -> str:
    """The section of one device in Markdown.

    Args:
      rows: As ``experiments/accelerator.py`` writes them.
      name: The file that they are stored in.
    """
    device, rates = rows[0], next(row["rates"] for row in rows if "rates" in row)
    kind = "TPU" if device["platform"] == "tpu" else "GPU"
    timed = [row for row in rows if "milliseconds" in row]
    is_of_networks = [row["case"].startswith(("training", "prediction")) for row in timed]
    parts = [
        f"## On a {kind}: {device['device']}",
        f"`make accelerator`, with jax {device['jax']}, wrote `results/benchmark/{name}`. Measured rates: "
        f"{rates['bytes'] / 1e12:.2g} TB/s of memory; in matrix products {rates['float32'] / 1e12:.3g} TFLOP/s in "
        f"float32 at the default precision of JAX, {rates['float32_exact'] / 1e12:.3g} at full precision, and "
        f"{rates['bfloat16'] / 1e12:.3g} in bfloat16.",
        _of_checks([row for row in rows if "check" in row]),
        " ".join(row["note"] for row in rows if "note" in row),
        _LEAST.rstrip(),
        _table(_of_time(row) for row, of_network in zip(timed, is_of_networks, strict=True) if not of_network),
        "Training and prediction:" if any(is_of_networks) else "",
        _table(_of_time(row) for row, of_network in zip(timed, is_of_networks, strict=True) if of_network),
        "Whole experiments, with generated images:" if any("programs_compiled" in row for row in rows) else "",
        _table(_of_experiment(row) for row in rows if "programs_compiled" in row),
        _of_missing([row for row in rows if {"left_out", "error"} & row.keys()]),
    ]
    return "\n\n".join(part.rstrip() for part in parts if part) + "\n"


def _table(rows: Iterable[Row]) -> str:
    """The rows as a table; nothing if there are none."""
    rows = list(rows)
    return markdown.of_rows(rows) if rows else ""


def _of_checks(checks: Sequence[Row]) -> str:
    failed = [row["check"] for row in checks if not row["passed"]]
    passed = "all of them passed"
    if failed:
        passed = f"{len(checks) - len(failed)} passed, these failed: {'; '.join(failed)}"
    return (
        f"{len(checks)} checks compared methods and posteriors with the same machine's CPU, and forms and drivers with "
        f"one another: {passed}."
    )


def _of_time(row: Row) -> Row:
    return {
        "case": row["case"],
        "dtype": row["dtype"],
        "ms": f"{row['milliseconds']:,.2f}",
        "least ms": f"{row['least_milliseconds']:,.2f}",
        "share": f"{row['share_of_roofline']:.1%}",
    }


def _of_experiment(row: Row) -> Row:
    return {
        "case": row["case"].removeprefix("experiment, "),
        "seconds": row["seconds"],
        "with compilation": row["seconds_with_compilation"],
        "programs compiled": row["programs_compiled"],
        "compiled again": row["programs_compiled_again"],
    }


def _of_missing(rows: Sequence[Row]) -> str:
    cases: dict[str, list[str]] = {}
    for row in rows:
        name = f"{row['case']}, {row['dtype']}" if "dtype" in row else row["case"]
        cases.setdefault(row.get("left_out") or row["error"], []).append(name)
    return "\n".join(f"- Not timed ({reason}): {'; '.join(names)}." for reason, names in cases.items())


def _of_loop(row: Row, times: dict[str, float]) -> Row:
    case = case_of(row)
    measured = {"measured, ms": f"{times[case]:.2f}" if case in times else ""} if times else {}
    return {
        "method": row["case"],
        "form": row["form"],
        "b": row["b"],
        "turns": row["host_turns"],
        "kernels": row["kernels_in_program"],
        "MB a step": f"{row['megabytes_a_step']:,.0f}",
        "estimate, ms": f"{row['estimated_milliseconds']:.2f}",
        **measured,
    }
