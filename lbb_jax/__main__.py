"""The command ``lbb-jax``, also ``python -m lbb_jax``; it names the extra that it needs if that is not installed."""

import sys

from lbb_jax.extras import MissingExtraError


def main() -> int:
    """Runs `lbb_jax.labelling.command` and returns its exit status; 1 if the extra ``labelling`` is missing."""
    try:
        from lbb_jax.labelling import command
    except MissingExtraError as error:
        print(f"lbb-jax: {error}", file=sys.stderr)
        return 1
    return command.main()


if __name__ == "__main__":
    sys.exit(main())
