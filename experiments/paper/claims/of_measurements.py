"""The paper's claims that measurements decide: identities, approximations and costs. A rule is a bound on a number."""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lbb_jax import information
from lbb_jax.analysis.verdicts import Verdict
from lbb_jax.json_lines import Record, read_lines


class Bound(NamedTuple):
    """A number that was measured, and what it may be for a claim to hold.

    Attributes:
      text: What the number is.
      value: The number; None where it was not measured.
      low: The least that it may be.
      high: The most that it may be.
    """

    text: str
    value: float | None
    low: float
    high: float

    @property
    def verdict(self) -> Verdict:
        """Whether the number is within the bounds; undecided where it was not measured."""
        if self.value is None:
            return Verdict.UNDECIDED
        return Verdict.HOLDS if self.low <= self.value <= self.high else Verdict.FAILS


class MeasuredClaim(NamedTuple):
    """A claim that measurements decide.

    Attributes:
      number: The claim's number.
      source: Where the paper makes it.
      text: What it says.
      measure: From the folder of results to the bounds, by the form of LBB.
      command: What makes the measurements.
    """

    number: int
    source: str
    text: str
    measure: Callable[[Path], Mapping[str, Sequence[Bound]]]
    command: str


def read_records(path: Path) -> list[Record]:
    """The lines of a file of measurements; none where there is no file."""
    return read_lines(path) if path.exists() else []


def _identity(root: Path) -> dict[str, list[Bound]]:
    """Eq. 2.8 for random predictions, in float32."""
    del root
    shapes = [(4, 5, 3), (5, 10, 2), (2, 3, 47)]
    errors = [float(_error_of_identity(jax.random.key(number), shape)) for number, shape in enumerate(shapes)]
    return {"": [Bound("largest difference of the two sides, nats", max(errors), 0, 2e-5)]}


@functools.partial(jax.jit, static_argnums=1)
def _error_of_identity(key: jax.Array, shape: tuple[int, int, int]) -> jax.Array:
    """The difference of both sides of Eq. 2.8 for a random batch ``[b, K, C]`` with certain and identical draws."""
    logits = 3 * jax.random.normal(key, shape)
    log_probs = jax.nn.log_softmax(logits.at[0].set(logits[0, :1]).at[1].multiply(30))
    bald = jnp.sum(information.mutual_information(log_probs))
    joint = information.joint_mutual_information(log_probs)
    return jnp.abs(bald - joint - information.total_correlation(log_probs))


_TERMS = {"pairwise": "pairs_once", "tree": "tree", "released": "released"}


def _approximation(root: Path) -> dict[str, list[Bound]]:
    """What each form makes of the total correlation, as a share of it."""
    records = [
        record
        for path in sorted(root.glob("approximation/*/measurements.jsonl"))
        for record in read_records(path)
        if record["measurement"] == "approximation" and record["total_correlation"] > 0
    ]
    kinds = dict.fromkeys((record["batch"], record["b"]) for record in records if record["b"] in (6, 10, 50))
    bounds = {}
    for form, column in _TERMS.items():
        bounds[form] = [
            Bound(
                f"share of the total correlation, batches of {size} ({batch})",
                _median(
                    record[column] / record["total_correlation"]
                    for record in records
                    if (record["batch"], record["b"]) == (batch, size)
                ),
                0.9,
                1.1,
            )
            for batch, size in kinds
        ] or [Bound("share of the total correlation", None, 0.9, 1.1)]
    return bounds


def _median(values: Iterable[float]) -> float | None:
    found = list(values)
    return float(np.median(found)) if found else None


_CASES: dict[str, dict[str, Any]] = {
    "pairwise": {"case": "lbb", "redundancy": "pairwise"},
    "tree": {"case": "lbb", "redundancy": "tree"},
    "released": {"case": "lbb_released"},
}
# Where a record has a case's time beside a pass of BALD that was timed in turn with it.
_PASSES = "ratio_to_bald"


def _find(records: Iterable[Record], *, field: str = "milliseconds", **wanted: Any) -> float | None:
    """The milliseconds of a case, or another field of it."""
    # A case is recorded without the options that it leaves at their defaults.
    whole = [{"redundancy": "pairwise", **record} for record in records]
    return _median(
        record[field] for record in whole if all(record.get(name) == value for name, value in wanted.items())
    )


