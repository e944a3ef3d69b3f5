"""Training of a pretrained network: short, with a learning rate that rises and falls."""

import jax
import optax
from jaxtyping import PyTree

from lbb_jax import ranges
from lbb_jax.ranges import Count, NotNegative, Positive, Rate
from lbb_jax.training.fixed_steps import fixed_steps
from lbb_jax.training.training import Training


@ranges.checked
def fine_tuning(
    *, learning_rate: Positive, num_steps: Count, batch_size: Count, warmup: Rate, weight_decay: NotNegative
) -> Training:
    """Training by AdamW (Loshchilov and Hutter, 2019) with linear warm-up and decay, as BERT is fine-tuned.

    Gradients are scaled down to a norm of 1 where theirs is larger. Weights decay, biases and norms do not.

    Args:
      learning_rate: The highest learning rate, above 0. With a warm-up, the learning rate is 0 in the first step and
        rises to it. Then the learning rate falls towards 0, which it would reach one step after the last.
      num_steps: Optimizer steps, at least 1.
      batch_size: Labelled points in a step, drawn with replacement, at least 1.
      warmup: The share of the steps in which the learning rate rises, at least 0 and below 1. Rounded to whole steps,
        it must leave at least one.
      weight_decay: Multiple of a weight that is subtracted from it in a step, times the learning rate; at least 0.

    Returns:
      The training, whose ``losses[num_steps]`` are those of the steps.

    Raises:
      TypeError: If an argument is of another kind.
      ValueError: If an argument is out of range, or the learning rate would rise in all steps.
    """
    # The learning rate would never be at its highest; in a single step it would be 0, and nothing would be learnt.
    if num_steps <= _num_rising(num_steps, warmup):
        raise ValueError(
            f"warmup={warmup}: the learning rate would rise from 0 in all of num_steps={num_steps} steps; lower it or "
            "raise num_steps"
        )
    schedule = warmup_linear_decay(learning_rate, num_steps=num_steps, warmup=warmup)
    optimizer = adamw(schedule, weight_decay=weight_decay)
    return fixed_steps(optimizer, num_steps=num_steps, batch_size=batch_size)._replace(is_short=False)


def adamw(learning_rate: optax.ScalarOrSchedule, *, weight_decay: float) -> optax.GradientTransformation:
    """AdamW on gradients with a norm of at most 1, where only matrices decay."""
    return optax.chain(
        optax.clip_by_global_norm(1.0), optax.adamw(learning_rate, weight_decay=weight_decay, mask=_is_matrix)
    )


def warmup_linear_decay(highest: float, *, num_steps: int, warmup: float) -> optax.Schedule:
    """A learning rate that rises linearly from 0 to ``highest`` and falls linearly to 0 at ``num_steps``."""
    num_rising = _num_rising(num_steps, warmup)
    return optax.join_schedules(
        [
            optax.linear_schedule(0.0, highest, num_rising),
            optax.linear_schedule(highest, 0.0, num_steps - num_rising),
        ],
        [num_rising],
    )


def _num_rising(num_steps: int, warmup: float) -> int:
    """The number of steps in which the learning rate still rises."""
    return round(warmup * num_steps)


def _is_matrix(params: PyTree) -> PyTree[bool]:
    return jax.tree.map(lambda leaf: leaf.ndim > 1, params)
