"""Decides the paper's claims from the results that are there, and writes the table.

    python experiments/paper/claims_table.py
    python experiments/paper/claims_table.py --results=results --output=docs/claims.md

A claim *holds* if the 95 % interval of each paired difference that it is about lies on the claimed side of 0, *does not
hold* if one lies on the other side, and is *undecided* otherwise; intervals are Student's over seeds, with Holm's
correction over the differences of a claim. "Level" is within 0.01 of accuracy.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from claim_list import PROFILE_CLAIMS, RUN_CLAIMS
from claim_measurements import MEASURED_CLAIMS, Bound
from claim_rules import Row, decide_claim, decide_profile, load_curves

from lbb_jax import paths
from lbb_jax.analysis.verdicts import Decision, combine
from lbb_jax.files import write_whole

_HEADER = "| | claim | LBB | verdict | what was found |\n|---|---|---|---|---|\n"


def table(root: Path) -> str:
    """The table of all claims, as Markdown, from the results in ``root``."""
    curves = load_curves(root)
    lines = []
    for claim in MEASURED_CLAIMS:
        bounds = claim.measure(root)
        lines += [
            (
                claim.number,
                _line(claim, form, [bound.verdict for bound in of_form], [_bound(bound) for bound in of_form]),
            )
            for form, of_form in bounds.items()
        ]
    for claims, decide in ((RUN_CLAIMS, decide_claim), (PROFILE_CLAIMS, decide_profile)):
        for claim in claims:
            rows = decide(claim, curves)
            for form in claim.parts:
                of_form = [row for row in rows if row.form == form]
                lines.append(
                    (claim.number, _line(claim, form, [row.verdict for row in of_form], _found(of_form, claim.command)))
                )
    return _HEADER + "".join(line for _, line in sorted(lines, key=lambda pair: pair[0]))


def _line(claim, form: str, verdicts: Sequence, found: Sequence[str]) -> str:
    cells = (str(claim.number), f"{claim.text} ({claim.source})", form, combine(verdicts), "<br>".join(found))
    return f"| {' | '.join(cells)} |\n"


def _bound(bound: Bound) -> str:
    if bound.value is None:
        return f"{bound.text}: not measured"
    allowed = f"at least {bound.low:g}" if bound.high == float("inf") else f"{bound.low:g} to {bound.high:g}"
    return f"{bound.text}: {bound.value:.3g} (claimed: {allowed})"


def _found(rows: Sequence[Row], command: str) -> list[str]:
    """What each row says; those without runs together, with the command that makes them."""
    found = [f"{row.part}: {_decision(row.decision)}; {row.setting}" for row in rows if row.decision is not None]
    missing = [row.part for row in rows if row.decision is None]
    if missing:
        found.append(f"no runs for: {', '.join(missing)}; `{command}`")
    return found


def _decision(decision: Decision) -> str:
    mean, low, high, num_pairs = decision.interval
    _, boot_low, boot_high, _ = decision.bootstrap
    return (
        f"{decision.verdict}, {mean:+.3f} ({low:+.3f} to {high:+.3f}; bootstrap {boot_low:+.3f} to {boot_high:+.3f}; "
        f"n = {num_pairs})"
    )


def main() -> None:
    """Prints the table, or writes it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", default="results", help="the folder of the results (%(default)s)")
    parser.add_argument("--output", help="the file to write; the table is printed if it is not given")
    arguments = parser.parse_args()
    text = table(paths.existing(arguments.results, name="--results"))
    if arguments.output is None:
        print(text, end="")
    else:
        write_whole(paths.output_file(arguments.output, name="--output"), text.encode())


if __name__ == "__main__":
    main()
