"""Decides the paper's claims from the stored results, and prints them as a table in Markdown.

    python experiments/claims.py
    python experiments/claims.py --results=results --output=claims.md

A claim *holds* if the 95 % interval of each paired difference that it is about lies on the claimed side of 0, *does not
hold* if one lies on the other side, and is *undecided* otherwise. Intervals are Student's, over seeds, with Holm's
correction over the differences of a claim; those of the BCa bootstrap stand beside them. "Level" is within 0.01 of
accuracy. Claims about time or approximation are decided by bounds on what was measured.
"""

from pathlib import Path

from absl import flags

from lbb_jax import experiment, paths
from lbb_jax.files import atomic_write
from paper import claims

_RESULTS = flags.DEFINE_string("results", str(Path(__file__).parent.parent / "results"), "The folder of the results.")
_OUTPUT = flags.DEFINE_string("output", None, "The file to write; the table is printed if it is not given.")


def main() -> None:
    """Prints the table, or writes it."""
    root = paths.existing(_RESULTS.value, name="--results")
    output = None if _OUTPUT.value is None else paths.output_file(_OUTPUT.value, name="--output")
    table = claims.to_markdown(claims.decide_all(root))
    if output is None:
        print(table, end="")
    else:
        atomic_write(output, table)
        print(f"claims: {output}")


if __name__ == "__main__":
    experiment.run_script(main, errors=(OSError, ValueError))
