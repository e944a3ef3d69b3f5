"""The paper's Table 2, seconds to acquire from 49,980 points with an ensemble of 5 and 10 classes, beside ours."""

from collections.abc import Sequence

import pandas as pd

from lbb_jax.json_lines import Record
from lbb_jax.report import Entry, Section, read_times, to_html

# Rubashevskii, Kotova and Panov (SDM 2023), Table 2: seconds for b = 10 and 20.
PAPER = {
    "BALD": ("bald", {}, {10: 5.0, 20: 5.1}),
    "PowerBALD": ("power_bald", {}, {10: 5.3, 20: 5.9}),
    "BatchBALD": ("batch_bald", {}, {10: 269.0, 20: 839.0}),
    "LBB (pairwise)": ("lbb", {"redundancy": "pairwise"}, {10: 18.2, 20: 20.1}),
    "LBB (tree)": ("lbb", {"redundancy": "tree"}, {}),
    "LBB (released)": ("lbb_released", {}, {}),
    "Power LBB (pairwise)": ("power_lbb", {"redundancy": "pairwise"}, {10: 20.1, 20: 18.6}),
    "Power LBB (tree)": ("power_lbb", {"redundancy": "tree"}, {}),
}
BATCH_SIZES = (10, 20)
# Points, draws and classes that it was timed on.
POOL = (49_980, 5, 10)


def compare(records: Sequence[Record]) -> pd.DataFrame:
    """The paper's times and ours in seconds, as text: a row for each method, empty where ``records`` have no time."""
    rows = []
    for name, (method, options, paper) in PAPER.items():
        row: Record = {"method": name}
        for size in BATCH_SIZES:
            row[f"paper, b={size}"] = f"{paper[size]:.1f}" if size in paper else ""
        for size in BATCH_SIZES:
            seconds = [
                record["milliseconds"] / 1e3
                for record in records
                if record["case"] == method
                and record["b"] == size
                and record.get("redundancy", "pairwise") == options.get("redundancy", "pairwise")
            ]
            row[f"ours, b={size}"] = f"{seconds[0]:.4f}" if seconds else ""
        rows.append(row)
    return pd.DataFrame(rows).set_index("method")


def sections(paths: Sequence[str]) -> list[Section]:
    """The paper's times and ours as a section of a report; none where no file in ``paths`` was timed on `POOL`."""
    timed = [record for path in paths for record in read_times(path)]
    on_pool = [record for record in timed if (record["N"], record["K"], record["C"]) == POOL]
    entries = []
    for device in dict.fromkeys(record["device"] for record in on_pool):
        of_device = [record for record in on_pool if record["device"] == device]
        name = f"{POOL[0]:,} points, {POOL[1]} draws, {POOL[2]} classes ({device})"
        entries.append(Entry(f"Seconds, beside the paper's Table 2: {name}", table=to_html(compare(of_device))))
    return [Section("The paper's Table 2", entries)] if entries else []
