"""Times a round of the MNIST experiment beside PyTorch, or the whole reduced experiment; prints JSON lines.

    python experiments/benchmark_round.py                                        # lbb_jax alone
    python experiments/benchmark_round.py --peer=.venv-parity/bin/python         # and PyTorch in its fastest form
    python experiments/benchmark_round.py --peer=... --stage=predict --form='compiled, frozen'    # in this form
    python experiments/benchmark_round.py --peer=... --stage=experiment          # all of configs/mnist.py:small

A round trains 5 networks for 384 steps of 64 images, predicts 60,000 images and acquires 10 by LBB (tree). The reduced
experiment has 19 rounds of 96 steps and 10,000 images, and tests on 2,000. Which form of PyTorch is fastest is found by
a trial of each, with fewer steps and images; the experiment has one form, which was the fastest of each stage on a CPU.
Compilation is given apart.
"""

import json
import shutil
from collections.abc import Iterator

import jax
from absl import flags

from lbb_jax import experiment
from lbb_jax.errors import ExperimentError
from lbb_jax.json_lines import Record
from paper.benchmarks import round_cases
from paper.benchmarks.round_cases import FORMS, REDUCED, RoundSizes

_STAGES = flags.DEFINE_multi_enum("stage", ["train", "predict", "acquire"], list(FORMS), "What is timed.")
_PEER = flags.DEFINE_string("peer", None, "A Python interpreter that has PyTorch.")
_FORM = flags.DEFINE_string("form", None, "The form of PyTorch; the fastest in a trial if not given.")
_STEPS = flags.DEFINE_integer(
    "steps", None, "Steps of each network, 384 by default, 96 in the experiment.", lower_bound=1
)
_IMAGES = flags.DEFINE_integer("images", None, "Images in the pool, a multiple of 250.", lower_bound=500)
_ROUNDS = flags.DEFINE_integer("rounds", REDUCED.rounds, "Rounds of the experiment, at least 2.", lower_bound=2)
_TRIAL = {"train": 8, "predict": 2_000}


def main() -> None:
    """Times what the flags name."""
    experiment.check_platform()
    if _PEER.value is not None and shutil.which(_PEER.value) is None:
        raise ExperimentError(f"--peer={_PEER.value}: there is no such program; name a Python that has PyTorch")
    for stage in _STAGES.value:
        if _FORM.value not in (None, *FORMS[stage]):
            forms = ", ".join(map(repr, FORMS[stage]))
            raise ExperimentError(f"--form={_FORM.value}: must be one of {forms} for --stage={stage}")
    if (_IMAGES.value or 0) % 250:
        raise ExperimentError(f"--images={_IMAGES.value}: must be a multiple of 250")
    for record in _records():
        print(json.dumps(record | {"device": jax.devices()[0].device_kind, "jax": jax.__version__}), flush=True)


def _records() -> Iterator[Record]:
    """The records, as each is done."""
    given = {name: value for name, value in (("steps", _STEPS.value), ("images", _IMAGES.value)) if value is not None}
    for stage in _STAGES.value:
        if stage == "experiment":
            sizes = REDUCED._replace(rounds=_ROUNDS.value, **given)
            record = {"case": "experiment, reduced", **sizes._asdict(), **round_cases.time_experiment(sizes)}
        else:
            sizes = RoundSizes(**given)
            record = {"case": f"round, {stage}", **sizes._asdict(), **round_cases.time_stages([stage], sizes)[stage]}
        yield record | _beside(stage, sizes, record["seconds"]) if _PEER.value else record


def _beside(stage: str, sizes: RoundSizes, seconds: float) -> Record:
    """What PyTorch takes for a stage, and the ratio to it."""
    trial: list[Record] = []
    form = _FORM.value or FORMS[stage][0]
    if _FORM.value is None and len(FORMS[stage]) > 1:
        units = min(_TRIAL[stage], sizes.units(stage))
        trial = round_cases.time_torch(_PEER.value, stage, FORMS[stage], sizes, units=units)
        form = min(trial, key=lambda record: record["seconds"])["form"]
    whole = round_cases.time_torch(_PEER.value, stage, [form], sizes, units=sizes.units(stage))[0]
    return {
        "torch_form": form,
        "torch_seconds": whole["seconds"],
        "torch_compile_seconds": whole["compile_seconds"],
        "ratio": round(seconds / whole["seconds"], 3),
        "trial": {record["form"]: record["seconds"] for record in trial},
        "torch": whole["torch"],
    }


if __name__ == "__main__":
    experiment.run_script(main)
