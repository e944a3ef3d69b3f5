"""The paper's KMNIST experiment: 60,000 in the pool, 20 to 500 labels, trained from scratch in each round.

    python experiments/run.py --config=configs/kmnist.py:mc_dropout,b=20 \
        --config.acquisition.method=power_lbb --workdir=runs/kmnist/power_lbb

Needs KMNIST prepared by tensorflow-datasets (``kmnist``); TFDS_DATA_DIR says where. The loader has been run only on the
official test images, split 8,000 / 2,000; the preset ``small`` fits this split.

Arguments, after a colon and separated by commas: ``ensemble`` (default; 5 members) or ``mc_dropout`` (100 draws to
acquire, 5 to test); ``b=INTEGER`` (10; the paper's are 10 and 20); ``mlp`` for a perceptron (256 and 128 wide) instead
of the paper's network; ``small`` for a reduced preset that two CPU cores can run: a pool of 8,000 images, 96 training
steps, 20 to 200 labels, 2,000 test images. Any figure from it must say that it is reduced.
"""

from ml_collections import ConfigDict

from lbb_jax import experiment


def get_config(argument: str | None = None) -> ConfigDict:
    """The configuration for ``configs/kmnist.py:argument``."""
    arguments = experiment.parse_arguments(
        argument, choices=("ensemble", "mc_dropout"), flags=("mlp", "small"), integers=("b",)
    )
    config = experiment.default_config()
    config.dataset.name = "kmnist"
    dropout = 0.5 if arguments["mc_dropout"] else 0.25
    config.network = ConfigDict({"name": "convolutional", "dropout_rates": (dropout, dropout, 0.5)})
    config.training = ConfigDict({"name": "fixed_steps", "learning_rate": 1e-3, "num_steps": 384, "batch_size": 64})
    config.posterior.name = "mc_dropout" if arguments["mc_dropout"] else "deep_ensemble"
    config.posterior.num_members = 5
    config.posterior.num_draws, config.posterior.num_test_draws = 100, 5
    config.acquisition.alpha = 5.0
    config.initial_size, config.final_size = 20, 500
    config.batch_size = arguments.get("b", 10)
    config.seeds = 5
    if arguments["mlp"]:
        config.network = ConfigDict({"name": "mlp", "hidden_sizes": (256, 128), "dropout_rate": 0.5})
    if arguments["small"]:
        config.dataset.num_pool = 8_000
        config.dataset.num_test = 2_000
        config.training.num_steps = 96
        config.final_size = 200
    return config
