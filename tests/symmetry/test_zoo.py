"""Every network of the zoo has the expected generators, and they hold in float64.

Those of modules that `test_completeness` knows too are tried there, in a program of its own.
"""

import json

import pytest
from symmetry_tables import TABLES, table
from symmetry_zoo import IN_FAMILIES, ZOO, network

from mconn import symmetry


@pytest.mark.parametrize("name", ZOO)
def test_generators(name, key):
    case, group = network(name)
    assert table(group) == TABLES[name]
    assert group.pinned
    if name not in IN_FAMILIES or any(not generator.exact for generator in group.generators):
        symmetry.certify(group, case.apply, case.params, *case.inputs, key=key).check()
    assert symmetry.from_json(json.loads(json.dumps(symmetry.to_json(group)))) == group
