"""Stages on networks of several widths: kernels after training, over seeds, and after one step."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from experiments.tangent.network import Activation, Parametrisation, Wide, descend
from mconn import data, tangent, trees
from mconn.data import DataConfig, Split
from mconn.errors import ConfigError
from mconn.experiment import Context, Result, Stage
from mconn.types import Params


@dataclass(frozen=True)
class HalfSquaredError:
    """Half the squared distance of the outputs to the targets, which are the labels; an EvalFn."""

    apply: Any

    def __call__(self, params: Params, batch: Split) -> dict[str, Any]:
        """The loss of every example."""
        return {"loss": 0.5 * ((self.apply(params, batch.inputs) - batch.labels) ** 2).sum(axis=1)}


@dataclass(frozen=True)
class Digits:
    """A few examples as vectors, with one-hot targets whose mean over classes is zero.

    Attributes:
        config: the data set.
        examples: how many of its training examples.
    """

    config: DataConfig
    examples: int

    def load(self, context: Context) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and targets."""
        dataset = data.load(self.config, context.data_dir)
        some = dataset.train.head(self.examples)
        targets = np.eye(dataset.classes, dtype=np.float32)[some.labels] - 1 / dataset.classes
        return some.inputs.reshape(len(some), -1), targets


@dataclass(frozen=True)
class DriftByWidth(Stage):
    """Train networks of several widths to one loss; its table ``drift`` has a row per seed.

    Attributes:
        digits: the training examples, on which kernels are measured too.
        widths: units of the hidden layers.
        depth: hidden layers.
        parametrisation: of the networks.
        adam: Adam at 1e-3 for every width; otherwise gradient descent at the inverse of the
            largest eigenvalue of the first seed's kernel at each width.
        seeds: networks of each width.
        goal: the loss that training goes down to.
        steps: most steps.
    """

    digits: Digits
    widths: tuple[int, ...]
    depth: int
    parametrisation: Parametrisation
    adam: bool
    seeds: tuple[int, ...]
    goal: float
    steps: int = 5000

    @property
    def name(self) -> str:
        """The treatment, as shown."""
        return f"{self.parametrisation}, {'Adam' if self.adam else 'gradient descent'}"

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Train all seeds of one width after the other."""
        import pyarrow as pa

        examples, targets = self.digits.load(context)
        rows = []
        with context.progress.task(self.name, total=len(self.widths), unit="width") as task:
            for done, width in enumerate(self.widths, start=1):
                network = Wide(width, self.depth, self.parametrisation)
                start = network.draw(self.seeds, examples.shape[1], targets.shape[1])
                before = kernels_of(network, start, examples)
                largest = np.linalg.eigvalsh(before[0])[-1] / len(examples)
                rate = 1e-3 if self.adam else 1 / largest
                found = trees.to_numpy(
                    descend(
                        network,
                        start,
                        examples,
                        targets,
                        np.float32(rate),
                        np.float32(self.goal),
                        self.steps,
                        adam=self.adam,
                    )
                )
                after = kernels_of(network, found.params, examples)
                for i, seed in enumerate(self.seeds):
                    first, last = ([leaf[i] for leaf in each] for each in (start, found.params))
                    moved = sum(((a - b) ** 2).sum() for a, b in zip(first, last, strict=True))
                    size = sum((a**2).sum() for a in first)
                    rows.append(
                        {
                            "treatment": self.name,
                            "width": width,
                            "seed": seed,
                            "drift": float(tangent.relative_drift(after[i], before[i])),
                            "cosine": float(tangent.cosine(after[i], before[i])),
                            "weight_change": float(np.sqrt(moved / size)),
                            "loss": float(found.loss[i]),
                            "steps": int(found.steps[i]),
                        }
                    )
                task.update(done, width=width)
        return Result(tables={"drift": pa.Table.from_pylist(rows)})


def kernels_of(network: Wide, stacked: Params, examples: np.ndarray) -> list[np.ndarray]:
    """The kernel of every seed in double precision."""
    count = len(jax.tree.leaves(stacked)[0])
    return [
        tangent.kernel(network, [leaf[i] for leaf in stacked], examples).astype(np.float64)
        for i in range(count)
    ]


@dataclass(frozen=True)
class Spread(Stage):
    """Kernels of many seeds before training; its table ``spread`` has a row per width and depth.

    ``shift`` is |E K - K of infinite width|^2 / |K|^2, corrected for the spread of the mean.

    Attributes:
        digits: the examples.
        widths: units of the hidden layers.
        depths: hidden layers.
        seeds: how many networks of each.
    """

    digits: Digits
    widths: tuple[int, ...]
    depths: tuple[int, ...]
    seeds: int

    def __post_init__(self) -> None:
        if self.seeds < 4:
            raise ConfigError(f"seeds is {self.seeds}: a spread and its halves need four or more")

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Measure one kind of network after the other."""
        import pyarrow as pa

        examples, targets = self.digits.load(context)
        rows = []
        kinds = list(itertools.product(self.depths, self.widths))
        with context.progress.task("spread", total=len(kinds), unit="network") as task:
            for done, (depth, width) in enumerate(kinds, start=1):
                exact = tangent.infinite_relu(examples, depth=depth).tangent
                network = Wide(width, depth)
                drawn = network.draw(tuple(range(self.seeds)), examples.shape[1], targets.shape[1])
                found = tangent.moments(network, drawn, examples)
                square = (exact**2).sum()
                of_mean = found.variance.sum(dtype=np.float64) / found.count / square
                shift = ((found.mean - exact) ** 2).sum() / square
                rows.append(
                    {
                        "depth": depth,
                        "width": width,
                        "variance": found.relative_variance,
                        "shift": float(shift - of_mean),
                        "noise": float(of_mean),
                    }
                )
                task.update(done, width=width, depth=depth)
        return Result(tables={"spread": pa.Table.from_pylist(rows)})


