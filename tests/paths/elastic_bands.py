"""Landscapes in closed form, as losses of tiny networks, for the tests of elastic bands."""

import jax.numpy as jnp
import numpy as np

DEEP, SHALLOW = np.array([-0.558224, 1.441726]), np.array([0.623499, 0.028038])
"""The two deepest minima of the potential of Mueller and Brown (1979)."""

SADDLE = -40.66484
"""The highest point of its lowest path between them."""


def mueller_brown(params, batch):
    x, y = params["x"]
    height = jnp.array([-200.0, -100.0, -170.0, 15.0])
    a, b, c = (
        jnp.array([-1.0, -1.0, -6.5, 0.7]),
        jnp.array([0.0, 0.0, 11.0, 0.6]),
        jnp.array([-10.0, -10.0, -6.5, 0.7]),
    )
    dx, dy = x - jnp.array([1.0, 0.0, -0.5, -1.0]), y - jnp.array([0.0, 0.5, 1.5, 1.0])
    energy = jnp.sum(height * jnp.exp(a * dx**2 + b * dx * dy + c * dy**2))
    return {"loss": jnp.full(len(batch), energy)}


def arch(params, batch):
    """Zero on the unit circle, 25 at its centre, with noise of mean zero over the examples."""
    x = params["x"]
    return {"loss": 25 * (jnp.vdot(x, x) - 1) ** 2 + 0.1 * batch * x[0]}


NO_EXAMPLES = np.zeros(4, np.float32)


def at(x):
    return {"x": np.asarray(x, np.float32)}
