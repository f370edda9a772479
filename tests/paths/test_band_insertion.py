import jax
import numpy as np
from elastic_bands import at

from mconn import paths, trees
from mconn.paths.band.auto import inserted, sagging


def test_pivots_are_missing_where_the_loss_exceeds_the_line_by_a_share_of_the_range():
    dense = np.array([[0, 1, 2, 3], [3, 2.0, 2.9, 0], [0, 0.3, 0.2, 0]])
    assert sagging(dense, 0.1, 5) == [(1, 2)]
    assert sagging(dense, 0.09, 5) == [(1, 2), (2, 1)]
    assert sagging(dense, 0.09, 1) == [(1, 2)]
    assert sagging(dense, 0.09, 0) == []
    assert sagging(dense, 0.7, 5) == []
    assert sagging(np.ones((2, 4)), 0.0, 5) == []


def test_inserted_pivots_lie_on_the_chain_and_share_the_length():
    chain = paths.through([at([0, 0]), at([0, 3]), at([3, 3])])
    controls = trees.to_numpy(chain.controls)
    shares = np.array([0.4, 0.6], np.float32)
    more, finer = inserted(controls, shares, [(0, 1), (1, 2)], 3)
    np.testing.assert_allclose(more["x"], [[0, 0], [0, 1], [0, 3], [2, 3], [3, 3]])
    np.testing.assert_allclose(finer, [0.4 / 3, 0.8 / 3, 0.4, 0.2], rtol=1e-6)
    same, unchanged = inserted(controls, shares, [], 3)
    np.testing.assert_array_equal(same["x"], chain.controls["x"])
    np.testing.assert_array_equal(unchanged, shares)
    assert jax.tree.structure(same) == jax.tree.structure(chain.controls)
