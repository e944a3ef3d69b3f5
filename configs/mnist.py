"""The paper's MNIST experiment: 60,000 in the pool, 20 to 500 labels, trained from scratch in each round.

    python experiments/run.py --config=configs/mnist.py:ensemble --config.acquisition.method=power_lbb \
        --config.batch_size=20 --workdir=runs/mnist/power_lbb

Needs MNIST prepared by tensorflow-datasets; TFDS_DATA_DIR says where.

Arguments, after a colon and separated by commas: ``ensemble`` (default; 5 members) or ``mc_dropout`` (100 draws to
acquire, 5 to test); ``repeated`` for RMNIST (4 noisy copies of each image); ``b=INTEGER`` (10; the paper's are 10 and
20); ``mlp`` for a perceptron (256 and 128 wide), which a CPU runs many times faster than the paper's network; ``small``
for a reduced preset that two CPU cores can run: a pool of 10,000 base images (5,000 if repeated), 96 training steps, 20
to 200 labels, 2,000 test images. Any figure from it must say that it is reduced.
"""

from ml_collections import ConfigDict

from lbb_jax import experiment


def get_config(argument: str | None = None) -> ConfigDict:
    """The configuration for ``configs/mnist.py:argument``."""
    arguments = experiment.parse_arguments(
        argument, choices=("ensemble", "mc_dropout"), flags=("repeated", "mlp", "small"), integers=("b",)
    )
    config = experiment.default_config()
    config.dataset.name = "mnist"
    if arguments["repeated"]:
        config.dataset.copies, config.dataset.noise = 4, 0.1
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
        config.dataset.num_pool = 5_000 if arguments["repeated"] else 10_000
        config.dataset.num_test = 2_000
        config.training.num_steps = 96
        config.final_size = 200
    return config
