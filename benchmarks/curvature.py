"""Curvature of the MLP 784-512-512-512-10 (0.93 million parameters) against what is published.

The Hessian of the mean cross-entropy of 1000 images of Fashion-MNIST, after three epochs of
training; all sides on one thread of one process, in turns::

    python -m benchmarks.curvature [--smoke] [--repeats 5]

The largest eigenvalue to 1e-3 beside PyHessian's power iteration, if it is installed (``pip install
.[benchmark]``), at the same tolerance and at a tenth of it, as it is a tolerance of changes, not of
errors. Every turn is from another random start; errors are against a search to 1e-6. The spectral
density with 100 Lanczos steps beside 100 bare products, in one program and one by one, and beside
matfree and PyHessian with their full reorthogonalisation, if they are installed. The peak of memory
with 60 000 images is that of a fresh process. "first s" is the wall time of the first call, most of
it compilation.
"""

import importlib.util
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from jax.flatten_util import ravel_pytree
from rich.console import Console

from benchmarks import memory
from benchmarks.alignment.one_thread import alone
from benchmarks.evaluation import compare
from mconn import curvature, landscape, training, trees
from mconn.data import DataConfig, Split, load
from mconn.models import MLP
from mconn.training import Optimiser, TrainConfig

IMAGES = 1000
TOLERANCE = 1e-3
STEPS = 100
KEY = jax.random.key(0)


@dataclass(frozen=True)
class Problem:
    """A trained network, on the host, and what it was trained on.

    Attributes:
        config: of the training.
        params: its result.
    """

    config: TrainConfig
    params: Any

    def images(self, count: int) -> Split:
        """The first images of the training set."""
        return load(self.config.data).train.head(count)

    def hessian(self, images: Split) -> curvature.Hessian:
        """Of the mean loss over these images."""
        return curvature.hessian(
            landscape.Classification(self.config.model.apply), self.params, images
        )


def problem(smoke: bool) -> Problem:
    """Train a network."""
    data = DataConfig("fashion_mnist", subset=2000 if smoke else None)
    model, epochs = (MLP(64, 3), 1) if smoke else (MLP(512, 3), 3)
    optimiser = Optimiser("sgd", 0.05, weight_decay=5e-4)
    config = TrainConfig(model, data, optimiser, (0,), epochs, 128)
    trained = training.train(config, load(data))
    return Problem(config, jax.device_get(trees.index(trained.params, 0)))


def top(given: Problem, repeats: int) -> None:
    """Print the table of the largest eigenvalue, and how far both sides are from it."""
    hessian = given.hessian(given.images(IMAGES))
    exact = curvature.eigenpairs(hessian, KEY, tolerance=1e-6, basis=60, products=1000).values[0]
    values: dict[str, list[float]] = {}
    results: list[curvature.Eigenpairs] = []
    keys = (jax.random.key(seed) for seed in itertools.count(1))

    def recorded(side: str, search: Callable[[], float]) -> Callable[[], None]:
        return lambda: values.setdefault(side, []).append(search())

    def ours() -> float:
        results.append(curvature.eigenpairs(hessian, next(keys), tolerance=TOLERANCE))
        return float(results[-1].values[0])

    sides: dict[str, Callable] = {}
    if importlib.util.find_spec("pyhessian"):
        for tolerance in (TOLERANCE, TOLERANCE / 10):
            name = f"PyHessian, tolerance {tolerance:g}"
            sides[name] = recorded(name, power_iteration(given, tolerance))
    else:
        Console().print("PyHessian is not installed: pip install .[benchmark]")
    sides["mconn.curvature"] = recorded("mconn.curvature", ours)
    compare(f"the largest eigenvalue, tolerance {TOLERANCE:g}, one thread", sides, 3 * repeats)
    for side, found in values.items():
        off = np.abs(np.array(found) / exact - 1)
        Console().print(
            f"{side}: off by {np.median(off):.1e} of {exact:.5f} in the median of {len(off)} "
            f"starts, {off.max():.1e} at most, more than {TOLERANCE:g} {sum(off > TOLERANCE)} times"
        )
    print_stated(results)
    begun = time.process_time()
    several = curvature.eigenpairs(hessian, KEY, top=5, bottom=2, tolerance=TOLERANCE)
    compiled = time.process_time()
    curvature.eigenpairs(hessian, KEY, top=5, bottom=2, tolerance=TOLERANCE)
    seconds = time.process_time() - compiled
    Console().print(
        f"5 largest and 2 smallest: {several.products} products in {seconds:.2f} CPU s, and "
        f"{compiled - begun - seconds:.1f} the first time"
    )


def print_stated(results: list[curvature.Eigenpairs]) -> None:
    """Print what the searches say of themselves."""
    products = [result.products for result in results]
    Console().print(
        f"mconn states at most: residual {max(r.residuals[0] / r.norm for r in results):.1e}, "
        f"error {max(r.errors[0] / r.norm for r in results):.1e}, chance that a larger one was "
        f"missed {max(r.missed for r in results):.3f}; {min(products)} to {max(products)} "
        f"products; converged: {sum(bool(r.converged[0]) for r in results)} of {len(results)}"
    )


