"""Every quantity of the project by brute force, in NumPy and float64, straight from its definition.

Nothing here is fast and nothing is shared with the library. Probabilities enter as ``probs[N, K, C]``, not as
logarithms. Random inputs for the tests are made here too.
"""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

# Below this many nats, a difference of entropies in float64 cannot tell information from none.
RESOLUTION = 1e-12


# Entropies and information.


def entropy_of(distribution: np.ndarray) -> float:
    """Entropy of one distribution, any shape, with ``0 log 0 = 0``."""
    positive = distribution[distribution > 0]
    return float(-np.sum(positive * np.log(positive)))


def marginal_entropy(probs: np.ndarray) -> np.ndarray:
    return np.array([entropy_of(point.mean(axis=0)) for point in probs])


def conditional_entropy(probs: np.ndarray) -> np.ndarray:
    return np.array([np.mean([entropy_of(row) for row in point]) for point in probs])


def bald(probs: np.ndarray) -> np.ndarray:
    return marginal_entropy(probs) - conditional_entropy(probs)


def least_confident(probs: np.ndarray) -> np.ndarray:
    return 1 - probs.mean(axis=1).max(axis=-1)


def margin_score(probs: np.ndarray) -> np.ndarray:
    ascending = np.sort(np.concatenate([probs.mean(axis=1), np.zeros((len(probs), 1))], axis=1))
    return 1 - (ascending[:, -1] - ascending[:, -2])


def joint_distribution(probs: np.ndarray) -> np.ndarray:
    """``mean_k Π_i p(y_i | θ_k)`` of every configuration of the batch ``probs[b, K, C]``, ``[C**b]``."""
    num_points, _, num_classes = probs.shape
    configurations = np.array(list(itertools.product(range(num_classes), repeat=num_points)))
    likelihoods = np.ones((len(configurations), probs.shape[1]))
    for point, labels in zip(probs, configurations.T, strict=True):
        likelihoods *= point[:, labels].T
    return likelihoods.mean(axis=1)


def joint_entropy(probs: np.ndarray) -> float:
    return entropy_of(joint_distribution(probs))


def batch_bald(probs: np.ndarray) -> float:
    return joint_entropy(probs) - conditional_entropy(probs).sum()


def total_correlation(probs: np.ndarray) -> float:
    return marginal_entropy(probs).sum() - joint_entropy(probs)


