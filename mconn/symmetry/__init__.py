"""The symmetry group of a network, discovered from its jaxpr.

`discover` finds it for any pure function, `certify` checks it in float64, `act` moves parameters
by an element, `canonical` brings them to a normal form, `fold` takes the scales of normalisers out,
`activations` reads the values in which each generator's axis lives, and `to_json` and
`to_specification` write the group down.
"""

from mconn.symmetry.action import Element, act
from mconn.symmetry.activations import activations
from mconn.symmetry.canonical import canonical, canonical_element
from mconn.symmetry.certify import Certificate, certify
from mconn.symmetry.discover import discover
from mconn.symmetry.elements import (
    Tangent,
    compose,
    exp,
    identity,
    inverse,
    lift,
    log,
    random_element,
    random_tangent,
)
from mconn.symmetry.export import from_json, to_json
from mconn.symmetry.fold import fold
from mconn.symmetry.group import (
    Fibre,
    Generator,
    Group,
    Kind,
    Pin,
    Place,
    Site,
    Value,
    permutations,
)
from mconn.symmetry.specification import Specification, from_specification, to_specification

__all__ = [
    "Certificate",
    "Element",
    "Fibre",
    "Generator",
    "Group",
    "Kind",
    "Pin",
    "Place",
    "Site",
    "Specification",
    "Tangent",
    "Value",
    "act",
    "activations",
    "canonical",
    "canonical_element",
    "certify",
    "compose",
    "discover",
    "exp",
    "fold",
    "from_json",
    "from_specification",
    "identity",
    "inverse",
    "lift",
    "log",
    "permutations",
    "random_element",
    "random_tangent",
    "to_json",
    "to_specification",
]
