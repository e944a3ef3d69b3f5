"""Whether runs can be compared: the one place that holds all that they are against each other.

Runs with the same values of `EXPERIMENT` are drawn and tabulated together. Whatever else differs between them, but for
the method, becomes part of these values, so that no figure and no table takes them for one experiment.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lbb_jax.loop import num_rounds
from lbb_jax.run_folder import Description, Record

# Methods are what is compared, and numbers of seeds are seen in every table; the others change no number.
_MAY_DIFFER = ("acquisition", "seeds", "driver", "rounds_at_once", "seeds_at_once", "posterior.members_at_once")
_WITHOUT_EFFECT = {
    "deep_ensemble": ("posterior.num_draws", "posterior.num_test_draws"),
    "mc_dropout": ("posterior.num_members",),
}


def tell_apart(
    names: Sequence[str], keys: Sequence[tuple[Any, ...]], runs: Sequence[Description]
) -> tuple[list[str], list[str]]:
    """What tells each run from others that would be taken for the same experiment, in words.

    Args:
      names: The names of the runs, for the warnings.
      keys: The values of each run by which runs are taken for the same experiment.
      runs: What each is.

    Returns:
      For each run the fields in which some of the same key differ, with its own values, empty for none; and warnings
      of what differs.
    """
    setups, warnings = [""] * len(runs), []
    for key in dict.fromkeys(keys):
        alike = [number for number, other in enumerate(keys) if other == key]
        fields = [dict(_fields(runs[number])) for number in alike]
        differing = [name for name in dict.fromkeys(name for run in fields for name in run) if _differs(name, fields)]
        for number, own in zip(alike, fields, strict=True):
            setups[number] = ", ".join(f"{name}={_show(own[name])}" for name in differing if name in own)
        if differing:
            warnings.append(_describe_difference(key, [(names[number], setups[number]) for number in alike]))
        if len({runs[number].config["seeds"] for number in alike}) > 1:
            counts = ", ".join(f"{names[number]}: {runs[number].config['seeds']}" for number in alike)
            warnings.append(f"runs that are compared have different numbers of seeds ({counts})")
    return setups, warnings


def whole_rounds(name: str, run: Description, records: Sequence[Record]) -> tuple[list[Record], list[str]]:
    """The lines of the rounds that all seeds have finished, and a warning where the run stopped short."""
    config = run.config
    num_seeds = max(config["seeds"], 1)
    count = len(records) // num_seeds
    expected = num_rounds(config["initial_size"], max(config["batch_size"], 1), config["final_size"])
    pool = run.data.get("pool")
    is_exhausted = count and pool is not None and records[count * num_seeds - 1]["labels"] >= pool
    warnings = []
    if count < expected and not is_exhausted:
        warnings.append(
            f"{name} stopped short: {count} of {expected} rounds are done; the command that began it goes on with it"
        )
    return list(records[: count * num_seeds]), warnings


def flatten(fields: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested fields by names such as ``acquisition.method``."""
    for name, value in fields.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _fields(run: Description) -> Iterator[tuple[str, Any]]:
    """All that a run's numbers depend on besides its method."""
    without_effect = (*_MAY_DIFFER, *_WITHOUT_EFFECT.get(run.config["posterior"]["name"], ()))
    for name, value in flatten(run.config):
        if not any(f"{name}.".startswith(f"{other}.") for other in without_effect):
            yield name, value
    yield from flatten(run.data, "data.")
    yield from flatten(run.settings)


def _differs(name: str, fields: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a field differs; what an older version did not record of the data or of JAX is not known to."""
    return len({json.dumps(run[name], sort_keys=True) for run in fields if name in run}) > 1


def _show(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    # Of a hash, as much as tells it from others.
    return f"{text[:8]}…" if len(text) > 40 else text


def _describe_difference(key: tuple[Any, ...], members: Sequence[tuple[str, str]]) -> str:
    by_setup: dict[str, list[str]] = {}
    for name, setup in members:
        by_setup.setdefault(setup, []).append(name)
    what = ", ".join(str(value) for value in key if value != "")
    setups = "; ".join(f"{setup or 'the rest'} ({', '.join(members)})" for setup, members in by_setup.items())
    return f"runs of {what} differ in more than the method, and count as {len(by_setup)} experiments: {setups}"
