import math

import jax
import jax.numpy as jnp
import pandas as pd
import pytest

from configs.skip_connections import skip_connections
from configs.symmetry_atlas import symmetry_atlas
from experiments._shared.fits import misfit
from experiments.symmetry.group_count import (
    GroupCount,
    count_group,
    discover_model,
    permutations_of,
)
from experiments.symmetry.skips import judge as skip_claims
from experiments.symmetry.stacks import Stack
from experiments.symmetry.zoo import FAMILIES, count_resnet
from mconn import symmetry
from mconn.models import BasicBlock, Bottleneck, ResNet

SIZES = {"GPT-2": (1, 128), "Llama": (1, 256)}


# The bottlenecks of ResNet-50 are in the uneven stages below.
@pytest.mark.parametrize("name", [name for name in FAMILIES if name != "ResNet-50"])
def test_the_discovered_group_is_that_of_the_closed_form(name):
    family = FAMILIES[name]
    depth, width = SIZES.get(name, (1, 8))
    found = discover_model(family.build(depth, width), family.inputs)
    assert found.count == family.count(depth, width)


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


def test_a_group_of_another_size_is_shown_as_failing():
    row = {"generators": 3, "log2_components": 3.0, "dimension": 9, "as_expected": False}
    rows = [{"blocks": 1, "skip": skip, **row} for skip in (False, True)]
    wide = pd.DataFrame(rows).pivot(index="blocks", columns="skip")
    assert [claim.holds for claim in skip_claims("linear", wide)] == [False, False]


def test_the_configs_can_be_built():
    assert len(symmetry_atlas().families) == len(FAMILIES)
    assert set(skip_connections(depth=3).groups.depths) == {1, 3}