def _ratio(text: str, first: float | None, second: float | None, low: float, high: float) -> Bound:
    return Bound(text, None if first is None or second is None else first / second, low, high)


def _growth(root: Path) -> dict[str, list[Bound]]:
    """Time against the size of the pool and of the batch. Up to twice the linear growth counts as linear."""
    growth, paper = (read_records(root / "benchmark" / f"{name}.jsonl") for name in ("growth", "paper"))
    sizes = {"pairwise": 10, "tree": 100, "released": 100}
    return {
        form: [
            _ratio(
                "growth of the time for ten times the pool",
                _find(growth, **case, N=1_000_000, b=sizes[form]),
                _find(growth, **case, N=100_000, b=sizes[form]),
                50,
                np.inf,
            ),
            _ratio(
                "growth of the time for ten times the batch",
                _find(paper, **case, N=49_980, b=100),
                _find(paper, **case, N=49_980, b=10),
                5,
                20,
            ),
        ]
        for form, case in _CASES.items()
    }


def _large_batches(root: Path) -> dict[str, list[Bound]]:
    """The cost of batches of 100 and more beside a pass of BALD."""
    paper, classes = (read_records(root / "benchmark" / f"{name}.jsonl") for name in ("paper", "many_classes"))
    return {
        form: [
            Bound("time of b = 100, in passes of BALD", _find(paper, field=_PASSES, **case, b=100), 0, 10),
            Bound(
                "time of b = 200 with 100 classes, in passes of BALD",
                _find(classes, field=_PASSES, **case, b=200, C=100),
                0,
                10,
            ),
        ]
        for form, case in _CASES.items()
    }


def _beside_batch_bald(root: Path) -> dict[str, list[Bound]]:
    """Table 2: "many times" is at least 5."""
    paper = read_records(root / "benchmark" / "paper.jsonl")
    bounds = {}
    for form, case in _CASES.items():
        bounds[form] = []
        for size in (10, 20, 100):
            time = _find(paper, **case, b=size)
            bounds[form] += [
                _ratio(
                    f"BatchBALD's time / LBB's time, b = {size}",
                    _find(paper, case="batch_bald", b=size),
                    time,
                    5,
                    np.inf,
                ),
                Bound(f"LBB's time / BALD's time, b = {size}", _find(paper, field=_PASSES, **case, b=size), 0, 4),
            ]
    return bounds


def _infeasible(root: Path) -> dict[str, list[Bound]]:
    """Infeasible is more than ten minutes a batch."""
    paper, growth = (read_records(root / "benchmark" / f"{name}.jsonl") for name in ("paper", "growth"))
    seconds = {
        "49,980 points, b = 100": _find(paper, case="batch_bald", N=49_980, b=100),
        "240,000 points, b = 20": _find(growth, case="batch_bald", N=240_000, b=20),
    }
    return {
        "": [
            Bound(f"seconds of BatchBALD, {text}", None if value is None else value / 1000, 600, np.inf)
            for text, value in seconds.items()
        ]
    }


_BENCHMARK = "python experiments/benchmark_acquisition.py"

MEASURED_CLAIMS = (
    MeasuredClaim(
        1,
        "Eq. 2.8",
        "the sum of BALD minus BatchBALD is the total correlation of the batch",
        _identity,
        "python experiments/claims.py",
    ),
    MeasuredClaim(
        2,
        "Eq. 2.9 to 2.11",
        "the sum of pairwise mutual information approximates the total correlation well (within 10 %)",
        _approximation,
        "python experiments/approximation.py",
    ),
    MeasuredClaim(3, "Table 1", "the cost of LBB is linear in b, and quadratic in the pool", _growth, _BENCHMARK),
    MeasuredClaim(4, "2.4", "batches of hundreds have no significant extra cost", _large_batches, _BENCHMARK),
    MeasuredClaim(
        5,
        "Table 2",
        "LBB is many times faster than BatchBALD, by more for larger b, and takes at most 4 times as long as BALD",
        _beside_batch_bald,
        _BENCHMARK,
    ),
    MeasuredClaim(9, "3.1.2", "BatchBALD is infeasible on RMNIST and for large batches", _infeasible, _BENCHMARK),
)
