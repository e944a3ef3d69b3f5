"""Batch Bayesian active learning in JAX: which points should be labelled next?

This module gives access to the pure numerical core, which is imported on first use. Everything that touches files, data
sets or figures must be imported by name, as in ``from lbb_jax import datasets``.

Shape legend, used where a docstring does not say otherwise: ``N`` pool points, ``K`` draws of the model parameters
(ensemble members or dropout masks), ``C`` classes, ``b`` points in a batch, ``M`` label configurations. Information is
in nats.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lbb_jax import acquisition, entropy, information

    __version__: str

__all__ = ["acquisition", "entropy", "information"]


def __getattr__(name: str) -> Any:
    # Importing JAX takes a second; commands that compute nothing should not wait for it.
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version(__name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
