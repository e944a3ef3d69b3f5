"""The report as one page of HTML, with everything that it shows within it."""

import os
from collections.abc import Sequence

import jinja2
import pandas as pd

from lbb_jax import analysis
from lbb_jax.report import configurations, experiments, runtime
from lbb_jax.report.claims import Claim, tabulate_judgements
from lbb_jax.report.parts import Part, Section, to_html

_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("lbb_jax.report"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(
    paths: Sequence[str | os.PathLike],
    *,
    benchmarks: Sequence[str | os.PathLike] = (),
    claims: Sequence[Claim] = (),
) -> str:
    """The report on finished runs.

    Args:
      paths: Working directories of runs, of any experiments.
      benchmarks: Files of what ``experiments/benchmark_acquisition.py`` printed.
      claims: As `load_claims` returns them.

    Returns:
      The HTML. It holds its figures, loads nothing and runs no script. What the runs do not allow to be shown, such as
      label savings without a run of random acquisition, is replaced by the reason.

    Raises:
      FileNotFoundError: If a path holds no run.
      PathError: If a file of times is not there.
      ValueError: If there are no paths, or a file holds no times.
    """
    runs = analysis.load_runs(paths)
    sections = [
        experiments.overview(runs),
        *([_claims_section(claims)] if claims else []),
        *experiments.experiment_sections(runs),
        experiments.profile(runs),
        runtime.runtime(benchmarks),
        configurations.environments(runs["path"].unique()),
    ]
    return _TEMPLATES.get_template("report.html").render(sections=sections)


def _claims_section(claims: Sequence[Claim]) -> Section:
    note = (
        "LBB as printed (pairwise), with the tree bound, and with the score of the released code, where a claim is "
        "about it. Only what was run has a verdict."
    )
    parts = [
        Part(
            f"{claim.number}. {claim.text[0].upper()}{claim.text[1:]} ({claim.source})",
            note=f"Tested by: {claim.experiment}.",
            table=to_html(_without_empty_columns(tabulate_judgements(claim)), is_prose=True),
        )
        for claim in claims
    ]
    return Section("What holds of the paper's claims", parts, note=note)


def _without_empty_columns(table: pd.DataFrame) -> pd.DataFrame:
    return table.loc[:, (table != "").any()]
