"""The paper's CIFAR-100 experiment: 45,000 in the pool, 5,000 to 10,400 labels, a ResNet-18.

    python experiments/run.py --config=configs/cifar100.py:ensemble --config.acquisition.method=power_lbb \
        --workdir=runs/cifar100/power_lbb

Needs a GPU, and CIFAR-100 prepared by tensorflow-datasets (``cifar100``); TFDS_DATA_DIR says where. The loader has only
read generated images, never the real ones. 5,000 of the 50,000 training images are for validation.

Arguments, after a colon and separated by commas: ``ensemble`` (default; 5 members) or ``mc_dropout`` (100 draws to
acquire, 5 to test); ``repeated`` for RCIFAR-100 (4 noisy copies of each image); ``b=INTEGER`` (100; the paper's are 100
and 200).
"""

from ml_collections import ConfigDict

from lbb_jax import experiment


def get_config(argument: str | None = None) -> ConfigDict:
    """The configuration for ``configs/cifar100.py:argument``."""
    arguments = experiment.parse_arguments(
        argument, choices=("ensemble", "mc_dropout"), flags=("repeated",), integers=("b",)
    )
    config = experiment.default_config()
    config.dataset.name = "cifar100"
    config.dataset.num_validation = 5_000
    if arguments["repeated"]:
        config.dataset.copies, config.dataset.noise = 4, 0.1
    # Our choice; the paper does not state the dropout rate of the ResNet.
    config.network = ConfigDict({"name": "resnet18", "dropout_rate": 0.3 if arguments["mc_dropout"] else 0.0})
    config.training = ConfigDict()
    config.training.name = "epochs"
    config.training.num_epochs = 50
    config.training.learning_rate = 0.05
    config.training.momentum = 0.9
    config.training.weight_decay = 5e-4
    # The learning rate falls to a tenth after each of these.
    config.training.decay_epochs = (25, 40)
    # A minibatch holds as many examples as a round acquires, and at least this many.
    config.training.smallest_batch_size = 50
    config.training.augment = True
    config.posterior.name = "mc_dropout" if arguments["mc_dropout"] else "deep_ensemble"
    config.posterior.num_members = 5
    config.posterior.num_draws, config.posterior.num_test_draws = 100, 5
    config.acquisition.alpha = 5.0
    config.initial_size, config.final_size = 5_000, 10_400
    config.batch_size = arguments.get("b", 100)
    config.seeds = 5
    return config
