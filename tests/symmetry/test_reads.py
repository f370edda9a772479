"""On which side of a contraction a leaf is: what makes the units of a generator, or reads them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from symmetry_zoo import RECURRENT, UNITS, discovered, images, network, pure, vectors

from mconn import symmetry
from mconn.models import GPT2, BasicBlock, ResNet
from mconn.symmetry import Place

TOKENS = jax.ShapeDtypeStruct((2, 5), jnp.int32)


def of(shapes, apply, x=None):
    """The group of a function of parameters with these shapes."""
    return discovered(pure(apply, shapes, vectors() if x is None else x))


def readers(generator):
    return {(site.leaf, site.axis) for site in generator.sites if site.reads}


def makers(generator):
    return {(site.leaf, site.axis) for site in generator.sites if site.makes}


def has_one_role_each(group):
    """Whether no leaf both makes and reads units along an axis, and every one does one of these."""
    return all(site.makes != site.reads for each in group.generators for site in each.sites)


@st.composite
def dense_networks(draw):
    """A ReLU network whose layers are written in any of several ways, with some shortcuts."""
    widths = [4, *draw(st.lists(st.integers(5, 9), min_size=1, max_size=4)), 3]
    forms = draw(st.lists(st.sampled_from(FORMS), min_size=len(widths), max_size=len(widths)))
    joins = draw(st.lists(st.booleans(), min_size=len(widths), max_size=len(widths)))
    shapes, size = [], widths[0]
    for i, (form, width) in enumerate(zip(forms, widths[1:], strict=False)):
        is_last = i == len(widths) - 2
        shapes.append(((width, size) if form == "left" else (size, width), (width,)))
        size = width + (size if joins[i] and not is_last else 0)

    def apply(params, x):
        for i, (w, b) in enumerate(params):
            y = contract(forms[i], x, w) + b
            if i == len(params) - 1:
                return y
            y = jax.nn.relu(y)
            x = jnp.concatenate([x, y], axis=-1) if joins[i] else y
        return None

    return shapes, apply


FORMS = ("right", "left", "einsum", "product", "product of a row", "mean", "loop")


def contract(form, x, w):
    """The same contraction of a batch of vectors with a matrix, in several ways."""
    if form == "left":
        return (w @ x.T).T
    if form == "einsum":
        return jnp.einsum("io,bi->bo", w, x)
    if form == "product":
        return (x[:, :, None] * w).sum(1)
    if form == "product of a row":
        return jax.vmap(lambda row: (row * x).sum(-1), in_axes=1, out_axes=1)(w)
    if form == "mean":
        return jnp.mean(w[None] * x[:, :, None], axis=1)
    if form == "loop":
        return jax.lax.map(lambda row: row @ w, x)
    return x @ w


@given(dense_networks())
@settings(max_examples=12, deadline=None, derandomize=True)
def test_what_a_scaling_divides_is_what_reads(network):
    shapes, apply = network
    group = of(shapes, apply)
    scalings = [each for each in group.generators if each.kind == "scaling"]
    assert scalings
    for each in scalings:
        assert {site.power for site in each.sites} <= {1, -1}
        assert all(site.reads == (site.power == -1) for site in each.sites)
        assert readers(group[each.moved_by or each.name]) == readers(each)
    assert has_one_role_each(group)


def test_the_positions_of_a_flattened_axis():
    group = network("cnn")[1]
    assert has_one_role_each(group)
    assert readers(group["Conv_0"]) == {("params/Conv_1/kernel", 2)}
    (site,) = (site for site in group["Conv_1"].sites if site.reads)
    assert (site.leaf, site.place) == ("params/Dense_0/kernel", Place(0, 0, 4, 1))
    assert makers(group["Conv_1"]) == {("params/Conv_1/kernel", 3), ("params/Conv_1/bias", 0)}


def test_the_stream_of_a_resnet():
    model, x = ResNet((1, 1), 4, BasicBlock), images()
    params = jax.eval_shape(model.init, jax.random.key(0), x)
    group = symmetry.discover(model.apply, params, x)
    assert has_one_role_each(group)
    for each in group.generators:
        if each.kind == "permutation":
            for site in each.sites:
                *_, name = site.leaf.split("/")
                assert site.reads == (name == "kernel" and site.axis in (0, 2)), site
            assert readers(each)
            assert makers(each)


@pytest.mark.parametrize("name", ["densenet", "densenet flatten"])
def test_segments_behind_a_concatenation(name):
    group = network(name)[1]
    assert has_one_role_each(group)
    assert readers(group["Conv_0"]) == {
        ("params/Conv_1/kernel", 2),
        ("params/Conv_2/kernel", 2),
        ("params/Dense_0/kernel", 0),
    }
    starts = [site.start for site in group["Conv_2"].sites if site.reads]
    assert starts == ([7, 17, 27, 37] if name == "densenet flatten" else [7])


def residual(params, x):
    h = x @ params["in"]
    for _ in range(2):
        h = h + jnp.tanh(h @ params["again"] + params["b"])
    return h @ params["out"]


def carried(params, x):
    """The weights go through the loop with the state."""

    def step(carry, _):
        h, again = carry
        return (jnp.tanh(h @ again + params["b"]), again), None

    (h, _), _ = jax.lax.scan(step, (x @ params["in"], params["again"]), None, length=3)
    return h @ params["out"]


def from_zero(params, x):
    """The state depends on the inputs only from the second step on."""

    def step(h, _):
        new = jnp.tanh(h @ params["again"] + x @ params["in"] + params["b"])
        return new, None

    h, _ = jax.lax.scan(step, jnp.zeros((len(x), 6)), None, length=3)
    return h @ params["out"]


@pytest.mark.parametrize("apply", [residual, carried, from_zero])
def test_a_map_of_the_stream_reads_on_one_axis_and_makes_on_the_other(apply):
    (stream,) = (each for each in of(RECURRENT, apply).generators if each.kind == "permutation")
    assert readers(stream) == {("again", 0), ("out", 0)}
    assert makers(stream) == {("again", 1), ("in", 1), ("b", 0)}


@pytest.mark.parametrize("name", ["loop", "recurrent", "scan over time"])
def test_loops_and_weights_used_twice(name):
    group = network(name)[1]
    assert has_one_role_each(group)
    assert readers(group.generators[0]) == {("again", 0), ("out", 0)}


def test_layers_under_scan():
    group = network("scanned layers")[1]
    assert has_one_role_each(group)
    names = {"ScanBlock_0/Dense_0": ("params/ScanBlock_0/Dense_0/kernel", 1)}
    names["Dense_1"] = ("params/ScanBlock_0/Dense_1/kernel", 1)
    for name, reader in names.items():
        assert reader in readers(group[name])


def test_attention():
    model = GPT2(depth=2, width=8, heads=2, vocabulary=11, context=6)
    params = jax.eval_shape(model.init, jax.random.key(0), TOKENS)
    group = symmetry.discover(model.apply, params, TOKENS)
    stream = group["Embed_0"]
    both = {("params/Embed_0/embedding", 1)}
    assert readers(stream) & makers(stream) == both
    blocks = [f"params/GPT2Block_{i}" for i in range(2)]
    assert readers(stream) == both | {
        (f"{block}/Dense_{i}/kernel", 0) for block in blocks for i in (0, 3)
    }
    assert {(f"{block}/Dense_{i}/kernel", 1) for block in blocks for i in (1, 2)} < makers(stream)
    inside = [each for each in group.generators if each.kind == "general linear"]
    found = sorted(sorted(readers(each)) for each in inside)
    # Queries and keys are contracted with each other; what mixes the values reads them.
    values = [[(f"{block}/Dense_1/kernel", 0)] for block in blocks]
    assert found == [[], [], *values]
    for each in inside:
        assert {(site.leaf, site.axis) for site in each.sites} == readers(each) | makers(each)


def one_hot(params, tokens):
    h = jax.nn.one_hot(tokens, 7) @ params["embedding"]
    return jnp.tanh(h) @ params["embedding"].T


def gathered(params, tokens):
    return jnp.tanh(params["embedding"][tokens]) @ params["embedding"].T


@pytest.mark.parametrize("apply", [one_hot, gathered])
def test_tied_embeddings_do_both(apply):
    group = of({"embedding": (7, 6)}, apply, np.zeros((2, 5), np.int32))
    (site,) = group.generators[0].sites
    assert (site.axis, site.makes, site.reads) == (1, True, True)


def test_an_expert_that_the_inputs_choose():
    def apply(params, x):
        chosen = jnp.argmax(x @ params["router"], axis=-1)
        h = jax.nn.relu(jnp.einsum("bi,bio->bo", x, params["in"][chosen]))
        return jnp.einsum("bi,bio->bo", h, jnp.take(params["out"], chosen, axis=0))

    group = of({"router": (4, 2), "in": (2, 4, 6), "out": (2, 6, 3)}, apply)
    hidden = group["in"]
    assert (readers(hidden), makers(hidden)) == ({("out", 1)}, {("in", 2)})


def test_grouped_convolutions():
    group = network("separable convolutions")[1]
    assert has_one_role_each(group)
    # A convolution of every group by itself makes its outputs, and scales what comes in.
    assert readers(group["Conv_0"]) == {("params/Conv_2/kernel", 2)}
    assert ("params/Conv_1/kernel", 3) in makers(group["Conv_0"])

    def apply(params, x):
        dimensions = ("NHWC", "HWIO", "NHWC")
        h = jax.nn.relu(jnp.einsum("bhwi,io->bhwo", x, params["first"]))
        h = jax.lax.conv_general_dilated(
            h, params["grouped"], (1, 1), "SAME", None, None, dimensions, feature_group_count=2
        )
        return jnp.einsum("bhwi,io->bo", jax.nn.relu(h), params["last"])

    group = of({"first": (3, 8), "grouped": (3, 3, 4, 6), "last": (6, 5)}, apply, images())
    by_size = {each.size: each for each in group.generators if each.kind == "permutation"}
    assert readers(by_size[4]) == {("grouped", 2)}
    assert readers(by_size[3]) == {("last", 0)}
    assert makers(by_size[2]) == {("first", 1), ("grouped", 3)}


@pytest.mark.parametrize("from_the_left", [True, False])
def test_products_of_parameters_are_read_in_the_order_of_the_network(from_the_left):
    def apply(params, x):
        a, b, c = params["a"], params["b"], params["c"]
        return x @ ((a @ b) @ c if from_the_left else a @ (b @ c))

    group = of({"a": (4, 5), "b": (5, 6), "c": (6, 3)}, apply)
    assert [readers(each) for each in group.generators] == [{("b", 0)}, {("c", 0)}]


def test_a_correction_of_low_rank():
    def apply(params, x):
        h = jax.nn.relu(x @ params["first"])
        return h @ (params["last"] + params["up"].T @ params["down"])

    shapes = {"first": (4, 6), "last": (6, 3), "up": (2, 6), "down": (2, 3)}
    group = of(shapes, apply)
    assert readers(group["first"]) == {("last", 0), ("up", 1)}
    (inner,) = (each for each in group.generators if each.size == 2)
    assert (readers(inner), makers(inner)) == ({("down", 0)}, {("up", 0)})


def test_a_learned_state_is_made_and_not_read():
    def apply(params, x):
        h = params["start"]
        for _ in range(2):
            h = jnp.tanh(h @ params["again"] + x @ params["in"])
        return h @ params["out"]

    shapes = {"start": (6,), "again": (6, 6), "in": (4, 6), "out": (6, 3)}
    group = of(shapes, apply)
    assert readers(group.generators[0]) == {("again", 0), ("out", 0)}
    assert has_one_role_each(group)


def test_learned_queries_read_the_units_of_the_keys():
    def apply(params, x):
        queries, keys = params["latents"] @ params["query"], x @ params["key"]
        return jax.nn.softmax(queries @ keys.T) @ x

    group = of({"latents": (3, 5), "query": (5, 6), "key": (4, 6)}, apply)
    by_size = {each.size: each for each in group.generators}
    assert (readers(by_size[6]), makers(by_size[6])) == ({("query", 1)}, {("key", 1)})
    assert (readers(by_size[5]), makers(by_size[5])) == ({("latents", 1)}, {("query", 0)})


def test_a_scale_that_a_normaliser_follows_is_no_reader():
    def apply(params, x):
        h = jnp.tanh(x @ params["w"]) * params["b"]
        h = h - h.mean(-1, keepdims=True)
        return h @ params["out"]

    assert readers(of(UNITS, apply)["w"]) == {("out", 0)}


def test_subgroups_and_json_keep_the_roles():
    group = network("mlp identity")[1]
    for each in (symmetry.permutations(group), group.restricted(["permutation"])):
        assert [readers(g) for g in each.generators] == [readers(g) for g in group.generators]
    assert symmetry.from_json(symmetry.to_json(group)) == group


def test_nothing_is_known_of_a_hand_written_group():
    table = {"first": (None, "hidden"), "second": ("hidden", None)}
    group = symmetry.from_specification(table, {"first": (4, 6), "second": (6, 3)})
    assert not any(site.makes or site.reads for each in group.generators for site in each.sites)
