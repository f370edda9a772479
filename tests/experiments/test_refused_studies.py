"""Sizes that have no answer end in one sentence; published numbers belong to published sizes."""

from dataclasses import replace

import pytest

from configs import (
    barrier_kinds,
    barrier_vs_depth,
    barrier_vs_epochs,
    barrier_vs_width,
    bezier_surface,
    cnn_curves,
    counterexample,
    digits_curves,
    digits_mlp,
    elastic_band,
    feature_drift,
    fmnist_curves,
    many_models,
    mechanisms,
    normaliser_repair,
    optimiser_dependence,
    path_curvature,
    published_curves,
    simplex_volume,
    tangent_drift,
    variance_collapse,
    wasserstein,
    word_dimension,
    word_ladder,
)
from experiments.collapse.sweep import RepairedSweep
from experiments.curvature.network import draw
from experiments.features.coupling_stages import CoupledPaths
from experiments.features.drift_stages import FeatureDrift, OutputsAlong
from experiments.features.permuted_copies import PermutedCopies
from experiments.many.aligned import AlignMany
from experiments.symmetry.atlas import FamilyGroups
from experiments.tangent.width import Spread
from experiments.words.dimension_stages import ExactAccuracy
from experiments.words.geometry import Distances
from experiments.words.ladder_stages import WordTraining
from experiments.words.texts_stages import TextSource, TextVectors
from mconn import words
from mconn.errors import ConfigError
from mconn.experiment.stages import Align, Connect, Train

ATTRIBUTES = words.AttributeModel((0.3, 0.4, 0.5))


def train(seeds=(0, 1)):
    return Train(replace(feature_drift.smoke().train, seeds=seeds))


def cue(**changes):
    return replace(mechanisms.smoke().stages()["clean 0.1"], **changes)


