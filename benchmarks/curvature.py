"""Curvature of the MLP 784-512-512-512-10 (0.93 million parameters) against what is published.

The Hessian of the mean cross-entropy of 1000 images of Fashion-MNIST, after three epochs of
training; all sides on one thread of one process, in turns::

    python -m benchmarks.curvature [--smoke] [--repeats 3]

The largest eigenvalue to 1e-3 beside PyHessian's power iteration at the same tolerance, if it is
installed (``pip install .[benchmark]``; both errors are against a search to 1e-6); the spectral
density with 100 Lanczos steps beside 100 bare products, and beside matfree's with its full
reorthogonalisation, if it is installed. The peak of memory with 60 000 images is that of a fresh
process. "first s" is the wall time of the first call, most of it compilation.
"""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from rich.console import Console

from benchmarks import memory
from benchmarks.alignment.one_thread import alone
from benchmarks.evaluation import compare
from mconn import curvature, landscape, training, trees
from mconn.curvature.operator import on_flat
from mconn.data import DataConfig, Split, load
from mconn.models import MLP
from mconn.training import Optimiser, TrainConfig

IMAGES = 1000
TOLERANCE = 1e-3
STEPS = 100
KEY = jax.random.key(0)


@dataclass(frozen=True)
class Problem:
    """A trained network and its images."""

    model: MLP
    params: Any
    train: Split

    def hessian(self, images: int) -> curvature.Hessian:
        """Of the first images."""
        loss = landscape.Classification(self.model.apply)
        return curvature.hessian(loss, self.params, self.train.head(images))


def problem(smoke: bool) -> Problem:
    """Train a network."""
    data = DataConfig("fashion_mnist", subset=5000 if smoke else None)
    model, epochs = (MLP(64, 3), 1) if smoke else (MLP(512, 3), 3)
    optimiser = Optimiser("sgd", 0.05, weight_decay=5e-4)
    dataset = load(data)
    trained = training.train(TrainConfig(model, data, optimiser, (0,), epochs, 128), dataset)
    return Problem(model, trees.index(trained.params, 0), dataset.train)


def top(smoke: bool, repeats: int) -> None:
    """Print the table of the largest eigenvalue, and how far both sides are from it."""
    given = problem(smoke)
    hessian = given.hessian(IMAGES)
    exact = curvature.eigenpairs(hessian, KEY, tolerance=1e-6, basis=60, products=1000).values[0]
    found: dict[str, tuple[float, str]] = {}

    def ours() -> None:
        result = curvature.eigenpairs(hessian, KEY, tolerance=TOLERANCE)
        found["mconn.curvature.eigenpairs"] = (
            float(result.values[0]),
            f"residual {result.residuals[0]:.1e}, error bound {result.errors[0]:.1e}, "
            f"{result.products} products, converged {result.converged[0]}",
        )

    sides: dict[str, Callable] = {}
    if importlib.util.find_spec("pyhessian"):
        power = power_iteration(given)
        sides["PyHessian, power iteration"] = lambda: found.update(
            {"PyHessian, power iteration": (power(), "no residual")}
        )
    else:
        Console().print("PyHessian is not installed: pip install .[benchmark]")
    sides["mconn.curvature.eigenpairs"] = ours
    sides["5 eigenvalues and 2 smallest"] = lambda: curvature.eigenpairs(
        hessian, KEY, top=5, bottom=2, tolerance=TOLERANCE
    )
    compare(f"the largest eigenvalue to {TOLERANCE:g}, one thread", sides, repeats)
    for side, (value, note) in found.items():
        off = abs(value - exact) / exact
        Console().print(f"{side}: {value:.5f}, off by {off:.1e} of {exact:.5f}; {note}")


def power_iteration(given: Problem) -> Callable[[], float]:
    """PyHessian's largest eigenvalue of the same network and images."""
    import torch
    from pyhessian import hessian

    torch.set_num_threads(1)
    layers: list[Any] = []
    for layer in given.params["params"].values():
        kernel, bias = np.asarray(layer["kernel"]), np.asarray(layer["bias"])
        linear = torch.nn.Linear(*kernel.shape)
        linear.weight.data = torch.tensor(kernel.T.copy())
        linear.bias.data = torch.tensor(bias)
        layers += [linear, torch.nn.ReLU()]
    network = torch.nn.Sequential(*layers[:-1]).eval()
    images = given.train.head(IMAGES)
    inputs = torch.tensor(np.asarray(images.inputs).reshape(IMAGES, -1))
    labels = torch.tensor(np.asarray(images.labels).astype(np.int64))

    def value() -> float:
        torch.manual_seed(0)
        known = hessian(network, torch.nn.CrossEntropyLoss(), data=(inputs, labels), cuda=False)
        return float(known.eigenvalues(maxIter=100, tol=TOLERANCE)[0][0])

    return value


@jax.jit
def bare_products(operator: curvature.Operator, vector: jax.Array) -> jax.Array:
    """100 products, each with the one before, scaled."""
    multiply = on_flat(operator)

    def step(vector: jax.Array, _: None) -> tuple[jax.Array, None]:
        product = multiply(vector)
        return product / jnp.linalg.norm(product), None

    return jax.lax.scan(step, vector, None, length=STEPS)[0]


def density(smoke: bool, repeats: int) -> None:
    """Print the table of the density."""
    hessian = problem(smoke).hessian(IMAGES)
    vector = jax.random.normal(KEY, (hessian.dimension,))
    sides: dict[str, Callable] = {
        f"{STEPS} bare products": lambda: jax.block_until_ready(bare_products(hessian, vector)),
        "mconn.curvature.density": lambda: curvature.density(hessian, KEY, steps=STEPS, probes=1),
    }
    if importlib.util.find_spec("matfree"):
        reorthogonalised = full_lanczos()
        sides["matfree, reorthogonalised"] = lambda: jax.block_until_ready(
            reorthogonalised(hessian, vector)
        )
    else:
        Console().print("matfree is not installed: pip install .[benchmark]")
    compare(f"density, {STEPS} Lanczos steps, one thread", sides, repeats)


def full_lanczos() -> Callable:
    """Tridiagonalisation by matfree, with full reorthogonalisation."""
    from matfree import decomp

    @jax.jit
    def run(operator: curvature.Operator, vector: jax.Array) -> Any:
        multiply = on_flat(operator)
        lanczos = decomp.tridiag_sym(STEPS, reortho="full", materialize=False)
        return lanczos(multiply, vector).J_small

    return run


def peak(smoke: bool, images: int) -> tuple[float, float]:
    """Peak of memory in MiB of this process before and after the largest eigenvalue."""
    given = problem(smoke)
    before = memory.peak()
    curvature.eigenpairs(given.hessian(images), KEY, tolerance=0.05, products=10)
    return before, memory.peak()


def main(repeats: int = 3, large: int = 60_000, smoke: bool = False) -> None:
    """Run the benchmark and print the tables.

    Args:
        repeats: timed calls of each side, interleaved.
        large: images of the measurement of memory; 0 leaves it out.
        smoke: a narrow network, one repeat, no measurement of memory.
    """
    if smoke:
        repeats, large = 1, 0
    alone(top, smoke, repeats)
    alone(density, smoke, repeats)
    if large:
        before, after = alone(peak, smoke, large)
        Console().print(
            f"the largest eigenvalue, {large} images: peak {after:.0f} MiB of the process, "
            f"{before:.0f} MiB with the images and a training before it"
        )


if __name__ == "__main__":
    tyro.cli(main)
