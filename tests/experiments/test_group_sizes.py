import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs.skip_connections import skip_connections
from configs.symmetry_atlas import symmetry_atlas
from experiments.symmetry.atlas import FamilyGroups, SymmetryAtlas, misfit
from experiments.symmetry.group_count import (
    GroupCount,
    count_group,
    discover_model,
    permutations_of,
)
from experiments.symmetry.skips import SkipConnections, StackGroups, claims as skip_claims
from experiments.symmetry.stacks import Stack
from experiments.symmetry.zoo import FAMILIES, count_resnet
from mconn import experiment, symmetry
from mconn.errors import ConfigError
from mconn.models import GPT2, BasicBlock, Bottleneck, Llama, ResNet

SIZES = {"GPT-2": (2, 128), "Llama": (2, 256)}


@pytest.mark.parametrize("name", FAMILIES)
def test_the_discovered_group_is_that_of_the_closed_form(name):
    family = FAMILIES[name]
    depth, width = SIZES.get(name, (2, 8))
    found = discover_model(family.build(depth, width), family.inputs)
    assert found.count == family.count(depth, width)


@pytest.mark.parametrize(
    ("model", "inputs"),
    [
        (GPT2(1, 8, 2, 11, 6), np.arange(12).reshape(2, 6) % 11),
        (Llama(1, 16, 4, 2, 12, 11), np.arange(12).reshape(2, 6) % 11),
        (ResNet((1, 1), 2, BasicBlock), np.linspace(-1, 1, 2 * 8 * 8 * 3).reshape(2, 8, 8, 3)),
    ],
    ids=["GPT-2", "Llama", "ResNet"],
)
def test_what_is_counted_leaves_the_function_unchanged(model, inputs):
    params = model.init(jax.random.key(0), inputs)
    group = symmetry.discover(model.apply, params, inputs)
    symmetry.certify(group, model.apply, params, inputs, key=jax.random.key(1)).check()


def test_well_known_sizes():
    gpt2, llama = FAMILIES["GPT-2"].count(12, 768), FAMILIES["Llama"].count(32, 4096)
    assert gpt2.dimension == 12 * (12 * 2 * 64**2 + 2 * 768)
    assert llama.matrices == 32 * 32
    assert len(count_resnet((3, 3, 3), 16).permuted) == 12
    assert len(count_resnet((3, 3, 3), 16, skip=False).permuted) == 19
    assert len(count_resnet((3, 4, 6, 3), 64, bottleneck=True).permuted) == 37


@pytest.mark.parametrize("bottleneck", [False, True])
@pytest.mark.parametrize("skip", [False, True])
def test_residual_networks_of_uneven_stages(bottleneck, skip):
    block = Bottleneck if bottleneck else BasicBlock
    model = ResNet((2, 1), 4, block, shortcut="projection" if skip else "none")
    found = discover_model(model, FAMILIES["ResNet-20"].inputs)
    assert found.count == count_resnet((2, 1), 4, bottleneck, skip)


def test_a_skip_ties_the_stream():
    vectors = jax.ShapeDtypeStruct((2, 5), jnp.float32)
    plain, skip = (
        discover_model(Stack(3, 4, skip=skip, linear=True), vectors).count for skip in (False, True)
    )
    assert (plain.matrices, skip.matrices) == (7, 4)
    assert (plain.dimension, skip.dimension) == (7 * 16, 4 * 16)


def test_orders_are_factorials_and_powers_of_two():
    count = GroupCount(permutations_of((4, 2), (3, 1)), signs=5, matrices=2)
    assert count.permuted == (3, 4, 4)
    order = 24 * 24 * 6 * 2**5
    assert count.log10_order == pytest.approx(math.log10(order))
    assert count.log2_components == pytest.approx(math.log2(order) + 2)


def test_counts_agree_with_the_groups_own():
    family = FAMILIES["Llama"]
    model = family.build(1, 256)
    shapes = jax.eval_shape(model.init, jax.random.key(0), family.inputs)
    group = symmetry.discover(model.apply, shapes, family.inputs)
    count = count_group(group)
    assert count.dimension == group.dimension
    assert count.log10_order == pytest.approx(group.log_order / math.log(10))
    assert count.log2_components == pytest.approx(group.log_components / math.log(2))


def test_misfit_is_zero_for_what_fits_and_only_then():
    depths = [1, 2, 3, 5]
    assert misfit([3.0 * depth + 2 for depth in depths], depths) < 1e-12
    assert misfit([float(depth**2) for depth in depths], depths) > 0.1


def test_an_unknown_architecture_is_refused():
    with pytest.raises(ConfigError, match="family 'GPT-3' is unknown"):
        FamilyGroups("GPT-3", 1, 64, (), ())


@pytest.mark.slow
def test_all_sizes_of_an_atlas_are_as_expected(tmp_path):
    atlas = SymmetryAtlas(
        (
            FamilyGroups("MLP, ReLU", 2, 8, (1, 2, 4), (32, 64, 128)),
            FamilyGroups("VGG16", 1, 2, (), (2,)),
        )
    )
    folder = experiment.run(atlas, tmp_path)
    assert [claim["holds"] for claim in folder.record["claims"]] == [True] * 4
    assert len(folder.table("groups")) == 7 + 2
    assert [row["network"] for row in folder.table("headline").to_pylist()] == [
        "MLP, ReLU",
        "VGG16",
    ]
    assert (folder.path / "figures" / "atlas.png").is_file()


def test_skips_leave_fewer_generators(tmp_path):
    study = SkipConnections(StackGroups(("linear", "ReLU MLP"), (1, 2), 3))
    folder = experiment.run(study, tmp_path)
    assert [claim["holds"] for claim in folder.record["claims"]] == [True] * 4
    rows = {(r["network"], r["skip"], r["blocks"]): r for r in folder.table("groups").to_pylist()}
    assert len(rows) == 2 * 2 * 2
    assert rows["linear", False, 2]["generators"] == 5
    assert rows["linear", True, 2]["generators"] == 3


def test_a_group_of_another_size_is_shown_as_failing():
    size = {"generators": 3, "log2_components": 3.0, "dimension": 9, "as_expected": False}
    verdicts = [claim.holds for claim in skip_claims("linear", [(size, size)])]
    assert verdicts == [False, False]


def test_the_configs_can_be_built():
    assert len(symmetry_atlas().families) == len(FAMILIES)
    assert set(skip_connections(depth=3).groups.depths) == {1, 3}
