"""Every network of the zoo has the expected generators, and they hold in float64."""

import json

import pytest
from symmetry_architectures import ARCHITECTURES
from symmetry_tables import TABLES, table
from symmetry_zoo import ZOO

from mconn import symmetry

NETWORKS = ZOO | ARCHITECTURES
SLOW = {"resnet-50"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in NETWORKS]
)
def test_generators(name, key):
    case = NETWORKS[name]()
    group = symmetry.discover(case.apply, case.params, *case.inputs)
    assert table(group) == TABLES[name]
    assert group.pinned
    symmetry.certify(group, case.apply, case.params, *case.inputs, key=key).check()
    assert symmetry.from_json(json.loads(json.dumps(symmetry.to_json(group)))) == group
