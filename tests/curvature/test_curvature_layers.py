import numpy as np

from mconn import curvature
from tests.curvature.networks import LOSS, ROWS, Counting, columns, dense, examples, network


def test_leaves_are_grouped_by_what_stands_before_the_last_stroke():
    tree = {"scale": np.zeros(2), "a": {"b": np.zeros(1), "c": np.zeros(3), "d": {"b": 1.0}}}
    assert curvature.layers(tree) == {
        "a": ("a/b", "a/c"),
        "a/d": ("a/d/b",),
        "scale": ("scale",),
    }


def test_blocks_are_those_of_the_matrix():
    params, data = network(), examples()
    operator = curvature.hessian(LOSS, params, data, batch_size=3)
    whole = dense(params, data)
    blocks = curvature.layer_blocks(operator)
    assert list(blocks) == ["params/Dense_0", "params/Dense_1", "params/Dense_2"]
    assert [block.dimension for block in blocks.values()] == [24, 20, 15]
    assert sum(block.dimension for block in blocks.values()) == ROWS
    start = 0
    for name, block in blocks.items():
        rows = slice(start, start + block.dimension)
        np.testing.assert_allclose(
            columns(block), whole[rows, rows], rtol=0, atol=1e-13, err_msg=name
        )
        start += block.dimension


def test_only_leaves_that_move_are_in_a_block():
    operator = curvature.hessian(
        LOSS, network(), examples(), leaves=["params/Dense_0/kernel", "params/Dense_2/bias"]
    )
    blocks = curvature.layer_blocks(operator)
    assert {name: block.moving for name, block in blocks.items()} == {
        "params/Dense_0": ("params/Dense_0/kernel",),
        "params/Dense_2": ("params/Dense_2/bias",),
    }


def test_blocks_of_another_network_run_the_same_programs():
    counting = Counting(LOSS)

    def products(seed):
        operator = curvature.hessian(counting, network(seed), examples(), leaves=SMALL)
        return [block(block.template) for block in curvature.layer_blocks(operator).values()]

    products(0)
    once = counting.traces
    products(1)
    assert counting.traces == once


SMALL = ("params/Dense_1/bias", "params/Dense_2/bias")
