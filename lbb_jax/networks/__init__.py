"""Classifiers with dropout, as plain functions over parameter pytrees."""

from lbb_jax.networks.convolutional import ConvolutionalClassifier
from lbb_jax.networks.mlp import MLP
from lbb_jax.networks.network import Network, functional

__all__ = ["MLP", "ConvolutionalClassifier", "Network", "functional"]
