"""Several seeds of an experiment in one program: the functions of `lbb_jax.loop`, for states with a leading seed axis.

All seeds are in the same round and have the same number of labels, so that a loop whose length depends on these
has one length for all of them.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Integer, PyTree

from lbb_jax import arguments, loop
from lbb_jax.batching import map_some_at_once
from lbb_jax.labelled_set import LabelledSet
from lbb_jax.loop import Data, Round, Settings, State


def init(seeds: Integer[ArrayLike, " S"], data: Data, settings: Settings) -> State:
    """The states of the seeds ``[S]`` (integers) before the first round, each leaf with a leading axis ``[S]``.

    Raises:
      ValueError: As `lbb_jax.loop.init`; also if ``seeds`` are not integers of one axis, at least one.
      TypeError: For an argument of the wrong kind.
    """
    seeds = jnp.asarray(arguments.as_array("seeds", seeds))
    arguments.check_integers("seeds", seeds, low=0)
    if len(seeds) == 0:
        raise ValueError("seeds: is empty; pass at least one")
    return jax.vmap(lambda seed: loop.init(jax.random.key(seed), data, settings))(seeds)


def for_each(
    function: Callable[[State, PyTree, PyTree], PyTree], *, at_once: int
) -> Callable[[State, PyTree, PyTree], PyTree]:
    """A function of one seed as a function of several.

    Args:
      function: ``(state, of_seed, data) -> results``.
      at_once: How many seeds are worked on side by side; the others wait. At least 1.

    Returns:
      ``(states, of_seeds, data) -> results``, where the leaves of ``states``, ``of_seeds`` and ``results`` have a
      leading axis ``[S]``.
    """
    at_once = arguments.check_positive_integer("at_once", at_once)

    def for_all(states: State, of_seeds: PyTree, data: PyTree) -> PyTree:
        size, round_number = states.labelled.size[0], states.round[0]

        def for_one(arguments: tuple) -> PyTree:
            key, indices, of_seed = arguments
            return function(State(key, LabelledSet(indices, size), round_number), of_seed, data)

        return map_some_at_once(for_one, (states.key, states.labelled.indices, of_seeds), at_once=at_once)

    return for_all


def step(states: State, data: Data, settings: Settings, *, at_once: int) -> tuple[State, Round]:
    """One round of every seed."""
    return for_each(lambda state, _, data: loop.step(state, data, settings), at_once=at_once)(states, None, data)


def run_rounds(states: State, data: Data, settings: Settings, *, num_rounds: int, at_once: int) -> tuple[State, Round]:
    """The next ``num_rounds`` rounds of every seed as one program, or as many of them as the run still has.

    Returns:
      The states, and the rounds with the leading axes ``[S, num_rounds]``; those past the end of the run are zeros.
    """

    def next_round(states: State, _: None) -> tuple[State, Round]:
        return jax.lax.cond(
            states.round[0] < settings.num_rounds,
            lambda states: step(states, data, settings, at_once=at_once),
            lambda states: (states, nothing),
            states,
        )

    num_rounds = arguments.check_positive_integer("num_rounds", num_rounds)
    shapes = jax.eval_shape(lambda states: step(states, data, settings, at_once=at_once)[1], states)
    nothing = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    states, rounds = jax.lax.scan(next_round, states, None, length=num_rounds)
    return states, jax.tree.map(lambda leaf: jnp.swapaxes(leaf, 0, 1), rounds)
