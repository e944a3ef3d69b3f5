"""The active-learning loop: train, evaluate, predict the pool, acquire, as pure functions over a small state.

A round runs these four stages in order; the last round omits the last two. Its random numbers depend on the run's key
and the round alone, and no shape changes from round to round, so that a run can be stopped after any round and one
compiled program serves all of them.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int32, PyTree

from lbb_jax import arguments, labelled_set, metrics
from lbb_jax import examples as example_lib
from lbb_jax.acquisition import Acquisition
from lbb_jax.examples import Data
from lbb_jax.labelled_set import LabelledSet
from lbb_jax.metrics import Metrics
from lbb_jax.networks import start_from
from lbb_jax.posteriors import Posterior


def num_rounds(initial_size: int, batch_size: int, final_size: int) -> int:
    """Rounds from ``initial_size`` to ``final_size`` labels in steps of ``batch_size``, both ends included.

    Raises:
      ValueError: If a size is below 1, or ``initial_size`` above ``final_size``.
      TypeError: If a size is no integer.
    """
    initial_size = arguments.check_positive_integer("initial_size", initial_size)
    batch_size = arguments.check_positive_integer("batch_size", batch_size)
    final_size = arguments.check_positive_integer("final_size", final_size)
    if initial_size > final_size:
        raise ValueError(f"initial_size={initial_size}: must be at most final_size={final_size}")
    return -(-(final_size - initial_size) // batch_size) + 1


class Settings(NamedTuple):
    """What stays the same over a run; all of it static.

    Attributes:
      posterior: The approximate posterior, trained in each round from scratch, or from pretrained parameters.
      acquire: The pure function ``(key, log_probs, available, *, batch_size) -> Acquisition``, which takes
        ``embeddings`` too where it uses them.
      num_classes: ``C``.
      initial_size: Labels that the run starts with, balanced by class.
      batch_size: Labels acquired in a round; the last round acquires fewer where they do not divide evenly.
      final_size: Labels that it ends with.
      uses_predictions: Whether ``acquire`` looks at ``log_probs``; where it does not, the pool is not predicted.
      uses_embeddings: Whether ``acquire`` takes ``embeddings``; where it does not, the pool is not embedded.
      uses_labels: Whether ``acquire`` takes the ``labels`` of the pool, as an oracle does.
    """

    posterior: Posterior
    acquire: Callable[..., Acquisition]
    num_classes: int
    initial_size: int
    batch_size: int
    final_size: int
    uses_predictions: bool = True
    uses_embeddings: bool = False
    uses_labels: bool = False

    @property
    def num_rounds(self) -> int:
        """Rounds of a whole run; the last one acquires nothing."""
        return num_rounds(self.initial_size, self.batch_size, self.final_size)


class State(NamedTuple):
    """Everything that a run carries from one round to the next.

    Attributes:
      key: The run's random key; rounds fold their number into it.
      labelled: The labelled points.
      round: ``[]`` int32, from 0.
    """

    key: jax.Array
    labelled: LabelledSet
    round: Int32[Array, ""]


class MethodInputs(NamedTuple):
    """What the methods of acquisition look at.

    Attributes:
      log_probs: The predictions of the whole pool, ``[N, K, C]``; uniform ones of one draw where the method needs none.
      embeddings: The embeddings of the whole pool, ``[N, D]``; None where the method needs none.
      labels: The labels of the whole pool, ``[N]`` int32; None for all methods but an oracle.
    """

    log_probs: Float[Array, "N K C"]
    embeddings: Float[Array, "N D"] | None = None
    labels: Int32[Array, " N"] | None = None


class AcquiredBatch(NamedTuple):
    """What a round acquired.

    Attributes:
      picked: The batch in the order picked, ``[b]``.
      num_labelled: How many of the batch were labelled, ``[]`` int32: ``b``; fewer where the final size or the end of
        the pool is nearer, 0 in the last round.
      num_faults: How many numbers in the predictions of the pool are NaN, ``[]`` int32; if any is, the batch is
        meaningless.
    """

    picked: Acquisition
    num_labelled: Int32[Array, ""]
    num_faults: Int32[Array, ""]


class Round(NamedTuple):
    """What a round did.

    Attributes:
      round: ``[]`` int32.
      labels: Labels trained on, ``[]`` int32.
      metrics: On the test examples.
      losses: The loss of each member and unit of training (step or epoch), ``[members, units]``, nats.
      batch: What was acquired; nothing in the last round.
    """

    round: Int32[Array, ""]
    labels: Int32[Array, ""]
    metrics: Metrics
    losses: Float[Array, "members units"]
    batch: AcquiredBatch


def init(key: jax.Array, data: Data, settings: Settings) -> State:
    """The state before the first round, with a balanced initial set drawn from the pool.

    Raises:
      ValueError: If the sizes of ``settings`` do not fit one another or the pool. Outside of ``jit``, also if a label
        is not between 0 and ``num_classes - 1``.
      TypeError: For an argument of the wrong kind.
    """
    key = arguments.check_key("key", key)
    _check_fit(data, settings)
    run_key, initial_key = jax.random.split(key)
    indices = labelled_set.draw_balanced(
        initial_key,
        example_lib.all_labels(data.pool),
        num_classes=settings.num_classes,
        size=settings.initial_size,
    )
    return State(run_key, labelled_set.create(indices, capacity=settings.final_size), jnp.int32(0))


def _check_fit(data: Data, settings: Settings) -> None:
    """Raises what `init` raises."""
    for name, argument, kind in (("data", data, Data), ("settings", settings, Settings)):
        if not isinstance(argument, kind):
            raise TypeError(
                f"{name}: a {type(argument).__name__} is no {kind.__name__}; pass loop.{kind.__name__}(...)"
            )
    num_classes = arguments.check_positive_integer("settings.num_classes", settings.num_classes)
    for name in ("pool", "test", "validation"):
        part = getattr(data, name)
        if isinstance(part, example_lib.Examples):
            arguments.check_integers(f"data.{name}.labels", part.labels, low=0, high=num_classes)
        elif part is not None or name != "validation":
            raise TypeError(f"data.{name}: a {type(part).__name__} is not Examples; pass those of examples.create")
    num_points = data.pool.num_examples
    num_rounds(settings.initial_size, settings.batch_size, settings.final_size)
    for name in ("initial_size", "batch_size"):
        if getattr(settings, name) > num_points:
            raise ValueError(f"settings.{name}={getattr(settings, name)}: the pool has only {num_points} points")


def _stage_key(state: State, stage: int) -> jax.Array:
    """The random key of a stage of the state's round."""
    return jax.random.fold_in(jax.random.fold_in(state.key, state.round), stage)


