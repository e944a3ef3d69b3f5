"""The verdict on each claim, and the reasons, as a table."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from lbb_jax.analysis.verdicts import Decision, Verdict, verdict_of_all
from lbb_jax.report import Entry, Section, to_html
from paper.claims.of_measurements import MEASURED_CLAIMS, Bound
from paper.claims.of_runs import PROFILE_CLAIMS, RUN_CLAIMS
from paper.claims.rules import PartResult, decide_claim, decide_profile, load_curves


class Finding(NamedTuple):
    """The verdict on a claim, or on one form of LBB in it.

    Attributes:
      number: The claim's number.
      text: What the claim says.
      source: Where the paper says it.
      form: The form of LBB that is judged; empty where the claim is not about LBB.
      verdict: What was found.
      parts: What was found of each part of the claim, in words and figures.
      command: What makes the runs or the measurements.
      verdicts: The verdict on each part.
    """

    number: int
    text: str
    source: str
    form: str
    verdict: Verdict
    parts: tuple[str, ...]
    command: str
    verdicts: tuple[Verdict, ...] = ()

    @property
    def summary(self) -> str:
        """The verdict, and how many parts hold where they do not decide the claim."""
        if self.verdict != Verdict.UNDECIDED or not self.verdicts:
            return str(self.verdict)
        return f"{self.verdict}; {self.verdicts.count(Verdict.HOLDS)} of {len(self.verdicts)} hold"


def decide_all(root: Path) -> list[Finding]:
    """Decides every claim from the results in ``root``, in the order of the claims."""
    curves = load_curves(root)
    findings = [
        _finding(claim, form, [bound.verdict for bound in bounds], map(_describe_bound, bounds))
        for claim in MEASURED_CLAIMS
        for form, bounds in claim.measure(root).items()
    ]
    for claims, decide in ((RUN_CLAIMS, decide_claim), (PROFILE_CLAIMS, decide_profile)):
        for claim in claims:
            rows = decide(claim, curves)
            for form in claim.parts:
                of_form = [row for row in rows if row.form == form]
                findings.append(_finding(claim, form, [row.verdict for row in of_form], _describe_rows(of_form)))
    return sorted(findings, key=lambda finding: finding.number)


def _finding(claim, form: str, verdicts: Sequence[Verdict], parts: Iterable[str]) -> Finding:
    verdict = verdict_of_all(verdicts)
    return Finding(claim.number, claim.text, claim.source, form, verdict, tuple(parts), claim.command, tuple(verdicts))


def _describe_bound(bound: Bound) -> str:
    if bound.value is None:
        return f"{bound.text}: not measured"
    allowed = f"at least {bound.low:g}" if math.isinf(bound.high) else f"{bound.low:g} to {bound.high:g}"
    return f"{bound.text}: {bound.value:.3g} (claimed: {allowed})"


def _describe_rows(rows: Sequence[PartResult]) -> list[str]:
    """What each row says; those that were not run stand together at the end."""
    decided = [f"{row.part}: {_describe(row.decision)}; {row.setting}" for row in rows if row.decision is not None]
    missing = [row.part for row in rows if row.decision is None]
    return [*decided, *([f"not run: {', '.join(missing)}"] if missing else [])]


def _describe(decision: Decision) -> str:
    mean, low, high, num_pairs = decision.interval
    bootstrap = f"bootstrap {decision.bootstrap.low:+.3f} to {decision.bootstrap.high:+.3f}"
    return f"{decision.verdict}, {mean:+.3f} ({low:+.3f} to {high:+.3f}; {bootstrap}; n = {num_pairs})"


def to_markdown(findings: Sequence[Finding]) -> str:
    """A table of the verdicts, and a section for each claim, without a title."""
    forms = ("pairwise", "tree", "released")
    overview = ["| | claim | pairwise | tree | released |", "|---|---|---|---|---|"]
    sections = []
    for claim, of_claim in _by_claim(findings):
        verdicts = {finding.form: finding.summary for finding in of_claim}
        shown = [verdicts.get(form, verdicts.get("", "")) for form in forms]
        overview.append(f"| {claim.number} | {claim.text} | {' | '.join(shown)} |")
        sections += [
            f"\n## {claim.number}. {_capitalised(claim.text)}\n",
            f"{claim.source}. Tested by `{claim.command}`.\n",
        ]
        for finding in of_claim:
            sections.append(f"- **{_capitalised(f'{finding.form} {finding.verdict}'.strip())}**")
            sections += [f"  - {part}" for part in finding.parts]
    return "\n".join([*overview, *sections]) + "\n"


def _by_claim(findings: Sequence[Finding]) -> list[tuple[Finding, list[Finding]]]:
    """Each claim, as the first of its findings, and all of them."""
    keys = dict.fromkeys((finding.number, finding.text) for finding in findings)
    groups = [[finding for finding in findings if (finding.number, finding.text) == key] for key in keys]
    return [(group[0], group) for group in groups]


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def section(findings: Sequence[Finding]) -> Section:
    """The verdict on each claim, as a section of a report."""
    note = (
        "A claim about LBB is judged for each form: the sum over pairs (pairwise), the tree bound (tree), and the "
        "score of the released code (released). A claim holds if the 95 % interval of each difference that it is about "
        "lies on the claimed side."
    )
    entries = []
    for claim, of_claim in _by_claim(findings):
        rows = [
            {"LBB": finding.form, "verdict": finding.verdict, "what was found": "; ".join(finding.parts)}
            for finding in of_claim
        ]
        table = pd.DataFrame(rows)
        entries.append(
            Entry(
                f"{claim.number}. {_capitalised(claim.text)} ({claim.source})",
                note=f"Tested by: {claim.command}.",
                table=to_html(table.loc[:, (table != "").any()], is_prose=True),
            )
        )
    return Section("What holds of the paper's claims", entries, note=note)
