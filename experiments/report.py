"""Writes what finished runs show to one self-contained HTML file.

    python experiments/report.py --output=report.html runs/digits/*/
    python experiments/report.py --output=report.html --benchmark=results/benchmark/paper.jsonl results/digits_all/*/

The runs are working directories of experiments/run.py, of any experiments. For each data set, posterior and batch size
the report has learning curves, label savings and areas under the curves, then configurations; for all together a
performance profile, times, versions and hardware, and what holds of the paper's claims.
"""

from pathlib import Path

from absl import flags

from lbb_jax import analysis, experiment, paths, report
from lbb_jax.files import atomic_write
from paper import claims
from paper.benchmarks import table2

_RESULTS = Path(__file__).parent.parent / "results"

_OUTPUT = flags.DEFINE_string("output", "report.html", "The report.")
_BENCHMARK = flags.DEFINE_multi_string("benchmark", [], "JSON lines that benchmark_acquisition.py printed.")
_CLAIMS = flags.DEFINE_string("claims", str(_RESULTS), "Results that decide the claims; empty to omit the claims.")


def main(folders: list[str]) -> None:
    """Reports on the runs in ``folders``."""
    output = paths.output_file(_OUTPUT.value, name="--output", suffixes=(".html", ".htm"))
    experiment.show_warnings()
    # What may be wrong with the arguments comes first: the claims take a while.
    found, sections = analysis.find_runs(folders), table2.sections(_BENCHMARK.value)
    if _CLAIMS.value:
        sections = [_claims_section(_CLAIMS.value), *sections]
    page = report.render(found, benchmarks=_BENCHMARK.value, sections=sections)
    atomic_write(output, page)
    print(f"report: {output}")


def _claims_section(results: str) -> report.Section:
    return claims.section(claims.decide_all(paths.existing(results, name="--claims")))


if __name__ == "__main__":
    experiment.run_script(main, needs_arguments="name at least one run's folder", errors=(OSError, ValueError))
