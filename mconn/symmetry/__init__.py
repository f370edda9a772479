"""The symmetry group of a network, discovered from its jaxpr.

`discover` finds it for any pure function, `certify` checks it in float64, `act` moves parameters
by an element, `canonical` brings them to a normal form, `fold` takes the scales of normalisers out,
`activations` reads the values in which each generator's axis lives, and `to_json` and
`to_specification` write the group down. `label` and `read_group` are the steps of `discover`.
"""

from mconn.symmetry.action import (
    Element,
    View,
    act,
    check_fits,
    in_order,
    move_leaf,
    namespace,
    take_along,
)
from mconn.symmetry.activations import activations, units_last
from mconn.symmetry.canonical import canonical, canonical_element
from mconn.symmetry.certify import Certificate, certify, draw_part
from mconn.symmetry.discover import discover, label, leaf_shapes
from mconn.symmetry.elements import (
    CONTINUOUS,
    Tangent,
    compose,
    exp,
    followed_by,
    identity,
    identity_on_host,
    identity_part,
    inverse,
    lift,
    log,
    random_element,
    random_tangent,
    relative,
)
from mconn.symmetry.export import (
    Specification,
    from_json,
    from_specification,
    to_json,
    to_specification,
)
from mconn.symmetry.fold import fold
from mconn.symmetry.generators import read_group
from mconn.symmetry.group import (
    KINDS,
    Fibre,
    Generator,
    Group,
    Kind,
    Pin,
    Place,
    Site,
    Value,
    describe_kind,
    permutations,
)

__all__ = [
    "CONTINUOUS",
    "KINDS",
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
    "View",
    "act",
    "activations",
    "canonical",
    "canonical_element",
    "certify",
    "check_fits",
    "compose",
    "describe_kind",
    "discover",
    "draw_part",
    "exp",
    "fold",
    "followed_by",
    "from_json",
    "from_specification",
    "identity",
    "identity_on_host",
    "identity_part",
    "in_order",
    "inverse",
    "label",
    "leaf_shapes",
    "lift",
    "log",
    "move_leaf",
    "namespace",
    "permutations",
    "random_element",
    "random_tangent",
    "read_group",
    "relative",
    "take_along",
    "to_json",
    "to_specification",
    "units_last",
]
