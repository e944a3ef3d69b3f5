"""Writes what streams take: as measured on one host, and by arithmetic on several."""

from pathlib import Path
from typing import Any

from generate import markdown
from lbb_jax.json_lines import read_lines

_NUM_POINTS = 10**9
_HOSTS = (1, 4, 16, 64, 256)
_NUM_ROUNDS = 3
# What `acquire_stream` exchanges between processes, as the page says.
BYTES_OF_COUNTS = 4 * 4096


def write_measured(path: Path, benchmark: Path) -> None:
    """Writes a row for each stream in ``benchmark`` to ``path`` (Markdown)."""
    rows = [_of_stream(row) for row in read_lines(benchmark)]
    path.write_text(markdown.of_rows(rows), encoding="utf-8")


def write_hosts(path: Path, benchmark: Path) -> None:
    """Writes to ``path`` (Markdown) how long hosts take together, at the rate of a stream in ``benchmark``.

    The rate is that of the certified stream that took least time a point.
    """
    certified = [row for row in read_lines(benchmark) if row["certified"]]
    stream = min(certified, key=_seconds_a_point)
    rate = _seconds_a_point(stream)
    rows = [
        {
            "hosts": hosts,
            "points a host": f"{_NUM_POINTS // hosts:,}",
            f"seconds for {_NUM_POINTS:,} points": _two_digits(_NUM_POINTS * rate / hosts),
            f"MB received by each host, {_NUM_ROUNDS} rounds": f"{bytes_received(hosts, stream) / 1e6:.1f}",
        }
        for hosts in _HOSTS
    ]
    sentence = (
        f"One host certified {stream['b']} picks from {stream['N']:,} points, with {stream['K']} draws and "
        f"{stream['C']} classes, in {stream['seconds_with_acquisition']:.1f} s, and made the predictions in that time. "
        f"At this rate, {1e6 * rate:.2g} s for a million points, several such hosts take:\n\n"
    )
    path.write_text(sentence + markdown.of_rows(rows), encoding="utf-8")


def bytes_received(hosts: int, stream: dict[str, Any], num_rounds: int = _NUM_ROUNDS) -> int:
    """The bytes that one of ``hosts`` processes receives from all others."""
    point = 4 * (stream["K"] * stream["C"] + 2)
    best, winners = max(1024, 16 * stream["b"]), 4 * stream["b"]
    return (hosts - 1) * (BYTES_OF_COUNTS + point * (best + num_rounds * winners))


def _seconds_a_point(row: dict[str, Any]) -> float:
    return row["seconds_with_acquisition"] / row["N"]


def _of_stream(row: dict[str, Any]) -> dict[str, Any]:
    kept = row["num_candidates"]
    return {
        "points": f"{row['N']:,}",
        "picks": row["b"],
        "candidates at most": "256 MiB" if kept is None else f"{kept:,}",
        "BALD alone, s": f"{row['seconds_with_bald']:.1f}",
        "LBB (tree), s": f"{row['seconds_with_acquisition']:.1f}",
        "× BALD": f"{row['ratio_to_bald']:.1f}",
        "certified": "yes" if row["certified"] else "no",
        "candidates needed": f"{row['candidates_needed']:,}",
        "peak memory, GB": f"{row['peak_megabytes'] / 1e3:.1f}",
    }


def _two_digits(value: float) -> str:
    return f"{float(f'{value:.2g}'):,g}"
