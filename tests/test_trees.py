import jax.numpy as jnp
import numpy as np
import pytest

from mconn import trees
from mconn.errors import StructureError


def test_names_follow_the_containers():
    tree = {"layers": [{"kernel": 1}, {"kernel": 2}], "head": (3,)}
    assert trees.named_leaves(tree) == {
        "head/0": 3,
        "layers/0/kernel": 1,
        "layers/1/kernel": 2,
    }


def test_two_leaves_of_one_name_are_refused():
    with pytest.raises(StructureError, match="two leaves are called 'a/b'"):
        trees.named_leaves({"a/b": 1, "a": {"b": 2}})


def test_stack_and_index_are_inverse():
    networks = [{"w": np.full((2,), float(i))} for i in range(3)]
    stacked = trees.stack(networks)
    assert stacked["w"].shape == (3, 2)
    np.testing.assert_array_equal(trees.index(stacked, 1)["w"], networks[1]["w"])
    with pytest.raises(StructureError, match="empty sequence"):
        trees.stack([])


def test_inner_product_and_distance():
    a, b = {"x": np.array([1.0, 2.0]), "y": np.array(3.0)}, {"x": np.zeros(2), "y": np.array(1.0)}
    assert float(trees.inner(a, b)) == 3
    assert float(trees.distance(a, b)) == 3


@pytest.mark.parametrize(
    ("b", "message"),
    [
        ({"x": np.ones(3)}, r"leaf 'x' is float32\[2\] in a and float32\[3\] in b"),
        ({"x": np.ones(2, np.float16)}, r"leaf 'x' is float32\[2\] in a and float16\[2\] in b"),
        ({"y": np.ones(2)}, "leaf 'x' of a is missing in b"),
        ({"x": np.ones(2), "y": np.ones(2)}, "leaf 'y' of b is missing in a"),
    ],
)
def test_differences_of_structure_name_the_first_leaf(b, message):
    with pytest.raises(StructureError, match=message):
        trees.check_same_structure({"x": np.ones(2)}, b)


def test_the_same_leaves_in_other_containers_are_told_apart():
    with pytest.raises(StructureError, match="same leaves in different containers"):
        trees.check_same_structure({"0": jnp.ones(2)}, [jnp.ones(2)])
