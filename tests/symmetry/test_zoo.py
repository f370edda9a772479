"""Every network of the zoo has the expected generators, and they hold in float64."""

import pytest
from symmetry_zoo import ZOO

from mconn import symmetry


@pytest.mark.parametrize("name", ZOO)
def test_generators(name, key):
    case = ZOO[name]()
    group = symmetry.discover(case.apply, case.params, *case.inputs)
    assert group.sizes == case.sizes
    assert group.pinned
    symmetry.certify(group, case.apply, case.params, *case.inputs, key=key).check()
