"""What the numbers of a run depend on besides its configuration and its data: versions, hardware, settings of JAX."""

import logging
import os
import platform
from collections.abc import Mapping
from importlib import metadata
from itertools import groupby
from pathlib import Path
from typing import Any

import flax
import jax

from lbb_jax.errors import ExperimentError
from lbb_jax.run_folder import RunFolder

_LOGGER = logging.getLogger(__name__)

PACKAGES = ("lbb_jax", "jax", "jaxlib", "flax", "optax", "numpy", "tensorflow-datasets")
# The versions of these make no difference to the numbers of a run.
_WITHOUT_EFFECT = ("orbax-checkpoint", "tensorflow-datasets", "python", "system")
# The settings that change the numbers of a run: the random numbers of a key, or the precision. A run that does not
# record a setting began under JAX's own default.
SETTINGS: dict[str, Any] = {
    "jax_default_matmul_precision": None,
    "jax_default_prng_impl": "threefry2x32",
    "jax_enable_x64": False,
    "jax_random_seed_offset": 0,
    "jax_threefry_partitionable": True,
    "flax_fix_rng_separator": False,
}


def versions() -> dict[str, str]:
    """The versions of the packages that a run uses, and of Python."""
    return {name: metadata.version(name) for name in PACKAGES} | {"python": platform.python_version()}


def hardware() -> dict[str, Any]:
    """The hardware, and XLA's flags: what the last bits depend on."""
    return {
        "backend": jax.default_backend(),
        "devices": [device.device_kind for device in jax.devices()],
        "machine": platform.machine(),
        "processor": _processor(),
        "system": platform.system(),
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
    }


def settings() -> dict[str, Any]:
    """The values of `SETTINGS` here."""
    return {
        name: getattr(jax.config if name.startswith("jax_") else flax.config, name, default)
        for name, default in SETTINGS.items()
    }


def check_same(folder: RunFolder) -> None:
    """Compares the settings, versions and hardware here with those of the run in ``folder``, if there is one.

    Other versions or hardware, under which the last bits can differ, cause a warning. What an older version of this
    project did not record is not compared.

    Raises:
      ExperimentError: If a setting of JAX that changes the numbers differs.
    """
    begun = folder.describe()
    if begun is None:
        return
    differences = _differing(SETTINGS | begun.settings, settings(), "=")
    if differences:
        raise ExperimentError(
            f"{folder} holds a run under other settings of JAX, from which other numbers follow (config.json); choose "
            "another --workdir, or set " + "; ".join(differences)
        )
    differences = [*_differing(begun.versions, versions(), " "), *_differing(begun.platform, hardware(), " ")]
    if differences:
        _LOGGER.warning(
            "%s: going on under other versions or on other hardware, where the last bits of numbers can differ, and "
            "with them the points acquired: begun with %s",
            folder,
            "; ".join(differences),
        )


def _differing(before: Mapping[str, Any], here: Mapping[str, Any], separator: str) -> list[str]:
    return [
        f"{name}{separator}{_show(before[name])} (here: {_show(value)})"
        for name, value in here.items()
        if name in before and name not in _WITHOUT_EFFECT and before[name] != value
    ]


def _show(value: Any) -> str:
    """A value in words: equal devices are counted."""
    if isinstance(value, list):
        return ", ".join(f"{len(list(same))} × {kind}" for kind, same in groupby(sorted(map(str, value))))
    return str(value) if value != "" else "none"


def _processor() -> str:
    """The name of the processor, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())
