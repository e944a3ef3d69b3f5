"""Small labelling projects and predictions for them."""

import csv
import json
import subprocess
import sys

import numpy as np

CLASSES = ["cat", "dog", "cow"]


def ids_of(count):
    return [f"img_{number}" for number in range(count)]


def predictions(count, *, seed=0, num_draws=4, num_classes=3):
    """Log-probabilities ``[count, num_draws, num_classes]``, float32."""
    probs = np.random.default_rng(seed).dirichlet(np.ones(num_classes), size=(count, num_draws))
    return np.log(probs).astype(np.float32)


def log_of(project_or_path):
    path = getattr(project_or_path, "path", project_or_path)
    return [json.loads(line) for line in (path / "log.jsonl").read_text(encoding="utf-8").splitlines()]


def fill_in(path, labels):
    """Fills in the column of labels of a batch's file, as a spreadsheet would."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["label"] = labels.get(row["id"], row["label"])
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["id", "score", "label"])
        writer.writeheader()
        writer.writerows(rows)
    return rows


def run_process(*arguments):
    """The command in a process of its own."""
    words = [sys.executable, "-m", "lbb_jax", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, timeout=120)
