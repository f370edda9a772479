"""Flat tables: the discovery finds those of the reference cases, and errors name leaves."""

import flax.traverse_util
import jax
import numpy as np
import pytest
from symmetry_zoo import network

from mconn import symmetry
from mconn.errors import StructureError
from mconn.models import MLP, VGG16
from mconn.symmetry import Generator, Group, Pin, Site

NUMBERS = ("NHWC", "HWIO", "NHWC")
SPECIFICATION = {"first": (None, "h"), "second": ("h", None), "scale": ("h",)}
SHAPES = {"first": (4, 6), "second": (6, 3), "scale": (6,)}


def conv(p, name, x, stride=1):
    return jax.lax.conv_general_dilated(
        x, p[f"{name}/kernel"], (stride,) * 2, "SAME", dimension_numbers=NUMBERS
    )


def norm(p, name, x):
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred * jax.lax.rsqrt((centred**2).mean(-1, keepdims=True) + 1e-6)
    return scaled * p[f"{name}/scale"] + p[f"{name}/bias"]


def resnet20(p, x):
    x = jax.nn.relu(norm(p, "norm1", conv(p, "conv1", x)))
    for group in range(3):
        for block in range(3):
            name = f"blockgroups_{group}/blocks_{block}"
            stride = 2 if group > 0 and block == 0 else 1
            y = jax.nn.relu(norm(p, f"{name}/norm1", conv(p, f"{name}/conv1", x, stride)))
            y = norm(p, f"{name}/norm2", conv(p, f"{name}/conv2", y))
            if f"{name}/shortcut/layers_0/kernel" in p:
                x = conv(p, f"{name}/shortcut/layers_0", x, stride)
                x = norm(p, f"{name}/shortcut/layers_1", x)
            x = jax.nn.relu(x + y)
    return x.mean((1, 2)) @ p["dense/kernel"] + p["dense/bias"]


def linen(model):
    def apply(p, x):
        return model.apply({"params": flax.traverse_util.unflatten_dict(p, sep="/")}, x)

    return apply


NETWORKS = {
    "mlp128": (linen(MLP(width=128)), (2, 784)),
    "vgg16_m8": (linen(VGG16(8)), (2, 32, 32, 3)),
    "resnet20_w1": (resnet20, (2, 8, 8, 3)),
}


@pytest.fixture
def cases(shared, monkeypatch):
    monkeypatch.syspath_prepend(shared / "bench")
    import align_cases  # pyright: ignore[reportMissingImports]

    return align_cases.CASES


def site_sets(group):
    return {
        frozenset((site.leaf, site.place) for site in generator.sites)
        for generator in group.generators
    }


@pytest.mark.parametrize("name", NETWORKS)
def test_the_discovery_finds_the_groups_of_the_hand_written_specifications(cases, name):
    specification, shapes = cases[name]()
    apply, shape = NETWORKS[name]
    params = {leaf: jax.ShapeDtypeStruct(shape, np.float32) for leaf, shape in shapes.items()}
    whole = symmetry.discover(apply, params, jax.ShapeDtypeStruct(shape, np.float32))
    found = symmetry.permutations(whole)
    written = symmetry.from_specification(specification, shapes)
    assert site_sets(found) == site_sets(written)
    assert len(found.generators) == {"mlp128": 3, "vgg16_m8": 15, "resnet20_w1": 12}[name]
    assert found.log_order == pytest.approx(written.log_order)
    assert symmetry.to_specification(whole) == symmetry.to_specification(found)
    again = symmetry.from_specification(symmetry.to_specification(found), shapes)
    assert site_sets(again) == site_sets(found)
    assert set(again.sizes.items()) == set(found.sizes.items())
    assert symmetry.to_specification(written) == specification


def test_a_table_becomes_a_symmetry():
    assert symmetry.from_specification(SPECIFICATION, SHAPES) == Group(
        (
            Generator(
                "h", 6, "permutation", (Site("first", 1), Site("second", 0), Site("scale", 0))
            ),
        ),
        (
            Pin("first", 0, 4, "not in the specification", ""),
            Pin("second", 1, 3, "not in the specification", ""),
        ),
        tuple(SHAPES.items()),
    )


def test_it_acts(key):
    group = symmetry.from_specification(SPECIFICATION, SHAPES)
    params = {leaf: np.random.default_rng(0).normal(size=shape) for leaf, shape in SHAPES.items()}

    def apply(p, x):
        return (jax.nn.relu(x @ p["first"]) * p["scale"]) @ p["second"]

    symmetry.certify(group, apply, params, np.ones((2, 4)), key=key).check()


@pytest.mark.parametrize("name", ["gated", "cnn group norm"])
def test_segments_are_refused(name):
    group = network(name)[1]
    with pytest.raises(StructureError, match=r"moves a segment of an axis .*: use to_json"):
        symmetry.to_specification(group)


def test_a_part_of_an_axis_is_refused_though_it_begins_at_the_first_entry():
    group = Group((Generator("h", 2, "permutation", (Site("w", 0),)),), (), (("w", (3,)),))
    with pytest.raises(StructureError, match="'h' moves a segment of an axis \\(w axis 0\\)"):
        symmetry.to_specification(group)


def test_leaves_must_be_known():
    group = Group((Generator("h", 2, "permutation", (Site("w", 0),)),))
    with pytest.raises(StructureError, match="shape of leaf 'w' is not among the leaves"):
        symmetry.to_specification(group)


@pytest.mark.parametrize(
    ("specification", "shapes", "message"),
    [
        ({**SPECIFICATION, "b": (None,)}, SHAPES, "leaf 'b' is missing in the shapes"),
        (SPECIFICATION, {**SHAPES, "b": (3,)}, "leaf 'b' is missing in the specification"),
        ({**SPECIFICATION, "scale": ()}, SHAPES, r"leaf 'scale' of shape \(6,\) has 0 entries"),
        (
            SPECIFICATION,
            {**SHAPES, "scale": (5,)},
            "leaf 'scale' has 5 entries along axis 0, but the generator 'h' moves 6 units",
        ),
    ],
)
def test_what_does_not_fit_names_the_leaf(specification, shapes, message):
    with pytest.raises(StructureError, match=message):
        symmetry.from_specification(specification, shapes)
