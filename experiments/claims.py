"""Writes the table of the paper's claims in README.md anew, from results/claims.toml.

python experiments/claims.py
"""

import sys
from pathlib import Path

from absl import flags

from lbb_jax import experiment, paths
from lbb_jax.files import atomic_write
from paper import claims

_ROOT = Path(__file__).parent.parent
_CLAIMS = flags.DEFINE_string("claims", str(_ROOT / "results" / "claims.toml"), "The claims and verdicts.")
_README = flags.DEFINE_string("readme", str(_ROOT / "README.md"), "The file that has the table.")


def main() -> None:
    """Rewrites the table that the flags name."""
    readme = paths.input_file(_README.value, name="--readme")
    try:
        text = claims.insert_claims(readme.read_text(encoding="utf-8"), claims.load_claims(_CLAIMS.value))
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    atomic_write(readme, text)
    print(f"claims: {readme}")


if __name__ == "__main__":
    experiment.run_script(main)
