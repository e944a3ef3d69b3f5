"""What is timed on an accelerator, each row beside the time that the device's memory and arithmetic would need."""

import functools
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from lbb_jax import acquisition, examples, information, loop, networks, posteriors, training
from lbb_jax.examples import Data
from lbb_jax.json_lines import Record
from paper.benchmarks import predictions, training_cases
from paper.benchmarks.acquisition_cases import COUNTING
from paper.benchmarks.roofline import Cost, Rates, cost_of, least_seconds, memory_of
from paper.benchmarks.timing import seconds_of

_CHUNK = 250
_TREE = {"redundancy": "tree"}
_DTYPES = ("float32", "bfloat16")


class Sizes(NamedTuple):
    """How large everything is.

    Attributes:
      paper_pool: Points of the paper's Table 2.
      batches: The batch sizes on this pool.
      many_classes: Points, classes and batch of the pool with many classes.
      large_pool: Points of the largest pool.
      members: Numbers of networks that are trained.
      residual_members: The same for ResNet-18.
      steps: Optimizer steps that are timed together.
      images: Images that are predicted.
      masks: Dropout masks that they are predicted with.
      residual_width: Channels of ResNet-18's first stage.
      experiment: Images, steps and final labels of the small experiment.
      repetitions: How often each call is timed.
    """

    paper_pool: int
    batches: tuple[int, ...]
    many_classes: tuple[int, int, int]
    large_pool: int
    members: tuple[int, ...]
    residual_members: tuple[int, ...]
    steps: int
    images: int
    masks: int
    residual_width: int
    experiment: tuple[int, int, int]
    repetitions: int


FULL = Sizes(
    49_980, (10, 20), (50_000, 1_000, 100), 10**7, (1, 5, 25), (1, 5, 25), 20, 60_000, 100, 64, (10_000, 96, 60), 5
)
REHEARSAL = Sizes(2_000, (10,), (500, 100, 5), 10_000, (1, 2), (1,), 2, 500, 3, 4, (200, 4, 40), 1)


class AcceleratorCase(NamedTuple):
    """What is timed.

    Attributes:
      name: Its name.
      dtype: What it computes in, "float32" or "bfloat16".
      make: Makes what is timed.
    """

    name: str
    dtype: str
    make: Callable[[], "Made"]

    @property
    def full_name(self) -> str:
        """The name with the dtype; no two cases have the same."""
        return f"{self.name}, {self.dtype}"


class Made(NamedTuple):
    """A case that is compiled.

    Attributes:
      call: What is timed.
      cost: What it takes, as XLA counts it.
      memory: The bytes of its arguments, results and temporaries, as XLA plans them.
    """

    call: Callable[[], Any]
    cost: Cost
    memory: int


def groups(sizes: Sizes) -> tuple[tuple[AcceleratorCase, ...], ...]:
    """All cases, in groups whose programs and data fit a device together."""
    return (
        tuple(_paper_pool(sizes)),
        tuple(_large_pools(sizes)),
        tuple(_prediction(sizes)),
        *(
            tuple(_training_case(name, number, dtype, sizes) for number in numbers for dtype in _DTYPES)
            for name, numbers in (("mnist_cnn", sizes.members), ("resnet18", sizes.residual_members))
        ),
    )


def measure(name: str, dtype: str, made: Made, rates: Rates, *, repetitions: int) -> Record:
    """Times a compiled case, and gives the least time that the device needs."""
    seconds_of(made.call)
    milliseconds = 1e3 * min(seconds_of(made.call) for _ in range(repetitions))
    least = 1e3 * least_seconds(made.cost, rates, dtype)
    return {
        "case": name,
        "dtype": dtype,
        "milliseconds": round(milliseconds, 3),
        "least_milliseconds": round(least, 4),
        "share_of_roofline": round(least / milliseconds, 3),
        "gigaoperations": round(made.cost.operations / 1e9, 3),
        "gigabytes": round(made.cost.bytes / 1e9, 3),
        "planned_megabytes": round(made.memory / 1e6, 1),
    }


def _paper_pool(sizes: Sizes) -> Iterator[AcceleratorCase]:
    paper = (sizes.paper_pool, 5, 10)
    for size in sizes.batches:
        for method in ("bald", "power_bald", "lbb_released"):
            yield _method(method, paper, size)
        for form in ("lazy", "dense"):
            for method, options in (("lbb", {}), ("lbb", _TREE), ("power_lbb", _TREE), ("log_det", {})):
                yield _method(method, paper, size, {**options, "form": form})
        yield _method("batch_bald", paper, size, {"num_samples": 10_000})


