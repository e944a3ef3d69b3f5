"""The two regimes of the paper's image experiments, as configurations.

Source: "Scalable Batch Acquisition for Deep Bayesian Active Learning" (Rubashevskii, Kotova and Panov, SDM 2023) and
its released code. Ours, where both are silent: the dropout of the ResNet, the noise on the copies of a repeated data
set (that of BatchBALD's RMNIST), and in part the sizes of EMNIST's and CIFAR-100's labelled sets.
"""

from typing import Any

from ml_collections import ConfigDict

from lbb_jax.experiment.configuration import default_config, parse_arguments


def parse_image_arguments(argument: str | None, *, flags: tuple[str, ...] = ()) -> dict[str, Any]:
    """Parses the arguments that every image experiment takes: ``ensemble`` or ``mc_dropout``, and ``b=INTEGER``.

    Args:
      argument: The part after the colon of ``file.py:argument``.
      flags: Further words that this experiment takes; `grey_images` and `colour_images` heed ``repeated``.

    Returns:
      As `parse_arguments`.

    Raises:
      ExperimentError: For anything else.
    """
    return parse_arguments(argument, choices=("ensemble", "mc_dropout"), flags=flags, integers=("b",))


def grey_images(
    dataset: str,
    arguments: dict[str, Any],
    *,
    initial_size: int,
    final_size: int,
    batch_size: int,
    network: str = "convolutional",
    num_convolutions: int = 2,
) -> ConfigDict:
    """MNIST and its kin: a small convolutional network, trained for 384 steps of Adam in each round.

    Args:
      dataset: Its name in `lbb_jax.datasets`.
      arguments: As `parse_image_arguments` returns them.
      initial_size: Labels to start with.
      final_size: Labels to end with.
      batch_size: Labels to acquire in a round, if the arguments set no ``b``.
      network: Name of the network; its field ``dropout_rates`` holds one for each convolution and one for the dense
        layer after them.
      num_convolutions: Of the network.

    Returns:
      A configuration with the fields of `default_config`.
    """
    config = _image_config(dataset, arguments, initial_size, final_size, batch_size)
    of_convolutions = 0.5 if arguments["mc_dropout"] else 0.25
    config.network = ConfigDict({"name": network, "dropout_rates": (of_convolutions,) * num_convolutions + (0.5,)})
    config.training.num_steps = 384
    config.training.batch_size = 64
    return config


def colour_images(
    dataset: str,
    arguments: dict[str, Any],
    *,
    initial_size: int,
    final_size: int,
    batch_size: int,
    augment: bool,
) -> ConfigDict:
    """CIFAR and SVHN: a ResNet-18, trained for 50 epochs of SGD in each round, the best by 5,000 validation images.

    Args:
      dataset: Its name in `lbb_jax.datasets`.
      arguments: As `parse_image_arguments` returns them.
      initial_size: Labels to start with.
      final_size: Labels to end with.
      batch_size: Labels to acquire in a round, if the arguments set no ``b``.
      augment: Whether training crops and flips the images at random.

    Returns:
      A configuration with the fields of `default_config`, those of ``network`` and ``training`` replaced.
    """
    config = _image_config(dataset, arguments, initial_size, final_size, batch_size)
    config.dataset.num_validation = 5_000
    config.network = ConfigDict({"name": "resnet18", "dropout_rate": 0.3 if arguments["mc_dropout"] else 0.0})
    config.training = ConfigDict()
    config.training.name = "epochs"
    config.training.num_epochs = 50
    config.training.learning_rate = 0.05
    config.training.momentum = 0.9
    config.training.weight_decay = 5e-4
    # The learning rate falls to a tenth after each of these.
    config.training.decay_epochs = (25, 40)
    # A minibatch holds as many examples as a round acquires, and at least so many.
    config.training.smallest_batch_size = 50
    config.training.augment = augment
    return config


def _image_config(
    dataset: str, arguments: dict[str, Any], initial_size: int, final_size: int, batch_size: int
) -> ConfigDict:
    """What both regimes share."""
    config = default_config()
    config.dataset.name = dataset
    if arguments.get("repeated"):
        config.dataset.copies, config.dataset.noise = 4, 0.1
    if arguments["mc_dropout"]:
        config.posterior.name = "mc_dropout"
    config.acquisition.alpha = 5.0
    config.initial_size, config.final_size = initial_size, final_size
    config.batch_size = arguments.get("b", batch_size)
    config.seeds = 5
    return config
