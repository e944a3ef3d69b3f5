"""Handwritten digits (8 × 8, 1,297 in the pool), a deep ensemble of 5, MC dropout or Laplace; no download.

    python experiments/run.py --config=configs/digits.py --config.acquisition.method=lbb --workdir=runs/digits/lbb

Takes about 15 seconds on 2 CPU cores and ends, at 200 labels, at about 95 % test accuracy.

Arguments, after a colon and separated by commas: ``ensemble`` (default), ``mc_dropout`` or ``laplace`` (one perceptron,
of whose last layer there are 200 draws); ``b=INTEGER``.
"""

from ml_collections import ConfigDict

from lbb_jax import experiment


def get_config(argument: str | None = None) -> ConfigDict:
    """The configuration for ``configs/digits.py:argument``."""
    arguments = experiment.parse_arguments(argument, choices=("ensemble", "mc_dropout", "laplace"), integers=("b",))
    config = experiment.default_config()
    if arguments["mc_dropout"]:
        config.posterior.name = "mc_dropout"
        config.network.dropout_rate = 0.5
    if arguments["laplace"]:
        config.posterior.name = "laplace"
        config.posterior.num_members, config.posterior.num_draws = 1, 200
    config.batch_size = arguments.get("b", config.batch_size)
    return config
