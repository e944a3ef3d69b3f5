"""The rounds of a run, compiled: stage by stage from the host, or many rounds as one program.

Both change the states of all seeds in the same way; they differ in what is visible on the way. From the host, each
stage is timed, and each round can be saved and shown. As one program, only the end is visible.
"""

import logging
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh
from ml_collections import ConfigDict

from lbb_jax import batching, loop, seeds, sharding
from lbb_jax.experiment import compilation
from lbb_jax.experiment.build import Parts
from lbb_jax.experiment.interruption import wait_for
from lbb_jax.loop import Data, Round, State

_LOGGER = logging.getLogger(__name__)


class Finished(NamedTuple):
    """A round of all seeds that is done.

    Attributes:
      round: What the round did, as NumPy arrays with a leading axis ``[S]``.
      seconds: What it took for all seeds.
      seconds_of_stages: What ``train``, ``predict`` (the test examples too) and ``acquire`` took; None where they were
        not timed apart.
    """

    round: Round
    seconds: float
    seconds_of_stages: dict[str, float] | None


# Advances the states of all seeds by some rounds, and returns what those rounds did.
Advance = Callable[[State], tuple[State, list[Finished]]]


def compile_driver(config: ConfigDict, parts: Parts, states: State, data: Data, mesh: Mesh) -> Advance:
    """Compiles the rounds as the configured driver runs them.

    Args:
      config: The configuration of the run.
      parts: The parts of the run.
      states: The states of all seeds, on ``mesh``.
      data: The data, on ``mesh``.
      mesh: From `sharding.seed_mesh`.

    Returns:
      A function that advances the states by some rounds, or to the end of the run if that is nearer.
    """
    # If rounds take long, showing and saving each is worth more than the time lost between rounds.
    rounds_are_short = parts.training.is_short and not batching.is_on_cpu()
    if config.driver == "scan" or (config.driver == "auto" and rounds_are_short):
        return _compile_rounds(parts, states, data, mesh, num_rounds=config.rounds_at_once)
    return _compile_stages(parts, states, data, mesh)


def _compile_stages(parts: Parts, states: State, data: Data, mesh: Mesh) -> Advance:
    """Compiles the stages of a round, to be called one after the other."""
    settings = parts.settings

    def of_seeds(stage: Callable[[State, Any, Any], Any]) -> Callable:
        return jax.jit(sharding.over_seeds(seeds.for_each(stage, at_once=parts.seeds_at_once), mesh))

    train = of_seeds(lambda state, _, data: loop.train(state, data, settings))
    evaluate = of_seeds(lambda state, params, data: loop.evaluate(state, params, data, settings))
    predict = of_seeds(lambda state, params, data: loop.predict(state, params, data, settings))
    acquire = of_seeds(lambda state, predictions, _: loop.acquire(state, predictions, settings))
    acquire_nothing = of_seeds(lambda state, _, data: loop.acquire_nothing(state, settings))

    if not jax.config.jax_disable_jit:
        with compilation.reported(_LOGGER):
            train = train.lower(states, None, data).compile()
            params, _ = _placed(train)
            evaluate = evaluate.lower(states, params, data).compile()
            predict = predict.lower(states, params, data).compile()
            acquire = acquire.lower(states, _placed(predict), None).compile()
            acquire_nothing = acquire_nothing.lower(states, None, data).compile()

    def advance(states: State) -> tuple[State, list[Finished]]:
        times = [time.perf_counter()]
        params, losses = train(states, None, data)
        wait_for(losses)
        times.append(time.perf_counter())
        metrics = evaluate(states, params, data)
        if int(states.labelled.size[0]) < settings.final_size:
            predictions = wait_for(predict(states, params, data))
            times.append(time.perf_counter())
            next_states, batch = acquire(states, predictions, None)
        else:
            wait_for(metrics)
            times.append(time.perf_counter())
            next_states, batch = acquire_nothing(states, None, data)
        wait_for(next_states)
        times.append(time.perf_counter())
        outcome = Round(states.round, states.labelled.size, metrics, losses, batch)
        stages = dict(zip(("train", "predict", "acquire"), np.diff(times).tolist(), strict=True))
        return next_states, [Finished(_on_host(outcome), times[-1] - times[0], stages)]

    return advance


def _compile_rounds(parts: Parts, states: State, data: Data, mesh: Mesh, *, num_rounds: int) -> Advance:
    """Compiles ``num_rounds`` rounds as one program."""

    def some_rounds(states: State, _: None, data: Data) -> tuple[State, Round]:
        return seeds.run_rounds(states, data, parts.settings, num_rounds=num_rounds, at_once=parts.seeds_at_once)

    program = jax.jit(sharding.over_seeds(some_rounds, mesh))
    if not jax.config.jax_disable_jit:
        with compilation.reported(_LOGGER):
            program = program.lower(states, None, data).compile()

    def advance(states: State) -> tuple[State, list[Finished]]:
        start = time.perf_counter()
        next_states, rounds = wait_for(program(states, None, data))
        count = int(next_states.round[0]) - int(states.round[0])
        seconds = (time.perf_counter() - start) / count
        rounds = _on_host(rounds)
        return next_states, [
            Finished(jax.tree.map(lambda leaf, number=number: leaf[:, number], rounds), seconds, None)
            for number in range(count)
        ]

    return advance


def _placed(compiled: jax.stages.Compiled) -> Any:
    """The shapes and shardings of what a compiled program returns."""
    return jax.tree.map(
        lambda shape, place: jax.ShapeDtypeStruct(shape.shape, shape.dtype, sharding=place),
        compiled.out_info,
        compiled.output_shardings,
    )


def _on_host(rounds: Round) -> Round:
    return jax.tree.map(np.asarray, rounds)
