"""The symmetry group of a network, discovered from its jaxpr.

`discover` finds it for any pure function, `certify` checks it in float64, `act` moves parameters
by an element, and `activations` reads the values in which each generator's axis lives.
"""

from mconn.symmetry.activations import activations
from mconn.symmetry.certify import Certificate, certify
from mconn.symmetry.discover import discover
from mconn.symmetry.group import (
    Element,
    Generator,
    Pin,
    Site,
    Symmetry,
    Value,
    act,
    compose,
    identity,
    inverse,
    random_element,
)

__all__ = [
    "Certificate",
    "Element",
    "Generator",
    "Pin",
    "Site",
    "Symmetry",
    "Value",
    "act",
    "activations",
    "certify",
    "compose",
    "discover",
    "identity",
    "inverse",
    "random_element",
]