def _large_pools(sizes: Sizes) -> Iterator[AcceleratorCase]:
    num_points, num_classes, size = sizes.many_classes
    for method, options in (
        ("bald", {}),
        ("lbb", {**_TREE, "pairs": "chi2", "form": "dense"}),
        ("lbb", {**_TREE, "form": "lazy"}),
    ):
        yield _method(method, (num_points, 5, num_classes), size, options)
    for method, options in (("bald", {}), ("lbb", {**_TREE, "form": "dense"}), ("log_det", {"form": "dense"})):
        yield _method(method, (sizes.large_pool, 5, 10), 100, options)


def _method(
    method: str, shape: tuple[int, int, int], size: int, options: Mapping[str, Any] | None = None
) -> AcceleratorCase:
    options = dict(options or {})
    parts = [method, *map(str, options.values()), f"N={shape[0]:,}", f"C={shape[2]:,}", f"b={size}"]

    def make() -> Made:
        log_probs, key, available = _pool(shape), jax.random.key(0), jnp.ones(shape[0], bool)
        function = acquisition.find_method(method).function
        function = COUNTING[function] if "form" in options else function
        pick = jax.jit(functools.partial(function, batch_size=size, **options))
        compiled = pick.lower(key, log_probs, available).compile()
        cost = cost_of(compiled)
        if options.get("form") == "dense":
            # XLA counts one step of the loop over picks, and what comes before it.
            before = cost_of(jax.jit(information.mutual_information).lower(log_probs).compile())
            step = Cost(max(cost.operations - before.operations, 0), max(cost.bytes - before.bytes, 0))
            cost += step.times(size - 1)
        return Made(lambda: compiled(key, log_probs, available), cost, memory_of(compiled))

    return AcceleratorCase(", ".join(parts), "float32", make)


