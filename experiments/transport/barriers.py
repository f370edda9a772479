"""Barriers of networks trained on Gaussian inputs, by the approximate dimension of the inputs.

How many neurons two independent samples need before they lie close depends on the dimension of the
space. Ferbach et al., *Proving linear mode connectivity of neural networks via optimal transport*,
AISTATS 2024, take tr(S)^2 / tr(S^2) of the covariance S of a layer's inputs as its approximate
dimension. Here S is chosen, and everything else is kept.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pyarrow as pa
from jaxtyping import Array, Float

from mconn import align, landscape, paths, symmetry, trees
from mconn.errors import ConfigError
from mconn.experiment import Context, Result, Stage
from mconn.models import MLP
from mconn.types import ApplyFn, Key, Params

METHODS = ("naive", "weights", "covariance", "activations", "random")
TEACHER_UNITS = 8
BATCH_SIZE = 100


@dataclass(frozen=True)
class SquaredError:
    """The squared error and the output of each example: a hashable `mconn.types.EvalFn`."""

    apply: ApplyFn

    def __call__(self, params: Params, batch: Any) -> dict[str, Float[Array, "n"]]:
        """``loss`` and ``output`` of a batch with ``inputs`` (n, features), ``targets`` (n,)."""
        output = self.apply(params, batch["inputs"])[:, 0]
        return {"loss": (output - batch["targets"]) ** 2, "output": output}


def linearity_gap(profile: landscape.Profile) -> float:
    """The largest mean square along a line of f(mix of weights) - mix of the ends' outputs.

    It is what the paper's theorem bounds. A barrier is smaller than it where the ends err
    differently, for the mix of their outputs is then better than either.
    """
    outputs = profile.metric("output").astype(np.float64)
    mixed = profile.mixture.astype(np.float64) @ outputs[profile.ends()]
    return float(((outputs - mixed) ** 2).mean(axis=1).max())


def spectrum(power: float, features: int) -> Float[np.ndarray, " features"]:
    """Variances that fall as i^-power, with a mean of one."""
    variances = np.arange(1, features + 1) ** -float(power)
    return variances * features / variances.sum()


def approximate_dimension(variances: Float[np.ndarray, " features"]) -> float:
    """tr(S)^2 / tr(S^2): all features where the variances are equal, one where one is left."""
    return float(variances.sum() ** 2 / (variances**2).sum())


def teacher_data(
    power: float, features: int, examples: int, seed: int
) -> dict[str, dict[str, Float[np.ndarray, "..."]]]:
    """Train and test examples: normal inputs, and what a small network makes of them.

    The teacher is the same for every spectrum, up to a factor and a shift that bring the training
    targets to a mean of zero and a variance of one.
    """
    random = np.random.default_rng(seed)
    inner = random.normal(size=(features, TEACHER_UNITS)) / np.sqrt(features)
    outer = random.normal(size=TEACHER_UNITS)
    scale = np.sqrt(spectrum(power, features))
    inputs = {name: random.normal(size=(examples, features)) * scale for name in ("train", "test")}
    outputs = {name: np.maximum(each @ inner, 0) @ outer for name, each in inputs.items()}
    mean, deviation = outputs["train"].mean(), outputs["train"].std()
    return {
        name: {
            "inputs": inputs[name].astype(np.float32),
            "targets": ((outputs[name] - mean) / deviation).astype(np.float32),
        }
        for name in inputs
    }


@partial(jax.jit, static_argnums=(0, 1, 2))
def train_students(
    model: MLP,
    steps: int,
    batch_size: int,
    keys: Key,
    inputs: Float[Array, "settings n features"],
    targets: Float[Array, "settings n"],
) -> Params:
    """Adam, 1e-3 with a cosine schedule, on the squared error.

    Args:
        model: the student.
        steps: of the optimiser.
        batch_size: examples of one step, drawn with replacement.
        keys: one per seed; the same for every setting.
        inputs: of every setting.
        targets: of every setting.

    Returns:
        The trained networks, stacked over settings and seeds.
    """
    optimiser = optax.adam(optax.cosine_decay_schedule(1e-3, steps))

    def loss(params: Params, inputs: Array, targets: Array) -> Array:
        return SquaredError(model.apply)(params, {"inputs": inputs, "targets": targets})[
            "loss"
        ].mean()

    def train_one(key: Key, inputs: Array, targets: Array) -> Params:
        init_key, batch_key = jax.random.split(key)
        params = model.init(init_key, inputs[:1])

        def step(carry: Any, number: Array) -> tuple[Any, None]:
            params, state = carry
            step_key = jax.random.fold_in(batch_key, number)
            rows = jax.random.randint(step_key, (batch_size,), 0, len(inputs))
            gradient = jax.grad(loss)(params, inputs[rows], targets[rows])
            change, state = optimiser.update(gradient, state, params)
            return (optax.apply_updates(params, change), state), None

        start = params, optimiser.init(params)
        (params, _), _ = jax.lax.scan(step, start, jnp.arange(steps))
        return params

    over_seeds = jax.vmap(train_one, in_axes=(0, None, None))
    return jax.lax.map(lambda data: over_seeds(keys, *data), (inputs, targets))


def weighted(params: Params, deviations: Float[np.ndarray, " features"]) -> Params:
    """The network in the metric of its inputs: incoming weights times S^(1/2).

    The distance between two of them is that of Ferbach et al.'s covariance-weighted matching, with
    bias and outgoing weights as they are.
    """
    first = params["params"]["Dense_0"]
    changed = {**first, "kernel": first["kernel"] * deviations[:, None]}
    return {"params": {**params["params"], "Dense_0": changed}}


@dataclass(frozen=True)
class SpectrumBarriers(Stage):
    """Train networks of one hidden layer on every spectrum, match every pair, sweep the line.

    Attributes:
        powers: of the spectra: variances fall as i^-power.
        features: inputs of the networks.
        width: hidden units.
        seeds: networks per spectrum and teacher.
        teachers: each has data and students of its own.
        examples: of train, and of test.
        steps: of the optimiser.
        points: equispaced points on each line.
    """

    powers: tuple[float, ...]
    features: int
    width: int
    seeds: int
    teachers: int
    examples: int
    steps: int
    points: int

    def __post_init__(self) -> None:
        if self.seeds < 2 or self.points < 3:
            raise ConfigError(
                f"there are {self.seeds} seeds and {self.points} points: a barrier needs two "
                "networks, and a point between the ends"
            )

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """For every teacher one program trains all networks; then pair after pair."""
        model = MLP(width=self.width, depth=1, classes=1, initialiser="he")
        rows = []
        with context.progress.task("spectra", total=self.teachers, unit="teacher") as task:
            for teacher in range(self.teachers):
                data = [
                    teacher_data(power, self.features, self.examples, teacher)
                    for power in self.powers
                ]
                networks = self._train(model, data, teacher)
                for place, power in enumerate(self.powers):
                    found = self._rows(
                        model.apply,
                        trees.index(networks, place),
                        data[place],
                        spectrum(power, self.features),
                    )
                    rows += [{"power": power, "teacher": teacher, **row} for row in found]
                task.update(teacher + 1)
        dimensions = [approximate_dimension(spectrum(p, self.features)) for p in self.powers]
        return Result(
            tables={"spectra": pa.Table.from_pylist(rows)},
            facts={"dimensions": dimensions},
        )

    def _train(self, model: MLP, data: list[dict[str, Any]], teacher: int) -> Params:
        train = {
            name: np.stack([each["train"][name] for each in data]) for name in data[0]["train"]
        }
        keys = jax.random.split(jax.random.key(teacher), self.seeds)
        networks = train_students(
            model, self.steps, BATCH_SIZE, keys, train["inputs"], train["targets"]
        )
        return trees.to_numpy(networks)

    def _rows(
        self,
        apply: ApplyFn,
        networks: Params,
        splits: Mapping[str, Mapping[str, np.ndarray]],
        variances: np.ndarray,
    ) -> list[dict[str, Any]]:
        """One row per pair, method and split of one spectrum and teacher."""
        examples = splits["train"]["inputs"][:2]
        group = symmetry.permutations(symmetry.discover(apply, trees.index(networks, 0), examples))
        ts = np.linspace(0, 1, self.points)
        costs = {
            "weights": align.WeightCost(),
            "activations": align.ActivationCost(apply, splits["train"]["inputs"]),
        }
        deviations = np.sqrt(variances)
        rows = []
        for i, j in itertools.combinations(range(self.seeds), 2):
            a, b = trees.index(networks, i), trees.index(networks, j)
            elements = {
                "naive": symmetry.identity(group),
                "random": symmetry.random_element(group, jax.random.key(i * self.seeds + j)),
                "covariance": align.match(
                    group, weighted(a, deviations), weighted(b, deviations)
                ).element,
                **{
                    method: align.match(group, a, b, cost=cost).element
                    for method, cost in costs.items()
                },
            }
            for method in METHODS:
                moved = symmetry.act(group, elements[method], b)
                for split, examples in splits.items():
                    profile = landscape.evaluate(
                        SquaredError(apply), paths.line(a, moved), ts, dict(examples)
                    )
                    barrier = landscape.barrier(profile)
                    rows.append(
                        {
                            "pair": f"{i}-{j}",
                            "method": method,
                            "split": split,
                            "value": barrier.value,
                            "standard_error": barrier.standard_error,
                            "low": barrier.low,
                            "high": barrier.high,
                            "gap": linearity_gap(profile),
                            "end_loss": float(profile.mean("loss")[[0, -1]].mean()),
                            "distance": float(trees.distance(a, moved)),
                        }
                    )
        return rows
