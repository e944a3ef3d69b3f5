"""Classifiers as plain functions over their variables."""

from lbb_jax.networks.convolutional import ConvolutionalClassifier, EMNISTConvolutionalClassifier
from lbb_jax.networks.linear import Linear
from lbb_jax.networks.mlp import MLP
from lbb_jax.networks.modules import create, functional
from lbb_jax.networks.network import Network, Variables, has_dropout, last_layer, start_from
from lbb_jax.networks.residual import ResNet18
from lbb_jax.networks.text_classifier import TextClassifier

__all__ = [
    "MLP",
    "ConvolutionalClassifier",
    "EMNISTConvolutionalClassifier",
    "Linear",
    "Network",
    "ResNet18",
    "TextClassifier",
    "Variables",
    "create",
    "functional",
    "has_dropout",
    "last_layer",
    "start_from",
]
