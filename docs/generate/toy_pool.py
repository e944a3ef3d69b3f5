"""Draws what each method picks on a pool of points in the plane, with its cost on a large pool."""

from pathlib import Path

import jax
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression

from lbb_jax import acquisition, information
from lbb_jax.json_lines import read_lines

_BATCH_SIZE = 10
_NUM_DRAWS = 20
_CENTRES = np.array([[-1.6, -0.6], [1.6, -0.6], [0.0, 1.7]])
# Near-copies of one point that lies far from the labels, so that the draws disagree about it.
_CLUMP = np.array([0.6, -2.3])
_SIZE_OF_CLUMP = 12
_COLUMNS = 4


def pool() -> np.ndarray:
    """Points ``[N, 2]``: the labelled points, then the points of three classes, then the near-copies."""
    rng = np.random.default_rng(0)
    spread = np.concatenate([centre + 0.6 * rng.normal(size=(120, 2)) for centre in _CENTRES])
    return np.concatenate([labelled()[0], spread, _CLUMP + 0.04 * rng.normal(size=(_SIZE_OF_CLUMP, 2))])


def labelled() -> tuple[np.ndarray, np.ndarray]:
    """Four labelled points of each class, ``[12, 2]`` and ``[12]``."""
    rng = np.random.default_rng(1)
    points = np.concatenate([centre + 0.6 * rng.normal(size=(4, 2)) for centre in _CENTRES])
    return points, np.repeat(np.arange(len(_CENTRES)), 4)


def log_probs(points: np.ndarray) -> np.ndarray:
    """Predictions ``[N, K, 3]`` of an ensemble of logistic regressions, each on random features of its own."""
    inputs, classes = labelled()
    draws = []
    for seed in range(_NUM_DRAWS):
        rng = np.random.default_rng(100 + seed)
        weights, offsets = rng.normal(size=(2, 60)), rng.uniform(0, 2 * np.pi, size=60)
        model = LogisticRegression(C=10.0).fit(np.cos(inputs @ weights + offsets), classes)
        draws.append(model.predict_log_proba(np.cos(points @ weights + offsets)))
    return np.stack(draws, axis=1)


def variants() -> dict[str, dict]:
    """The arguments of `acquire` for each panel, by the title of the panel."""
    found = {}
    for name, method in acquisition.METHODS.items():
        options = {"embeddings": pool()} if "embeddings" in method.options else {}
        for redundancy in ("pairwise", "tree") if "redundancy" in method.options else (None,):
            title = f"{name}, {redundancy}" if redundancy else name
            found[title] = {"method": name, **options} | ({"redundancy": redundancy} if redundancy else {})
    return found


def write(path: Path, benchmark: Path) -> None:
    """Draws the picture into ``path``, unless the file is newer than everything it is drawn from.

    Args:
      path: The PNG to write.
      benchmark: Measurements that the costs are taken from.
    """
    sources = [Path(__file__), benchmark, *Path(acquisition.__file__).parent.glob("*.py")]
    if path.exists() and path.stat().st_mtime > max(source.stat().st_mtime for source in sources):
        return
    points = pool()
    predictions = log_probs(points)
    available = np.arange(len(points)) >= len(labelled()[0])
    scores = np.asarray(information.mutual_information(predictions.astype(np.float32)))
    costs = _costs(benchmark)
    panels = variants()
    rows = -(-len(panels) // _COLUMNS)
    figure = Figure(figsize=(10.5, 2.8 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    for axes in (grid := figure.subplots(rows, _COLUMNS)).flat:
        axes.axis("off")
    for axes, (title, arguments) in zip(grid.flat, panels.items(), strict=False):
        picked = acquisition.acquire(
            jax.random.key(2), predictions, available=available, batch_size=_BATCH_SIZE, **arguments
        )
        indices = np.asarray(picked.indices)
        copies = int(np.sum(indices >= len(points) - _SIZE_OF_CLUMP))
        cost = costs.get((arguments["method"], arguments.get("redundancy")), "not timed")
        axes.set_title(f"{title}\n{copies} near-copies, {cost}", fontsize=9)
        _draw(axes, points, scores, indices)
    figure.savefig(path, dpi=110)


def _draw(axes, points, scores, indices) -> None:
    axes.scatter(*points.T, c=scores, cmap="Blues", s=14, edgecolors="#999999", linewidths=0.3)
    axes.scatter(*labelled()[0].T, marker="x", c="#222222", s=28, linewidths=1.2)
    axes.scatter(*points[indices].T, facecolors="none", edgecolors="#D55E00", s=60, linewidths=1.6)
    axes.set_aspect("equal")


def _costs(benchmark: Path) -> dict[tuple[str, str | None], str]:
    """The time of a batch of ten as a multiple of BALD's time, by method and redundancy."""
    rows = read_lines(benchmark)
    # The measurements of LBB without the field are of its default.
    has_redundancy = {name for name, method in acquisition.METHODS.items() if "redundancy" in method.options}
    return {
        (row["case"], row.get("redundancy", "pairwise") if row["case"] in has_redundancy else None): (
            f"{row['ratio_to_bald']:.{0 if row['ratio_to_bald'] >= 10 else 1}f} × BALD"
        )
        for row in rows
        if row["b"] == _BATCH_SIZE
    }
