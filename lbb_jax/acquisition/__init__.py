"""Which points to label next: the acquisition methods, and `acquire`, which checks its arguments and runs one of them.

Each pure function takes ``(key, log_probs, available, *, batch_size, ...)``, returns an `Acquisition` and works under
``jit`` and ``vmap``. `acquire` takes predictions from any source, `acquire_stream` those of a pool that is read block
by block. Both accept a function of your own as the method; a `Method` describes one further.
"""

from lbb_jax.acquisition.badge import badge
from lbb_jax.acquisition.bait import bait
from lbb_jax.acquisition.batch_bald import batch_bald
from lbb_jax.acquisition.batch_epig import batch_epig
from lbb_jax.acquisition.candidates import Stream
from lbb_jax.acquisition.cluster_margin import cluster_margin
from lbb_jax.acquisition.core_set import core_set
from lbb_jax.acquisition.epig import epig
from lbb_jax.acquisition.front_door import acquire
from lbb_jax.acquisition.greedy import greedy
from lbb_jax.acquisition.large_batch_bald import large_batch_bald, power_large_batch_bald
from lbb_jax.acquisition.large_batch_bald_released import large_batch_bald_released
from lbb_jax.acquisition.log_det import log_det
from lbb_jax.acquisition.oracle import oracle
from lbb_jax.acquisition.pointwise import bald, least_confident, margin, max_entropy, power_bald, random
from lbb_jax.acquisition.registry import METHODS, ORACLE, Method, check_options, find_method, options_with_effect
from lbb_jax.acquisition.sampling import SAMPLINGS, pick_by_score
from lbb_jax.acquisition.selection import Acquisition, Ranked
from lbb_jax.acquisition.streaming import StreamAcquisition, acquire_stream
from lbb_jax.acquisition.typiclust import typiclust

__all__ = [
    "METHODS",
    "ORACLE",
    "SAMPLINGS",
    "Acquisition",
    "Method",
    "Ranked",
    "Stream",
    "StreamAcquisition",
    "acquire",
    "acquire_stream",
    "badge",
    "bait",
    "bald",
    "batch_bald",
    "batch_epig",
    "check_options",
    "cluster_margin",
    "core_set",
    "epig",
    "find_method",
    "greedy",
    "large_batch_bald",
    "large_batch_bald_released",
    "least_confident",
    "log_det",
    "margin",
    "max_entropy",
    "options_with_effect",
    "oracle",
    "pick_by_score",
    "power_bald",
    "power_large_batch_bald",
    "random",
    "typiclust",
]
