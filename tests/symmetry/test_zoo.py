"""Every network of the zoo has the expected generators, and they hold in float64."""

import json

import pytest
from symmetry_tables import TABLES, table
from symmetry_zoo import ZOO, network

from mconn import symmetry


@pytest.mark.parametrize("name", ZOO)
def test_generators(name, key):
    case, group = network(name)
    assert table(group) == TABLES[name]
    assert group.pinned
    symmetry.certify(group, case.apply, case.params, *case.inputs, key=key).check()
    assert symmetry.from_json(json.loads(json.dumps(symmetry.to_json(group)))) == group
