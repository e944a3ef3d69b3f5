"""Tiny checkpoints of encoders with random weights, in the files and under the names of the real ones."""

import json
from math import erf

import numpy as np
from safetensors.numpy import save_file

WORDS = ["the", "of", "stocks", "rise", "fall", "team", "wins", "game", "war", "ends", "talks"]
WORDS += ["##s", "a", "in", "on", "."]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
TEXTS = [
    "Stocks rise.",
    "The team wins the game in the talks on the war of the stocks. The war ends.",
    "talks",
    "A team falls on the game",
]

LAYERS, HEADS, HIDDEN, INTERMEDIATE, POSITIONS = 2, 2, 8, 12, 20
CONFIGS = {
    "bert": {
        "model_type": "bert",
        "vocab_size": len(VOCABULARY),
        "max_position_embeddings": POSITIONS,
        "type_vocab_size": 2,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "hidden_size": HIDDEN,
        "intermediate_size": INTERMEDIATE,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
    },
    "distilbert": {
        "model_type": "distilbert",
        "vocab_size": len(VOCABULARY),
        "max_position_embeddings": POSITIONS,
        "n_layers": LAYERS,
        "n_heads": HEADS,
        "dim": HIDDEN,
        "hidden_dim": INTERMEDIATE,
        "activation": "gelu",
        "dropout": 0.1,
        "attention_dropout": 0.1,
    },
}
EMBEDDINGS = ("embeddings.word_embeddings", "embeddings.position_embeddings", "embeddings.token_type_embeddings")
# Of a layer: query, key, value, attention's output and norm, the two dense layers and the last norm.
MODULES = {
    "bert": (
        "encoder.layer.{}.",
        "attention.self.query attention.self.key attention.self.value attention.output.dense "
        "attention.output.LayerNorm intermediate.dense output.dense output.LayerNorm",
    ),
    "distilbert": (
        "transformer.layer.{}.",
        "attention.q_lin attention.k_lin attention.v_lin attention.out_lin sa_layer_norm ffn.lin1 ffn.lin2 "
        "output_layer_norm",
    ),
}


def layer_modules(family, number):
    prefix, names = MODULES[family]
    return [prefix.format(number) + name for name in names.split()]


def random_tensors(family, seed=0):
    """All tensors of an encoder, float32, by their names in a checkpoint."""
    rng = np.random.default_rng(seed)
    tensors = {}

    def draw(name, *shape, mean=0.0, std=0.5):
        tensors[name] = rng.normal(mean, std, shape).astype(np.float32)

    for name, rows in zip(EMBEDDINGS, (len(VOCABULARY), POSITIONS, 2)[: 3 if family == "bert" else 2], strict=False):
        draw(f"{name}.weight", rows, HIDDEN)
    norms = ["embeddings.LayerNorm"]
    for number in range(LAYERS):
        *dense, attention_norm, first, second, output_norm = layer_modules(family, number)
        norms += [attention_norm, output_norm]
        widths = [(HIDDEN, HIDDEN)] * 4 + [(INTERMEDIATE, HIDDEN), (HIDDEN, INTERMEDIATE)]
        for name, shape in zip([*dense, first, second], widths, strict=True):
            draw(f"{name}.weight", *shape)
            draw(f"{name}.bias", shape[0])
    for name in norms:
        draw(f"{name}.weight", HIDDEN, mean=1.0, std=0.1)
        draw(f"{name}.bias", HIDDEN)
    return tensors


def write(folder, family="bert", tensors=None, **fields):
    """Writes a checkpoint with a vocabulary, and returns its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIGS[family] | fields))
    save_file(random_tensors(family) if tensors is None else tensors, folder / "model.safetensors")
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY))
    return folder


def reference_hidden_states(family, tensors, tokens):
    """The hidden states ``[L, D]`` of one text without padding, as a formula in float64."""
    tensors = {name: tensor.astype(np.float64) for name, tensor in tensors.items()}

    def dense(name, inputs):
        return inputs @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"]

    def norm(name, inputs):
        centred = inputs - inputs.mean(-1, keepdims=True)
        return (
            centred / np.sqrt(centred.var(-1, keepdims=True) + 1e-12) * tensors[f"{name}.weight"]
            + (tensors[f"{name}.bias"])
        )

    hidden = tensors[f"{EMBEDDINGS[0]}.weight"][tokens] + tensors[f"{EMBEDDINGS[1]}.weight"][: len(tokens)]
    if family == "bert":
        hidden = hidden + tensors[f"{EMBEDDINGS[2]}.weight"][0]
    hidden = norm("embeddings.LayerNorm", hidden)
    for number in range(LAYERS):
        query, key, value, output, attention_norm, first, second, output_norm = layer_modules(family, number)
        parts = []
        for head in np.split(np.arange(HIDDEN), HEADS):
            scores = dense(query, hidden)[:, head] @ dense(key, hidden)[:, head].T / np.sqrt(len(head))
            weights = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
            parts.append(weights @ dense(value, hidden)[:, head])
        hidden = norm(attention_norm, hidden + dense(output, np.concatenate(parts, -1)))
        inner = dense(first, hidden)
        inner = inner * (1 + np.vectorize(erf)(inner / np.sqrt(2))) / 2
        hidden = norm(output_norm, hidden + dense(second, inner))
    return hidden
