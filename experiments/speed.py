"""Times what must stay fast and compares it with the last results that were stored (two minutes on two cores).

    python experiments/speed.py           # ends with status 1 if something takes twice as long as it did
    python experiments/speed.py --save    # stores these results instead

Each case is timed in turn with a unit of work in the same process. Ratios are compared and not times, so that it
hardly matters on which machine they were measured. Prints one JSON line for each case.
"""

import json
import sys

import jax
from absl import flags

from lbb_jax import experiment, files, paths
from lbb_jax.json_lines import read_lines, to_lines
from paper.benchmarks import speed_cases

_STORED = flags.DEFINE_string("stored", "results/benchmark/speed.jsonl", "The file of the stored results.")
_SAVE = flags.DEFINE_bool("save", False, "Whether the results are stored there, instead of compared.")
_FACTOR = flags.DEFINE_float("factor", 2.0, "How many times its stored ratio makes a case too slow.", lower_bound=1.0)
_ONLY = flags.DEFINE_string("only", "", "Text that the names of the cases must contain.")
_REPETITIONS = flags.DEFINE_integer("repetitions", 5, "Times that each case is timed.", lower_bound=1)


def main() -> None:
    """Times, and stores or compares."""
    stored = [] if _SAVE.value else read_lines(paths.input_file(_STORED.value, name="--stored"))
    experiment.check_platform()
    experiment.use_cache()
    cases = [case for case in speed_cases.cases() if _ONLY.value in case.name]
    records = []
    for record in speed_cases.measure(cases, repetitions=_REPETITIONS.value):
        records.append(record | {"device": jax.devices()[0].device_kind, "jax": jax.__version__})
        print(json.dumps(records[-1]), flush=True)
    if _SAVE.value:
        path = paths.output_file(_STORED.value, name="--stored")
        files.atomic_write(path, to_lines(records))
        return
    faults = speed_cases.faults(records, stored, factor=_FACTOR.value)
    # Other programs on the machine may have slowed these cases down.
    again = [case for case in cases if case.name in faults]
    repeated = list(speed_cases.measure(again, repetitions=3 * _REPETITIONS.value))
    faults = speed_cases.faults(repeated, stored, factor=_FACTOR.value)
    if faults:
        sys.exit("\n".join(f"error: {name}: {fault}" for name, fault in faults.items()))


if __name__ == "__main__":
    experiment.run_script(main)
