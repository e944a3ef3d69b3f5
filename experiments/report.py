"""Writes what finished runs show to one HTML file that needs nothing beside it.

    python experiments/report.py --output=report.html runs/digits/*/
    python experiments/report.py --output=report.html --benchmark=results/benchmark/paper.jsonl results/digits_all/*/

The runs are working directories of experiments/run.py, of any experiments. For each data set, posterior and batch size
the report has learning curves, label savings and areas under the curves, then configurations; for all together a
performance profile, times, versions and hardware, and what holds of the paper's claims.
"""

from pathlib import Path

from absl import app, flags

from lbb_jax import analysis, experiment, report
from lbb_jax.files import write_whole

_CLAIMS = Path(__file__).parent.parent / "results" / "claims.toml"

_OUTPUT = flags.DEFINE_string("output", "report.html", "The report.")
_BENCHMARK = flags.DEFINE_multi_string("benchmark", [], "JSON lines that benchmark_acquisition.py printed.")
_CLAIMS_FILE = flags.DEFINE_string("claims", str(_CLAIMS), "The claims and verdicts; nothing to leave them out.")


def main(arguments: list[str]) -> None:
    """Reports on the runs named in ``arguments``."""
    if len(arguments) < 2:
        raise app.UsageError("name at least one run's folder")
    experiment.show_warnings()
    try:
        claims = report.load_claims(_CLAIMS_FILE.value) if _CLAIMS_FILE.value else []
        page = report.render(analysis.find_runs(arguments[1:]), benchmarks=_BENCHMARK.value, claims=claims)
    except (OSError, ValueError) as error:
        raise app.UsageError(str(error)) from error
    write_whole(Path(_OUTPUT.value), page)
    print(f"report: {_OUTPUT.value}")


if __name__ == "__main__":
    app.run(main)