def pairwise_information(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """``[N, M]``: of two points with independent labels given the draw, also where both are the same point."""
    information = np.empty((len(a), len(b)))
    for i, point in enumerate(a):
        for j, other in enumerate(b):
            joint = sum(np.outer(row, other_row) for row, other_row in zip(point, other, strict=True)) / len(point)
            information[i, j] = entropy_of(joint.sum(axis=1)) + entropy_of(joint.sum(axis=0)) - entropy_of(joint)
    return information


def pairwise_total_correlation(probs: np.ndarray, pair_weight: float = 1.0) -> float:
    pairs = pairwise_information(probs, probs)
    return pair_weight * sum(pairs[i, j] for i, j in itertools.combinations(range(len(probs)), 2))


def triple_information(probs: np.ndarray) -> float:
    """``I(y_1; y_2; y_3)`` of ``probs[3, K, C]``, by inclusion and exclusion of the entropies."""
    parts = [subset for size in (1, 2, 3) for subset in itertools.combinations(range(3), size)]
    return sum((-1) ** (len(part) - 1) * joint_entropy(probs[list(part)]) for part in parts)


def third_order_total_correlation(probs: np.ndarray) -> float:
    triples = itertools.combinations(range(len(probs)), 3)
    return pairwise_total_correlation(probs) - sum(triple_information(probs[list(triple)]) for triple in triples)


def tree_total_correlation(probs: np.ndarray) -> float:
    """The maximum spanning tree by Kruskal: the strongest link that joins two components, again and again."""
    pairs = pairwise_information(probs, probs)
    component = list(range(len(probs)))
    total = 0.0
    for i, j in sorted(itertools.combinations(range(len(probs)), 2), key=lambda link: -pairs[link]):
        if component[i] != component[j]:
            total += pairs[i, j]
            joined, absorbed = component[i], component[j]
            component = [joined if label == absorbed else label for label in component]
    return total


# Gains of all points of a pool, after the points `batch` have been picked from it.


def batch_bald_gains(probs: np.ndarray, batch: list[int]) -> np.ndarray:
    known = batch_bald(probs[batch]) if batch else 0.0
    return np.array([batch_bald(probs[[*batch, x]]) for x in range(len(probs))]) - known


def lbb_gains(
    probs: np.ndarray, batch: list[int], *, redundancy: str = "pairwise", pair_weight: float = 1.0, order: int = 2
) -> np.ndarray:
    if not batch:
        return bald(probs)
    if order == 3:
        triples = [
            sum(triple_information(probs[[x, *two]]) for two in itertools.combinations(batch, 2))
            for x in range(len(probs))
        ]
        return lbb_gains(probs, batch, pair_weight=pair_weight) + np.array(triples)
    shared = pairwise_information(probs, probs[batch])
    if redundancy == "tree":
        return bald(probs) - shared.max(axis=1)
    return bald(probs) - pair_weight * shared.sum(axis=1)


def log_det(probs: np.ndarray) -> float:
    """``½ log det(I + Σ_x Z_x Z_xᵀ)``, the draws being taken as Gaussian."""
    num_draws = probs.shape[1]
    means = probs.mean(axis=1, keepdims=True)
    deviations = (probs - means) / np.sqrt(num_draws * np.where(means > 0, means, 1))
    return np.linalg.slogdet(np.eye(num_draws) + sum(z @ z.T for z in deviations))[1] / 2


def log_det_gains(probs: np.ndarray, batch: list[int]) -> np.ndarray:
    known = log_det(probs[batch]) if batch else 0.0
    return np.array([log_det(probs[[*batch, x]]) for x in range(len(probs))]) - known


def released_scores(probs: np.ndarray, available: np.ndarray | None = None) -> np.ndarray:
    """The score of the paper's published code, pair by pair, NaN for points that are not available."""
    scores = np.full(len(probs), np.nan)
    points = np.arange(len(probs)) if available is None else np.flatnonzero(available)
    for start in range(0, len(points), 1024):
        chunk = points[start : start + 1024]
        means = probs[chunk].mean(axis=1)
        for i, point in enumerate(chunk):
            others = np.delete(chunk, i)
            together = (probs[others] * probs[point]).mean(axis=1).sum(axis=0)
            expected = (np.delete(means, i, axis=0) * means[i]).sum(axis=0)
            excess = np.sum(together * (np.log(1 + together) - np.log(1 + expected)))
            scores[point] = bald(probs[[point]])[0] + excess
    return scores


def epig_scores(probs: np.ndarray, available: np.ndarray | None = None) -> np.ndarray:
    """``mean_j I(y_i; y_j)`` over all other available points, NaN for points that are not available."""
    scores = np.full(len(probs), np.nan)
    points = np.arange(len(probs)) if available is None else np.flatnonzero(available)
    pairs = pairwise_information(probs[points], probs[points])
    sums = pairs.sum(axis=1) - np.diag(pairs)
    scores[points] = sums / max(1, len(points) - 1)
    return scores


def batch_epig_gains(
    probs: np.ndarray, batch: list[int], targets: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """``mean_j I(y_x; y_j | y_batch)`` of every point, with ``weights[T]`` of ``targets[T, K, C]``, by enumeration."""

    def entropy_of_batch(*points):
        together = np.stack([*probs[batch], *points]) if batch or points else None
        return 0.0 if together is None else joint_entropy(together)

    known = entropy_of_batch()
    with_target = [entropy_of_batch(target) for target in targets]
    gains = np.empty((len(probs), len(targets)))
    for x, point in enumerate(probs):
        with_point = entropy_of_batch(point)
        for j, target in enumerate(targets):
            gains[x, j] = with_point + with_target[j] - known - entropy_of_batch(point, target)
    return np.average(gains, axis=1, weights=weights)


def core_set_distances(embeddings: np.ndarray, available: np.ndarray | None, batch: list[int]) -> np.ndarray:
    """Distance of every point to the nearest labelled or picked one; without any, to the mean of what is available."""
    embeddings = embeddings.astype(np.float64)
    available = np.ones(len(embeddings), bool) if available is None else available
    centres = embeddings[[*np.flatnonzero(~available), *batch]]
    if len(centres) == 0:
        centres = embeddings[available].mean(axis=0, keepdims=True)
    return np.array([min(np.linalg.norm(point - centre) for centre in centres) for point in embeddings])


def gradients(probs: np.ndarray, embeddings: np.ndarray) -> np.ndarray:
    """The gradients that BADGE picks from, of the last layer's weights by hallucinated label: ``[N, C * D]``."""
    means = probs.mean(axis=1)
    residuals = means - np.eye(means.shape[1])[means.argmax(axis=1)]
    return np.array([np.outer(*pair).ravel() for pair in zip(residuals, embeddings.astype(np.float64), strict=True)])


def badge_gains(rows: np.ndarray, batch: list[int]) -> np.ndarray:
    """Squared distance of each of the gradients to the nearest of the batch; before any pick its squared length."""
    centres = rows[batch] if batch else np.zeros((1, rows.shape[1]))
    return np.array([min(np.sum((row - centre) ** 2) for centre in centres) for row in rows])


def bait(
    probs: np.ndarray, embeddings: np.ndarray, available: np.ndarray, batch_size: int, regularizer: float
) -> tuple[list[int], list[float], float]:
    """Forward greedy and backward removal with explicit Fisher matrices; the picks and their gains.

    The last is by how much the best of a step led the next best at least, as a share of what the step changed.
    """
    means = probs.mean(axis=1)
    fishers = np.array(
        [np.kron(np.diag(p) - np.outer(p, p), np.outer(h, h)) for p, h in zip(means, embeddings, strict=True)]
    )
    wanted = fishers.mean(axis=0)
    scale = np.sum(~available) + batch_size
    known = regularizer * np.eye(len(wanted)) + fishers[~available].sum(axis=0) / scale

    def trace(batch: list[int]) -> float:
        return np.trace(np.linalg.solve(known + fishers[batch].sum(axis=0) / scale, wanted))

    def take_lowest(traces: dict[int, float], before: float) -> int:
        best, *others = sorted(traces, key=traces.get)
        if others:
            lead = traces[others[0]] - traces[best]
            leads.append(lead and lead / max(abs(traces[x] - before) for x in (best, others[0])))
        return int(best)

    batch, lowered_by, leads = [], [], []
    while len(batch) < min(2 * batch_size, available.sum()):
        traces = {x: trace([*batch, x]) for x in np.flatnonzero(available) if x not in batch}
        best = take_lowest(traces, trace(batch))
        lowered_by.append(trace(batch) - traces[best])
        batch.append(best)
    lowered_by = dict(zip(batch, lowered_by, strict=True))
    while len(batch) > batch_size:
        without = {x: trace([other for other in batch if other != x]) for x in batch}
        batch.remove(take_lowest(without, trace(batch)))
    return batch, [lowered_by[x] for x in batch], min(leads, default=np.inf)


def gains_of(
    method: str,
    probs: np.ndarray,
    available: np.ndarray | None = None,
    *,
    embeddings: np.ndarray | None = None,
    targets: np.ndarray | None = None,
    **of_lbb: Any,
) -> Callable[[list[int]], np.ndarray]:
    """The ``batch -> gains[N]`` that a method maximises or samples by.

    Without ``targets`` all points are targets of EPIG; ``of_lbb`` are options of `lbb_gains`.
    """
    pointwise = {
        "random": lambda: np.zeros(len(probs)),
        "least_confident": lambda: least_confident(probs),
        "margin": lambda: margin_score(probs),
        "cluster_margin": lambda: margin_score(probs),
        "entropy": lambda: marginal_entropy(probs),
        "bald": lambda: bald(probs),
        "power_bald": lambda: bald(probs),
        "lbb_released": lambda: released_scores(probs, available),
        "epig": lambda: (
            epig_scores(probs, available) if targets is None else pairwise_information(probs, targets).mean(axis=1)
        ),
    }
    if method in pointwise:
        values = pointwise[method]()
        return lambda batch: values
    of_batches = {
        "batch_bald": lambda batch: batch_bald_gains(probs, batch),
        "batch_epig": lambda batch: batch_epig_gains(probs, batch, targets),
        "lbb": lambda batch: lbb_gains(probs, batch, **of_lbb),
        "power_lbb": lambda batch: lbb_gains(probs, batch, **of_lbb),
        "log_det": lambda batch: log_det_gains(probs, batch),
        "core_set": lambda batch: core_set_distances(embeddings, available, batch),
        "badge": lambda batch: badge_gains(gradients(probs, embeddings), batch),
    }
    return of_batches[method]


def greedy(gains_after, num_points: int, batch_size: int) -> tuple[list[int], list[float], list[float]]:
    """Greedy picks by ``gains_after(batch) -> [N]``, their gains, and by how much each beat the next best point."""
    batch, gains, gaps = [], [], []
    for _ in range(batch_size):
        values = gains_after(batch)
        best, *others = sorted(set(range(num_points)) - set(batch), key=lambda x: (-values[x], x))
        gaps.append(values[best] - values[others[0]] if others else np.inf)
        gains.append(values[best])
        batch.append(best)
    return batch, gains, gaps


# Power sampling.


def pick_probabilities(gains: np.ndarray, remaining: list[int], alpha: float) -> np.ndarray:
    """Eq. 2.13 for the next pick, ``[N]``. Without any positive rate, all that remain are equally likely."""
    gains = np.where(np.abs(gains) < RESOLUTION, 0.0, gains)
    rates = np.zeros(len(gains))
    for x in remaining:
        if alpha == 0:
            rates[x] = 1.0
        elif gains[x] > 0:
            rates[x] = gains[x] ** alpha
    if not rates.any():
        rates[remaining] = 1.0
    return rates / rates.sum()


def ordered_pick_probabilities(
    gains_after, available: list[int], num_picks: int, alpha: float
) -> dict[tuple[int, ...], float]:
    """Probability of every possible ordered sequence of picks of sequential sampling without replacement."""
    sequences = {(): 1.0}
    for _ in range(num_picks):
        longer = {}
        for batch, probability in sequences.items():
            remaining = [x for x in available if x not in batch]
            next_pick = pick_probabilities(gains_after(list(batch)), remaining, alpha)
            for x in remaining:
                if next_pick[x] > 0:
                    longer[(*batch, x)] = probability * next_pick[x]
        sequences = longer
    return sequences


# Inputs.


def normalised(weights: np.ndarray) -> np.ndarray:
    return weights / weights.sum(axis=-1, keepdims=True)


KINDS = ("smooth", "sharp", "zeros", "certain", "duplicates", "identical draws")


def random_probs(seed: int, num_points: int, num_draws: int, num_classes: int, kind: str = "smooth") -> np.ndarray:
    """Random ``probs[N, K, C]``.

    Args:
      seed: Of NumPy's generator.
      num_points: ``N``.
      num_draws: ``K``.
      num_classes: ``C``.
      kind: Of `KINDS`. "zeros" has many probabilities of exactly 0, "certain" only 0 and 1; of "duplicates" the
        second half copies the first; with "identical draws" no label tells anything about the draw.
    """
    rng = np.random.default_rng(seed)
    shape = (num_points, num_draws, num_classes)
    concentration = 0.2 if kind == "sharp" else 1.0
    weights = rng.gamma(concentration, size=shape) + 1e-6
    if kind in ("zeros", "certain"):
        kept = rng.random(shape) < (0.6 if kind == "zeros" else 0.0)
        np.put_along_axis(kept, rng.integers(num_classes, size=shape)[..., :1], True, axis=-1)
        weights = np.where(kept, weights, 0.0)
    if kind == "duplicates":
        weights[(num_points + 1) // 2 :] = weights[: num_points // 2]
    if kind == "identical draws":
        weights[:] = weights[:, :1]
    return normalised(weights)


def log32(probs: np.ndarray) -> np.ndarray:
    """Log-probabilities in float32, ``-inf`` where the probability is 0: what the library is given."""
    return log64(probs).astype(np.float32)


def log64(probs: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(probs)


def known_case() -> np.ndarray:
    """``[4, 20, 4]``: the case in batchbald_redux's documentation, each point a mixture that moves with the draw."""
    first = 0.1 + 0.6 * np.eye(4)
    second = np.array([[0.3, 0.3, 0.2, 0.2], [0.2, 0.3, 0.3, 0.2], [0.2, 0.2, 0.3, 0.3], [0.3, 0.2, 0.2, 0.3]])
    mixture = np.linspace(0, 1, 20)[:, None]
    return np.stack([(1 - mixture) * p1 + mixture * p2 for p1, p2 in zip(first, second, strict=True)])


KNOWN_BALD = 0.030715639666
KNOWN_BATCH_BALD = (0.0307156397, 0.0596195863, 0.0869107051, 0.1127530453)
# The four points ten times over, in the order of the rows: the total 2-BALD of one pick to five (Kirsch, 2023), and the
# BatchBALD of all five.
KNOWN_TWO_BALD = (0.0307156397, 0.0596195863, 0.0867118398, 0.1119924003, 0.1354612677)
KNOWN_BATCH_BALD_OF_FIVE = 0.1372853332