@functools.lru_cache(maxsize=1)
def _pool(shape: tuple[int, int, int]) -> jax.Array:
    """A generated pool, made a part at a time; the last one is kept."""
    num_points, num_draws, num_classes = shape
    size = min(num_points, max(1, 2**25 // (num_draws * num_classes)))
    make = jax.jit(predictions.stream_block, static_argnums=(2, 3, 4))
    blocks = [make(jax.random.key(0), block, size, num_draws, num_classes) for block in range(-(-num_points // size))]
    return jnp.concatenate(blocks)[:num_points] if len(blocks) > 1 else blocks[0]


def _training_case(name: str, num_members: int, dtype: str, sizes: Sizes) -> AcceleratorCase:
    def make() -> Made:
        case = training_cases.CASES[name]
        if name == "resnet18":
            case = case._replace(module=networks.ResNet18(training_cases.NUM_CLASSES, width=sizes.residual_width))
        fit, compiled = training_cases.compile_training(
            case,
            num_members=num_members,
            members_at_once=num_members,
            num_steps=sizes.steps,
            compute_dtype=jnp.dtype(dtype),
        )
        # XLA counts one step of all networks.
        return Made(fit, cost_of(compiled).times(sizes.steps), memory_of(compiled))

    return AcceleratorCase(f"training, {name}, {num_members} networks, {sizes.steps} steps of 64", dtype, make)


def _prediction(sizes: Sizes) -> Iterator[AcceleratorCase]:
    for dtype in _DTYPES:
        yield _prediction_case(f"prediction, {sizes.masks} masks", dtype, sizes, num_draws=sizes.masks, masks=True)
        yield _prediction_case("prediction, 5 networks", dtype, sizes, num_draws=5, masks=False)


def _prediction_case(name: str, dtype: str, sizes: Sizes, *, num_draws: int, masks: bool) -> AcceleratorCase:
    def make() -> Made:
        module = networks.ConvolutionalClassifier(training_cases.NUM_CLASSES)
        network = networks.functional(module, compute_dtype=jnp.dtype(dtype))
        steps = training.fixed_steps(optax.adam(1e-3), num_steps=1, batch_size=64)
        if masks:
            posterior = posteriors.mc_dropout(network, steps, num_draws=num_draws)
        else:
            posterior = posteriors.deep_ensemble(network, steps, num_members=num_draws)
        pool = _images(sizes.images)
        params = posterior.init(jax.random.key(0), examples.inputs(pool, jnp.arange(1)))
        compiled = jax.jit(posterior.sample).lower(jax.random.key(1), params, pool).compile()
        one = params if masks else jax.tree.map(lambda leaf: leaf[0], params)
        inputs = examples.inputs(pool, jnp.arange(_CHUNK))
        if masks:
            forward = jax.jit(lambda hidden: network.masked_logits(jax.random.key(0), one, hidden))
            inputs = network.before_dropout(one, inputs)
        else:
            forward = jax.jit(lambda inputs: network.logits(one, inputs))
        cost = cost_of(forward.lower(inputs).compile()).times(num_draws * sizes.images / _CHUNK)
        return Made(lambda: compiled(jax.random.key(1), params, pool), cost, memory_of(compiled))

    return AcceleratorCase(f"{name}, {sizes.images:,} images, mnist_cnn", dtype, make)


def _images(num_images: int) -> examples.Examples:
    """Images of a bright spot whose place tells the label, in much noise."""
    rng = np.random.default_rng(0)
    labels = rng.integers(training_cases.NUM_CLASSES, size=num_images)
    features = rng.integers(128, size=(num_images, 28, 28, 1), dtype=np.uint8)
    rows, columns = 4 + 12 * (labels // 5), 2 + 5 * (labels % 5)
    for offset in range(4):
        features[np.arange(num_images), rows + offset, columns + offset, 0] = 255
    return examples.create(features, labels, mean=np.float32(64), std=np.float32(40))


def experiment(sizes: Sizes) -> Iterator[Record]:
    """A small experiment as one program, and stage by stage, with the programs that each compiles."""
    num_images, num_steps, final_size = sizes.experiment
    pool, test = _images(num_images), _images(max(_CHUNK, num_images // 10))
    network = networks.functional(
        networks.ConvolutionalClassifier(training_cases.NUM_CLASSES, dropout_rates=(0.25, 0.25, 0.5))
    )
    steps = training.adam_steps(learning_rate=1e-3, num_steps=num_steps, batch_size=64)
    settings = loop.Settings(
        posterior=posteriors.deep_ensemble(network, steps, num_members=5),
        acquire=functools.partial(acquisition.large_batch_bald, redundancy="tree"),
        num_classes=training_cases.NUM_CLASSES,
        initial_size=20,
        batch_size=10,
        final_size=final_size,
    )
    data = Data(pool, test)
    acquired = []
    for name, run in (("one program", _as_one_program), ("stage by stage", _stage_by_stage)):
        with _CountedPrograms() as counted:
            first = _timed(run, data, settings)
            num_programs = counted.number
            second = _timed(run, data, settings)
        acquired.append(np.asarray(second[1]))
        yield {
            "case": f"experiment, {settings.num_rounds} rounds, {num_images:,} images, 5 networks, {name}",
            "seconds_with_compilation": round(first[0], 2),
            "seconds": round(second[0], 2),
            "programs_compiled": num_programs,
            "programs_compiled_again": counted.number - num_programs,
        }
    yield {"check": "both drivers acquire the same", "passed": bool(np.array_equal(*acquired))}


_run = jax.jit(loop.run, static_argnums=2)
_init = jax.jit(loop.init, static_argnums=2)
_train = jax.jit(loop.train, static_argnums=2)
_evaluate = jax.jit(loop.evaluate, static_argnums=3)
_predict = jax.jit(loop.predict, static_argnums=3)
_acquire = jax.jit(loop.acquire, static_argnums=2)


def _as_one_program(data: Data, settings: loop.Settings) -> jax.Array:
    return _run(jax.random.key(0), data, settings)[0].labelled.indices


def _stage_by_stage(data: Data, settings: loop.Settings) -> jax.Array:
    state = _init(jax.random.key(0), data, settings)
    for _ in range(settings.num_rounds):
        params, _ = _train(state, data, settings)
        _evaluate(state, params, data, settings).accuracy.block_until_ready()
        if int(state.labelled.size) < settings.final_size:
            state, _ = _acquire(state, _predict(state, params, data, settings), settings)
    return state.labelled.indices


class _CountedPrograms:
    """Counts the programs that are compiled inside the context."""

    def __enter__(self) -> "_CountedPrograms":
        self.number = 0
        jax.monitoring.register_event_duration_secs_listener(self._listen)
        return self

    def __exit__(self, *_: Any) -> None:
        jax.monitoring.unregister_event_duration_listener(self._listen)

    def _listen(self, event: str, *_: Any, **__: Any) -> None:
        self.number += event.endswith("backend_compile_duration")


def _timed(run: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    start = time.perf_counter()
    result = jax.block_until_ready(run(*arguments))
    return time.perf_counter() - start, result