def train(state: State, data: Data, settings: Settings) -> tuple[PyTree, Float[Array, "members units"]]:
    """Trains the posterior anew on the labelled points: parameters, and losses ``[members, units]``."""
    init_key, fit_key = jax.random.split(_stage_key(state, 0))
    one_input = example_lib.inputs(data.pool, jnp.zeros(1, jnp.int32))
    params = start_from(settings.posterior.init(init_key, one_input), data.pretrained)
    return settings.posterior.fit(fit_key, params, data, state.labelled)


def evaluate(state: State, params: PyTree, data: Data, settings: Settings) -> Metrics:
    """Metrics of the trained posterior on the test examples."""
    key = _stage_key(state, 1)
    log_probs = settings.posterior.sample(key, params, data.test, num_draws=settings.posterior.num_test_draws)
    return metrics.evaluate(log_probs, example_lib.all_labels(data.test))


def predict(state: State, params: PyTree, data: Data, settings: Settings) -> MethodInputs:
    """What the method needs to know of the whole pool."""
    if settings.uses_predictions:
        log_probs = settings.posterior.sample(_stage_key(state, 2), params, data.pool)
    else:
        log_probs = jnp.full((data.pool.num_examples, 1, settings.num_classes), -jnp.log(settings.num_classes))
    labels = example_lib.all_labels(data.pool) if settings.uses_labels else None
    if not settings.uses_embeddings:
        return MethodInputs(log_probs, None, labels)
    if settings.posterior.embed is None:
        raise ValueError("posterior: has no embeddings, which the method needs")
    return MethodInputs(log_probs, settings.posterior.embed(params, data.pool), labels)


def acquire(state: State, predictions: MethodInputs, settings: Settings) -> tuple[State, AcquiredBatch]:
    """Picks a batch, labels as much of it as the final size and the pool allow, and moves on to the next round.

    A batch that is cut short keeps its first picks, which with most methods are what a smaller batch would be.
    """
    num_points = len(predictions.log_probs)
    available = ~labelled_set.contains(state.labelled, num_points)
    more = {"embeddings": predictions.embeddings} if settings.uses_embeddings else {}
    if settings.uses_labels:
        more["labels"] = predictions.labels
    picked = settings.acquire(
        _stage_key(state, 3), predictions.log_probs, available, batch_size=settings.batch_size, **more
    )
    last_size = min(settings.final_size, num_points)
    count = jnp.minimum(settings.batch_size, last_size - state.labelled.size)
    labelled = labelled_set.add(state.labelled, picked.indices, count)
    leaves = jax.tree.leaves(predictions._replace(labels=None))
    num_faults = sum((jnp.sum(jnp.isnan(leaf), dtype=jnp.int32) for leaf in leaves), jnp.int32(0))
    return State(state.key, labelled, state.round + 1), AcquiredBatch(picked, count, num_faults)


def acquire_nothing(state: State, settings: Settings) -> tuple[State, AcquiredBatch]:
    """What the last round does instead: moves on to the next round with a batch that is not labelled."""
    size = settings.batch_size
    nothing = Acquisition(jnp.full(size, -1, jnp.int32), jnp.full(size, -jnp.inf, jnp.float32))
    return state._replace(round=state.round + 1), AcquiredBatch(nothing, jnp.int32(0), jnp.int32(0))


def step(state: State, data: Data, settings: Settings) -> tuple[State, Round]:
    """One round: train, evaluate, predict, acquire."""
    params, losses = train(state, data, settings)
    test_metrics = evaluate(state, params, data, settings)
    next_state, batch = jax.lax.cond(
        state.labelled.size < settings.final_size,
        lambda: acquire(state, predict(state, params, data, settings), settings),
        lambda: acquire_nothing(state, settings),
    )
    return next_state, Round(state.round, state.labelled.size, test_metrics, losses, batch)


def run(key: jax.Array, data: Data, settings: Settings) -> tuple[State, Round]:
    """A whole run as one program: the last state, and the rounds stacked along a leading axis ``[num_rounds]``.

    ``jit(vmap(run, in_axes=(0, None)))`` runs several seeds side by side.
    """
    return jax.lax.scan(
        lambda state, _: step(state, data, settings), init(key, data, settings), None, length=settings.num_rounds
    )