@dataclass(frozen=True)
class Forecast(Stage):
    """The kernel after one step, against the first order of the tangent hierarchy.

    Its table ``forecast`` has a row per activation, width, seed and step: the relative change of
    the kernel, and the error of the forecast relative to that change.

    Attributes:
        digits: the training examples.
        widths: units of the hidden layer.
        activations: which networks.
        seeds: networks of each kind.
        shares: lengths of the step, in units of the largest stable one.
    """

    digits: Digits
    widths: tuple[int, ...]
    activations: tuple[Activation, ...]
    seeds: tuple[int, ...]
    shares: tuple[float, ...]

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Take one step from the initialisation of every network."""
        import pyarrow as pa

        examples, targets = self.digits.load(context)
        rows = []
        for activation, width in itertools.product(self.activations, self.widths):
            network = Wide(width, activation=activation)
            stacked = network.draw(self.seeds, examples.shape[1], targets.shape[1])
            for i, seed in enumerate(self.seeds):
                params = [leaf[i] for leaf in stacked]
                flow = tangent.gradient_flow(
                    HalfSquaredError(network), params, Split(examples, targets)
                )
                first = tangent.kernel_derivative(network, params, flow, examples)
                stable = 2 * len(examples) / np.linalg.eigvalsh(first.kernel)[-1]
                for share in self.shares:
                    step = np.float32(share * stable)
                    after = [a + step * b for a, b in zip(params, flow, strict=True)]
                    change = tangent.kernel(network, after, examples) - first.kernel
                    size = np.linalg.norm(change)
                    rows.append(
                        {
                            "activation": activation,
                            "width": width,
                            "seed": seed,
                            "share": share,
                            "change": float(size / np.linalg.norm(first.kernel)),
                            "error": float(np.linalg.norm(change - step * first.derivative) / size),
                        }
                    )
        return Result(tables={"forecast": pa.Table.from_pylist(rows)})