def power_iteration(given: Problem, tolerance: float) -> Callable[[], float]:
    """PyHessian's largest eigenvalue, each time from another start."""
    torch: Any = importlib.import_module("torch")
    known = in_torch(given)
    seeds = itertools.count()

    def value() -> float:
        torch.manual_seed(next(seeds))
        return float(known().eigenvalues(maxIter=100, tol=tolerance)[0][0])

    return value


def in_torch(given: Problem) -> Callable[[], Any]:
    """PyHessian's object for the same network and images."""
    torch: Any = importlib.import_module("torch")
    pyhessian: Any = importlib.import_module("pyhessian")
    torch.set_num_threads(1)
    layers: list[Any] = []
    for layer in given.params["params"].values():
        kernel, bias = np.asarray(layer["kernel"]), np.asarray(layer["bias"])
        linear = torch.nn.Linear(*kernel.shape)
        linear.weight.data = torch.tensor(kernel.T.copy())
        linear.bias.data = torch.tensor(bias)
        layers += [linear, torch.nn.ReLU()]
    network = torch.nn.Sequential(*layers[:-1]).eval()
    images = given.images(IMAGES)
    inputs = torch.tensor(np.asarray(images.inputs).reshape(IMAGES, -1))
    labels = torch.tensor(np.asarray(images.labels).astype(np.int64))
    return lambda: pyhessian.hessian(
        network, torch.nn.CrossEntropyLoss(), data=(inputs, labels), cuda=False
    )


def full_quadrature(given: Problem) -> Callable[[], Any]:
    """PyHessian's density, with full reorthogonalisation."""
    torch: Any = importlib.import_module("torch")
    known = in_torch(given)

    def eig(matrix: Any, eigenvectors: bool) -> tuple[Any, Any]:
        values, vectors = torch.linalg.eigh(matrix)
        return values[:, None], vectors

    # It calls what torch has no more, and without that its last step fails.
    torch.eig = eig
    return lambda: known().density(iter=STEPS, n_v=1)


@jax.jit
def bare_products(operator: curvature.Operator, vector: jax.Array) -> jax.Array:
    """100 products, each with the one before, scaled."""
    multiply = operator.flat_map()

    def step(vector: jax.Array, _: None) -> tuple[jax.Array, None]:
        product = multiply(vector)
        return product / jnp.linalg.norm(product), None

    return jax.lax.scan(step, vector, None, length=STEPS)[0]


def one_by_one(operator: curvature.Operator, vector: jax.Array) -> None:
    """100 products, each of them a call."""
    leaves = ravel_pytree(operator.template)[1](vector)
    for _ in range(STEPS):
        jax.block_until_ready(operator(leaves))


def density(given: Problem, repeats: int) -> None:
    """Print the table of the density."""
    hessian = given.hessian(given.images(IMAGES))
    vector = jax.random.normal(KEY, (hessian.dimension,))
    sides: dict[str, Callable] = {
        f"{STEPS} bare products": lambda: jax.block_until_ready(bare_products(hessian, vector)),
        f"{STEPS} bare products, one by one": lambda: one_by_one(hessian, vector),
        "mconn.curvature.density": lambda: curvature.density(hessian, KEY, steps=STEPS, probes=1),
    }
    if importlib.util.find_spec("matfree"):
        reorthogonalised = full_lanczos()
        sides["matfree, reorthogonalised"] = lambda: jax.block_until_ready(
            reorthogonalised(hessian, vector)
        )
    else:
        Console().print("matfree is not installed: pip install .[benchmark]")
    if importlib.util.find_spec("pyhessian"):
        sides["PyHessian, reorthogonalised"] = full_quadrature(given)
    compare(f"density, {STEPS} Lanczos steps, one thread", sides, repeats)


def full_lanczos() -> Callable:
    """Tridiagonalisation by matfree, with full reorthogonalisation."""
    decomp: Any = importlib.import_module("matfree.decomp")

    @jax.jit
    def run(operator: curvature.Operator, vector: jax.Array) -> Any:
        multiply = operator.flat_map()
        lanczos = decomp.tridiag_sym(STEPS, reortho="full", materialize=False)
        return lanczos(multiply, vector).J_small

    return run


def peak(given: Problem, images: int) -> tuple[float, float]:
    """Peak of memory in MiB of this process before and after a product and an eigenvalue."""
    data = given.images(images)
    jax.block_until_ready(jnp.zeros(3) + 1)
    before = memory.peak()
    hessian = given.hessian(data)
    jax.block_until_ready(hessian(hessian.template))
    curvature.eigenpairs(hessian, KEY, tolerance=TOLERANCE)
    return before, memory.peak()


def main(repeats: int = 5, large: int = 60_000, smoke: bool = False) -> None:
    """Run the benchmark and print the tables.

    Args:
        repeats: timed calls of each side, interleaved; three times as many for the eigenvalue,
            whose cost depends on the start.
        large: images of the measurement of memory; 0 leaves it out.
        smoke: a narrow network, one repeat, no measurement of memory.
    """
    if smoke:
        repeats, large = 1, 0
    given = alone(problem, smoke)
    alone(top, given, repeats)
    alone(density, given, repeats)
    if large:
        before, after = alone(peak, given, large)
        Console().print(
            f"the largest eigenvalue, {large} images: peak {after:.0f} MiB of the process, "
            f"{before:.0f} MiB with the images before it (goal: below 2048 more)"
        )


if __name__ == "__main__":
    tyro.cli(main)