REFUSED = {
    "barrier kinds, seeds": (
        lambda: replace(
            barrier_kinds.smoke(), early=replace(barrier_kinds.smoke().early, seeds=(4, 5))
        ),
        "train the same ones three times, at least two",
    ),
    "barrier kinds, one seed": (lambda: barrier_kinds.barrier_kinds(seeds=1), "at least two"),
    "widths, one": (lambda: barrier_vs_width.barrier_vs_width(widths=(16,)), "in ascending order"),
    "widths, order": (
        lambda: barrier_vs_width.barrier_vs_width(widths=(16, 8)),
        "in ascending order",
    ),
    "widths, twice": (
        lambda: barrier_vs_width.barrier_vs_width(widths=(8, 8)),
        "in ascending order",
    ),
    "widths, one seed": (
        lambda: barrier_vs_width.barrier_vs_width(seeds=1),
        "a line needs two networks",
    ),
    "digits, one seed": (lambda: digits_mlp.digits_mlp(seeds=1), "a line needs two networks"),
    "digits, method": (
        lambda: replace(digits_mlp.smoke(), methods=("naive", "weight")),
        "method 'weight' is unknown",
    ),
    "surface, degree": (
        lambda: bezier_surface.bezier_surface(degree=1).stages(),
        "degree is 1",
    ),
    "surface, seeds": (
        lambda: replace(
            bezier_surface.smoke().stages()["square"],
            train=Train(simplex_volume.simplex_volume(seeds=6).train),
        ),
        "there are 6 seeds",
    ),
    "volume, seeds": (
        lambda: simplex_volume.simplex_volume(seeds=5).stages(),
        "there are 5 seeds",
    ),
    "volume, control": (
        lambda: simplex_volume.simplex_volume(seeds=4).stages(),
        "there are 4 seeds: the control of 6 vertices",
    ),
    "volume, connectors": (
        lambda: replace(simplex_volume.smoke(), connectors=0).stages(),
        "connectors is 0",
    ),
    "band, seeds": (
        lambda: elastic_band.elastic_band(seeds=2),
        "a spanning tree says something of three minima",
    ),
    "band, bends": (lambda: replace(elastic_band.smoke(), bends=0).stages(), "bends is 0"),
    "curves, seeds": (lambda: fmnist_curves.fmnist_curves(seeds=1), "a curve joins two networks"),
    "curves, points": (lambda: digits_curves.digits_curves(points=4), "an odd number"),
    "curves, families": (
        lambda: replace(digits_curves.smoke(), families=()),
        "no family of curves",
    ),
    "published, name": (
        lambda: replace(published_curves.smoke(), best="spiral"),
        "there is no curve 'spiral'",
    ),
    "counterexample, cells": (lambda: counterexample.counterexample(cells=10), "a multiple of 4"),
    "counterexample, few": (lambda: counterexample.counterexample(cells=4), "at least 8"),
    "counterexample, points": (
        lambda: counterexample.counterexample(points=20),
        "an odd number",
    ),
    "drift, one seed": (
        lambda: feature_drift.feature_drift(seeds=1),
        "a line needs two networks",
    ),
    "drift, points": (lambda: FeatureDrift(train(), points=4), "an odd number"),
    "drift, both": (
        lambda: OutputsAlong(
            train(), Align(train(), "activations"), Connect(train(), feature_drift.smoke().fit)
        ),
        "its own alignment",
    ),
    "copies": (lambda: PermutedCopies(train(), directions=0), "at least one"),
    "coupling, one seed": (
        lambda: CoupledPaths(train((0,)), Align(train((0,)), "activations")),
        "a pair needs two networks",
    ),
    "many, sources": (
        lambda: many_models.many_models(sources=2),
        "a triangle needs three networks",
    ),
    "many, others": (
        lambda: replace(many_models.many_models(), others=(4, 5)),
        "networks that it has not seen",
    ),
    "many, steps": (
        lambda: many_models.many_models(steps=8).stages(),
        "steps is 8: it must be a multiple of 6",
    ),
    "many, method": (
        lambda: AlignMany(Train(many_models.many_models().train), "random"),
        "aligned all at once by weights or by activations",
    ),
    "mechanisms, one seed": (
        lambda: replace(mechanisms.smoke(), cued=replace(mechanisms.smoke().cued, seeds=(0,))),
        "a line between networks of one mechanism needs two",
    ),
    "mechanisms, batch": (
        lambda: cue(clean=10, batch_size=20),
        "a batch needs as many images",
    ),
    "mechanisms, method": (lambda: cue(method="barier"), "did you mean 'barrier'"),
    "optimisers, claim": (
        lambda: replace(
            optimiser_dependence.optimiser_dependence(),
            claims_about=(("somebody", "SGD", "Adam, rate 1e-2"),),
        ),
        "a claim is about 'SGD', which is no optimiser of",
    ),
    "optimisers, names": (
        lambda: replace(
            optimiser_dependence.optimiser_dependence(),
            optimisers=optimiser_dependence.optimiser_dependence().optimisers[:1] * 2,
        ),
        "give at least two, each one name",
    ),
    "optimisers, one seed": (
        lambda: optimiser_dependence.optimiser_dependence(seeds=1),
        "a line needs two networks",
    ),
    "curvature, widths": (
        lambda: replace(path_curvature.smoke(), widths=(64,)),
        "two widths and two seeds",
    ),
    "curvature, eigenvalues": (
        lambda: replace(path_curvature.smoke(), eigenvalue_points=8),
        "whose points are among the others",
    ),
    "curvature, points": (
        lambda: replace(path_curvature.smoke(), points=3, eigenvalue_points=3).stages(),
        "an odd number, five or more",
    ),
    "curvature, parametrisation": (lambda: draw("mean feild", 4, 4, 2, 0), "mean feild"),
    "tangent, widths": (
        lambda: replace(tangent_drift.smoke(), widths=(64,)),
        "needs two widths and two seeds",
    ),
    "tangent, points": (lambda: replace(tangent_drift.smoke(), points=4), "an odd number"),
    "tangent, epochs": (
        lambda: replace(tangent_drift.smoke(), at=(0, 3)).stages(),
        "end with the last",
    ),
    "tangent, seeds": (lambda: Spread(tangent_drift.smoke().digits, (8,), (1,), 2), "four or more"),
    "variance, one seed": (
        lambda: variance_collapse.variance_collapse(seeds=1),
        "a line needs two networks",
    ),
    "normalisers, one seed": (
        lambda: normaliser_repair.normaliser_repair(seeds=1),
        "a line needs two networks",
    ),
    "repair, two points": (lambda: RepairedSweep(train(), points=2), "an odd number"),
    "repair, four points": (lambda: RepairedSweep(train(), points=4), "an odd number"),
    "wasserstein, seeds": (lambda: wasserstein.wasserstein(seeds=1), "two networks"),
    "wasserstein, repeats": (lambda: wasserstein.wasserstein(repeats=1), "slope"),
    "atlas": (
        lambda: FamilyGroups("GPT-3", 1, 64, (), ()),  # pyright: ignore
        "family 'GPT-3' is unknown",
    ),
    "words, dimensions": (
        lambda: ExactAccuracy(words.AttributeModel((0.3, 0.5)), (2, 5)),
        "between 1 and the 4 words",
    ),
    "words, spreads": (lambda: Distances((0.3, 0.5), (), 2), "name one or more of both"),
    "words, no seeds": (lambda: Distances((0.3, 0.5), (0.0,), 0), "with 0 seeds"),
    "ladder, one": (
        lambda: WordTraining(ATTRIBUTES, 5, 10, 1),
        "a line needs two embeddings",
    ),
    "ladder, dimension": (
        lambda: WordTraining(ATTRIBUTES, 4, 10, 2),
        "a dimension to spare",
    ),
    "texts, one seed": (
        lambda: TextVectors(TextSource(("tinyshakespeare",)), words.SampledConfig(), seeds=1),
        "lines are between two of them",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_makes_no_study_is_refused(name):
    build, message = REFUSED[name]
    with pytest.raises(ConfigError, match=message):
        build()


def test_published_numbers_belong_to_the_published_size_only():
    counts = {
        4 * 3: barrier_vs_width.barrier_vs_width(),
        3 * 3: barrier_vs_depth.barrier_vs_depth(),
        6 * 3: barrier_vs_epochs.barrier_vs_epochs(),
        2: cnn_curves.preresnet(),
        14: feature_drift.feature_drift(),
        4: normaliser_repair.gpu(16),
    }
    assert {count: len(study.expected) for count, study in counts.items()} == {
        count: count for count in counts
    }
    for other in (
        barrier_vs_width.barrier_vs_width(depth=3),
        cnn_curves.vgg16(width=32),
        cnn_curves.preresnet(blocks=3),
        fmnist_curves.smoke(),
        feature_drift.smoke(),
        variance_collapse.variance_collapse(),
        normaliser_repair.normaliser_repair(),
        word_dimension.word_dimension(attributes=5),
        word_ladder.smoke(),
    ):
        assert not other.expected
    high = {name: high for name, high, _ in cnn_curves.vgg16().expected}
    assert high == {"bezier": 7.75, "chain": 8.08}
    assert dict(variance_collapse.gpu(512).expected)["activations", "REPAIR"] == 73.5
    assert word_dimension.word_dimension().expected
    assert word_ladder.word_ladder().expected
    assert len(path_curvature.path_curvature().published) == 5
    assert not path_curvature.smoke().published
    assert not path_curvature.gpu().published
    assert mechanisms.mechanisms().published
    assert not mechanisms.smoke().published
    assert not mechanisms.gpu().published


def test_sizes_for_accelerators_are_studies_too():
    assert barrier_vs_width.gpu().places == (32, 128, 512, 2048, 4096)
    assert barrier_vs_epochs.gpu().places == (1, 3, 10, 30, 100)
    assert len(bezier_surface.gpu().stages()) == 3
    assert len(simplex_volume.gpu().stages()) == 2
    for study in (many_models.many_models(), many_models.decayed(), many_models.gpu()):
        assert {"star", "control", "mixtures naive"} <= set(study.stages())
    assert many_models.decayed().train.optimiser.weight_decay == 2


def test_every_optimiser_trains_the_same_network():
    study = optimiser_dependence.optimiser_dependence()
    trained = {name: study.stages()[f"{name}: train"] for name, _ in study.optimisers}
    assert len({stage.key for stage in trained.values()}) == len(study.optimisers)
    assert {stage.config.model for stage in trained.values()} == {study.train.model}
