"""Writes the tables of times from their measurements."""

from pathlib import Path
from typing import Any

from generate import markdown
from lbb_jax import analysis, figures
from lbb_jax.json_lines import read_lines
from lbb_jax.report import read_times
from paper.benchmarks import table2

_SHOWN = (10, 20, 100)
# The most passes of BALD that a method was wanted to take, by the size of the batch.
_WANTED = {
    "LBB (pairwise)": {10: 4, 20: 4, 100: 8},
    "LBB (tree)": {10: 1.5, 20: 2, 100: 5},
    "Power LBB (tree)": {10: 1.5, 20: 2, 100: 5},
    "Log-det": {10: 1.5, 20: 2, 100: 4},
}
# Files of `experiments/benchmark_acquisition.py --suite`, each of pools of other sizes than the paper's.
_SUITES = ("growth", "many_classes", "thousand_classes")
_OF_OTHERS = {
    "bald (PyTorch)": "BALD, PyTorch, vectorised",
    "lbb (PyTorch, dense)": "LBB (tree), PyTorch, every pair evaluated",
    "bald (batchbald_redux)": "BALD, batchbald_redux",
    "batch_bald (batchbald_redux)": "BatchBALD, batchbald_redux",
}
# The pools of `paper.benchmarks.predictions`.
_POOLS = {"generated": "generated", "dirichlet": "random Dirichlet", "near_certain": "nearly certain, each point twice"}
_STAGES = {"round, train": "training", "round, predict": "prediction", "round, acquire": "acquisition"}
_EXPERIMENT = "experiment, reduced"
_STANDARD_ERROR = "standard error of batch_bald's total"
_NETWORKS = {"mnist_cnn": "the paper's MNIST network", "resnet18": "ResNet-18"}


def write(path: Path, benchmark: Path) -> None:
    """Writes the times on the paper's pool to ``path`` (Markdown) from the lines of ``benchmark``."""
    rows = [row for row in read_times(benchmark) if row["case"] in analysis.NAMES and row["b"] in _SHOWN]
    path.write_text(markdown.of_rows(_of_paper(row) for row in rows), encoding="utf-8")


def draw(path: Path, benchmark: Path) -> None:
    """Draws the times against the size of the batch into ``path``, from the lines of ``benchmark``."""
    figures.save(figures.time_against_batch_size(read_times(benchmark)), path)


def write_others(path: Path, folder: Path) -> None:
    """Writes what other programs take to ``path`` (Markdown), from ``peers.jsonl`` in ``folder``."""
    rows = read_lines(folder / "peers.jsonl")
    timed = [
        {"what": _OF_OTHERS[row["case"]], "b": row["b"], "ms": f"{row['milliseconds']:,.0f}"}
        for row in rows
        if row["case"] in _OF_OTHERS
    ]
    path.write_text(markdown.of_rows(timed) + "\n" + _of_standard_error(rows), encoding="utf-8")


def write_pools(path: Path, folder: Path) -> None:
    """Writes the times on other pools to ``path`` (Markdown), from the suites that ``folder`` holds."""
    files = [folder / f"{name}.jsonl" for name in _SUITES]
    rows = [row for file in files if file.exists() for row in read_times(file) if row["case"] in analysis.NAMES]
    path.write_text(markdown.of_rows(_of_pool(row) for row in rows), encoding="utf-8")


def write_structures(path: Path, benchmark: Path) -> None:
    """Writes the times on pools of one size to ``path`` (Markdown), a column for each pool in ``benchmark``."""
    table: dict[tuple[str, int], dict[str, Any]] = {}
    for row in read_times(benchmark):
        shown = table.setdefault((_name(row), row["b"]), {"method": _name(row), "b": row["b"]})
        shown[_POOLS[row["pool"]]] = f"{row['milliseconds']:,.1f} ({row['ratio_to_bald']:.1f})"
    path.write_text(markdown.of_rows(table.values()), encoding="utf-8")


def write_training(path: Path, folder: Path) -> None:
    """Writes the times of training steps to ``path`` (Markdown), from ``training_*.jsonl`` in ``folder``."""
    rows = [row for name in _NETWORKS for row in read_lines(folder / f"training_{name}.jsonl")]
    path.write_text(markdown.of_rows(_of_training(row) for row in rows if "networks" in row), encoding="utf-8")


