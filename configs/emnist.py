"""The paper's EMNIST experiment (balanced, 47 classes): 112,800 in the pool, 94 to 3,000 labels.

    python experiments/run.py --config=configs/emnist.py:mc_dropout --config.acquisition.method=power_lbb \
        --workdir=runs/emnist/power_lbb

Needs EMNIST prepared by tensorflow-datasets (``emnist/balanced``); TFDS_DATA_DIR says where. The loader has been run
only on a selection of EMNIST's images that is not an official split: 750 + 150 of each class from the official test
sets. The paper gives no sizes of the labelled set: 94 (2 a class) is ours, 3,000 and batches of 20 are from its
released code.

Arguments, after a colon and separated by commas: ``ensemble`` (default; 5 members) or ``mc_dropout`` (100 draws to
acquire, 5 to test); ``b=INTEGER`` (20); ``mlp`` for a perceptron (256 and 128 wide) instead of the paper's network;
``small`` for a reduced preset that two CPU cores can run: a pool of 10,000 images, 192 training steps, 94 to 494
labels, 2,000 test images. Any figure from it must say that it is reduced.
"""

from ml_collections import ConfigDict

from lbb_jax import experiment


def get_config(argument: str | None = None) -> ConfigDict:
    """The configuration for ``configs/emnist.py:argument``."""
    arguments = experiment.parse_arguments(
        argument, choices=("ensemble", "mc_dropout"), flags=("mlp", "small"), integers=("b",)
    )
    config = experiment.default_config()
    config.dataset.name = "emnist"
    dropout = 0.5 if arguments["mc_dropout"] else 0.25
    config.network = ConfigDict({"name": "emnist_convolutional", "dropout_rates": (dropout, dropout, dropout, 0.5)})
    config.training = ConfigDict({"name": "fixed_steps", "learning_rate": 1e-3, "num_steps": 384, "batch_size": 64})
    config.posterior.name = "mc_dropout" if arguments["mc_dropout"] else "deep_ensemble"
    config.posterior.num_members = 5
    config.posterior.num_draws, config.posterior.num_test_draws = 100, 5
    config.acquisition.alpha = 5.0
    config.initial_size, config.final_size = 94, 3_000
    config.batch_size = arguments.get("b", 20)
    config.seeds = 5
    if arguments["mlp"]:
        config.network = ConfigDict({"name": "mlp", "hidden_sizes": (256, 128), "dropout_rate": 0.5})
    if arguments["small"]:
        config.dataset.num_pool = 10_000
        config.dataset.num_test = 2_000
        config.training.num_steps = 192
        config.final_size = 494
    return config
