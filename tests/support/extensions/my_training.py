"""A training: AdamW whose learning rate falls along a cosine."""

import optax

from lbb_jax.ranges import Count, Positive
from lbb_jax.training import fixed_steps


def cosine(*, learning_rate: Positive, num_steps: Count, batch_size: Count, weight_decay: float = 1e-4):
    """As many steps on minibatches, whatever the number of labels."""
    schedule = optax.cosine_decay_schedule(learning_rate, num_steps)
    optimizer = optax.adamw(schedule, weight_decay=weight_decay)
    return fixed_steps(optimizer, num_steps=num_steps, batch_size=batch_size)
