"""Classifiers with dropout, as plain functions over their variables."""

from lbb_jax.networks.convolutional import ConvolutionalClassifier, EMNISTConvolutionalClassifier
from lbb_jax.networks.mlp import MLP
from lbb_jax.networks.network import Network, Variables, functional
from lbb_jax.networks.residual import ResNet18

__all__ = [
    "MLP",
    "ConvolutionalClassifier",
    "EMNISTConvolutionalClassifier",
    "Network",
    "ResNet18",
    "Variables",
    "functional",
]
