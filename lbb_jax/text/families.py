"""The kinds of encoders that checkpoints can hold, and how each is written down there."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from lbb_jax.networks.encoder import Architecture


class Family(NamedTuple):
    """How checkpoints write down a kind of encoder.

    Attributes:
      prefix: Before the names of its tensors where the encoder is part of a larger model.
      layer: Name of a layer, by its number.
      modules: From the names of our modules, those of a layer without the layer's, to theirs.
      architecture: From the fields of ``config.json`` to the architecture; KeyError for a field that is missing.
    """

    prefix: str
    layer: str
    modules: Mapping[str, str]
    architecture: Callable[[Mapping[str, Any]], Architecture]


def _bert_architecture(fields: Mapping[str, Any]) -> Architecture:
    return Architecture(
        vocabulary_size=fields["vocab_size"],
        num_positions=fields["max_position_embeddings"],
        num_types=fields["type_vocab_size"],
        num_layers=fields["num_hidden_layers"],
        num_heads=fields["num_attention_heads"],
        hidden_size=fields["hidden_size"],
        intermediate_size=fields["intermediate_size"],
        activation=fields["hidden_act"],
        norm_epsilon=fields["layer_norm_eps"],
        dropout_rate=fields["hidden_dropout_prob"],
        attention_dropout_rate=fields["attention_probs_dropout_prob"],
        drops_attended=True,
    )


def _distilbert_architecture(fields: Mapping[str, Any]) -> Architecture:
    return Architecture(
        vocabulary_size=fields["vocab_size"],
        num_positions=fields["max_position_embeddings"],
        num_types=0,
        num_layers=fields["n_layers"],
        num_heads=fields["n_heads"],
        hidden_size=fields["dim"],
        intermediate_size=fields["hidden_dim"],
        activation=fields["activation"],
        dropout_rate=fields["dropout"],
        attention_dropout_rate=fields["attention_dropout"],
        drops_attended=False,
    )


_EMBEDDINGS = {
    "embeddings.words": "embeddings.word_embeddings",
    "embeddings.positions": "embeddings.position_embeddings",
    "embeddings.norm": "embeddings.LayerNorm",
}

FAMILIES = {
    "bert": Family(
        prefix="bert.",
        layer="encoder.layer.{}.",
        modules=_EMBEDDINGS
        | {
            "embeddings.types": "embeddings.token_type_embeddings",
            "attention.query": "attention.self.query",
            "attention.key": "attention.self.key",
            "attention.value": "attention.self.value",
            "attention.output": "attention.output.dense",
            "attention_norm": "attention.output.LayerNorm",
            "intermediate": "intermediate.dense",
            "output": "output.dense",
            "output_norm": "output.LayerNorm",
        },
        architecture=_bert_architecture,
    ),
    "distilbert": Family(
        prefix="distilbert.",
        layer="transformer.layer.{}.",
        modules=_EMBEDDINGS
        | {
            "attention.query": "attention.q_lin",
            "attention.key": "attention.k_lin",
            "attention.value": "attention.v_lin",
            "attention.output": "attention.out_lin",
            "attention_norm": "sa_layer_norm",
            "intermediate": "ffn.lin1",
            "output": "ffn.lin2",
            "output_norm": "output_layer_norm",
        },
        architecture=_distilbert_architecture,
    ),
}