def write_round(path: Path, benchmark: Path) -> None:
    """Writes what a round takes beside PyTorch, and an experiment, to ``path`` (Markdown), from ``benchmark``.

    The sums are over the stages that were timed with both.
    """
    timed = read_lines(benchmark)
    rows = []
    stages = [row for row in timed if row["case"] in _STAGES]
    for device in dict.fromkeys(row["device"] for row in stages):
        of_device = [row for row in stages if row["device"] == device]
        with_both = [row for row in of_device if "torch_seconds" in row]
        sums = {name: sum(row[name] for row in with_both) for name in ("seconds", "torch_seconds")}
        rows += [_of_forms(_STAGES[row["case"]], row) for row in of_device]
        rows.append(_of_times("the round", sums | {"device": device}))
    rows += [
        _of_forms(f"{row['rounds']} rounds of the reduced experiment", row)
        for row in timed
        if row["case"] == _EXPERIMENT
    ]
    path.write_text(markdown.of_rows(rows), encoding="utf-8")


def _cost(row: dict[str, Any]) -> dict[str, str]:
    ratio, milliseconds = row["ratio_to_bald"], row["milliseconds"]
    return {
        "ms": f"{milliseconds:,.{0 if milliseconds >= 100 else 1}f}",
        "× BALD": f"{ratio:.{0 if ratio >= 10 else 1}f}",
        "evaluated": f"{100 * row['share_of_dense']:.2g} %" if "share_of_dense" in row else "",
    }


def _of_paper(row: dict[str, Any]) -> dict[str, Any]:
    name = analysis.variant_name(row["case"], row)
    _, _, seconds = table2.PAPER.get(name, ("", {}, {}))
    wanted = _WANTED.get(name, {}).get(row["b"])
    cost = {**_cost(row), "wanted": "" if wanted is None else f"≤ {wanted}"}
    return {"method": name, "b": row["b"], **cost, "paper, s": seconds.get(row["b"], "")}


def _of_pool(row: dict[str, Any]) -> dict[str, Any]:
    size = {name: f"{row[name]:,}" for name in ("N", "K", "C", "b")}
    return {"method": _name(row), **size, **_cost(row)}


def _name(row: dict[str, Any]) -> str:
    name = analysis.variant_name(row["case"], row)
    return f'{name}, `pairs="chi2"`' if row.get("pairs") == "chi2" else name


def _of_standard_error(rows: list[dict[str, Any]]) -> str:
    (row,) = (row for row in rows if row["case"] == _STANDARD_ERROR)
    return (
        f"BatchBALD estimates the joint information from sampled labels. Over 20 keys, its standard error for "
        f"{row['b']} picks from "
        f"{row['N']} points is {row['standard_error_batchbald_redux']:.2g} nats in batchbald_redux "
        f"({row['seconds_batchbald_redux']:.1f} s) and {row['standard_error_ours']:.2g} here "
        f"({row['seconds_ours']:.1f} s), with as many samples.\n"
    )


def _of_training(row: dict[str, Any]) -> dict[str, Any]:
    network, _, program = row["case"].removeprefix("training, ").partition(" ")
    at_once = row.get("at_once", 1)
    return {
        "network": _NETWORKS[network],
        "by": program.strip("()") or "lbb_jax",
        "networks": row["networks"],
        "trained": "side by side" if at_once > 1 else "one after another" if row["networks"] > 1 else "alone",
        "ms for a step of one": f"{row['milliseconds_per_network_step']:,.1f}",
    }


def _of_forms(stage: str, row: dict[str, Any]) -> dict[str, Any]:
    return _of_times(stage, row) | {
        "PyTorch's form": row.get("torch_form", ""),
        "of": "; ".join(row.get("trial") or [row.get("torch_form", "")]),
        "lbb_jax compiles, s": row["compile_seconds"],
        "PyTorch compiles, s": row.get("torch_compile_seconds", ""),
    }


def _of_times(stage: str, row: dict[str, Any]) -> dict[str, Any]:
    cells = {"stage": stage, "device": row["device"], "lbb_jax, s": f"{row['seconds']:.3g}"}
    if "torch_seconds" in row:
        cells |= {
            "PyTorch, s": f"{row['torch_seconds']:.3g}",
            "ratio": f"{row['seconds'] / row['torch_seconds']:.2f}",
        }
    return cells
