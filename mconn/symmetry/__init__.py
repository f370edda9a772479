"""The symmetry group of a network, discovered from its jaxpr.

`discover` finds it for any pure function, `certify` checks it in float64, `act` moves parameters
by an element, `activations` reads the values in which each generator's axis lives, and `to_json`
and `to_specification` write the group down.
"""

from mconn.symmetry.activations import activations
from mconn.symmetry.certify import Certificate, certify
from mconn.symmetry.discover import discover
from mconn.symmetry.export import from_json, to_json
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
from mconn.symmetry.specification import Specification, from_specification, to_specification

__all__ = [
    "Certificate",
    "Element",
    "Generator",
    "Pin",
    "Site",
    "Specification",
    "Symmetry",
    "Value",
    "act",
    "activations",
    "certify",
    "compose",
    "discover",
    "from_json",
    "from_specification",
    "identity",
    "inverse",
    "random_element",
    "to_json",
    "to_specification",
]
