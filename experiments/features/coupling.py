"""Is a low loss along a path the same as features that are rotations of each other?

One would like to read one from the other: that the loss stays low along a path if and only if the
features at its ends are related by an orthogonal map. Four constructions refute it, in both
directions. (i) A unit that nothing reads can compute anything. (ii) Units of rectifiers can be
rescaled, by factors that are no rotation. Both keep the outputs, and change the features. (iii) The
ends of a low line and those of a high one can be related by rotations equally well. (iv) A permuted
copy computes the same, its features are a rotation of the network's own, and the line to it has a
barrier. By the first construction the direction of an attribute can turn by any angle along a path
of constant loss: a barrier of epsilon bounds no angle.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from experiments._shared.together import least, most, together
from experiments.features.coupling_figures import attribute_figure, path_figure
from experiments.features.coupling_stages import (
    ALIGNED,
    COPY,
    NAIVE,
    RESCALED,
    UNREAD,
    CoupledPaths,
)
from mconn.experiment import Claim, Experiment, Frame, Report, Result, Section, Stage, claims
from mconn.experiment.stages import Align, Train
from mconn.training import TrainConfig

AGAINST = "against the design notes of this project"
PILOTS = "pilots of this project"


@dataclass(frozen=True)
class Counterexamples(Experiment):
    """Four pairs of networks between which loss and features do not go together.

    Attributes:
        train: the networks; the first two seeds are used.
        points: equispaced points on each path.
    """

    train: TrainConfig
    points: int = 21

    def stages(self) -> dict[str, Stage]:
        """Training, matching, and the paths."""
        train = Train(self.train)
        align = Align(train, "activations")
        return {"train": train, "align": align, "paths": CoupledPaths(train, align, self.points)}

    def report(self, results: Mapping[str, Result]) -> Report:
        """The paths, and what each refutes."""
        along, ends = (results["paths"].frame(name) for name in ("paths", "ends"))
        facts = ends.set_index("path")
        last = along[along.t == 1].set_index("path")
        residual = last.rotation_residual
        model, name = self.train.model, self.train.data.name
        return Report(
            title=f"Loss and rotated features: counterexamples, MLP {model.depth} x {model.width} "
            f"on {name}",
            question="Does a low loss along a path mean that the features at its ends are "
            "rotations of each other, or the other way round?",
            summary="neither: the loss is constant while features leave "
            f"{residual[RESCALED]:.2f} of themselves unexplained by any rotation, and rises by "
            f"{facts.barrier[COPY]:.2f} nats on the line to a rotation of the same features",
            headline=pd.DataFrame(
                {
                    "path": facts.index,
                    "barrier": facts.barrier.round(4).to_numpy(),
                    "rotation residual, t = 1": residual.round(4).to_numpy(),
                    "drift, t = 1": last.drift.round(3).to_numpy(),
                    "CKA": facts.cka.round(4).to_numpy(),
                    "attribute turned": [f"{angle:.1f}°" for angle in last.attribute_angle],
                }
            ),
            note="Features of the last hidden layer on "
            f"{results['paths'].facts['examples']} training examples; shares of their sum of "
            "squares that the features at t = 0 do not explain, as they are (drift) or rotated. "
            "Chord barrier of the training loss in nats. The attribute is the difference of two "
            "classes' mean features.",
            sections=[
                Section(
                    "Along the paths",
                    figures={"paths": path_figure(along)},
                    tables={"along": along, "ends": ends},
                    captions={
                        "paths": "Above: training loss above its chord. Below: what the features "
                        "at t = 0 leave unexplained, as they are and rotated."
                    },
                ),
                Section(
                    "The direction of an attribute",
                    figures={
                        "attribute": attribute_figure(
                            along[along.path == UNREAD], facts.ratio[UNREAD]
                        )
                    },
                    captions={
                        "attribute": "The angle in neuron space between the difference of two "
                        "classes' mean features and the same at t = 0, while the unit that nothing "
                        "reads grows; the loss does not change. The line is the closed form "
                        "arctan(ratio t)."
                    },
                ),
            ],
            claims=[
                *constant_loss_claims(facts, residual),
                *same_residual_claims(facts, residual),
                *attribute_claims(along[along.path == UNREAD], facts.loc[UNREAD]),
            ],
        )


def constant_loss_claims(facts: Frame, residual: Frame) -> list[Claim]:
    """(i) and (ii): the function is kept, the features are not rotations of each other."""
    told = "{} changes the features by no rotation, and no output"
    return [
        together(
            id,
            told.format(what),
            most("relative change of outputs", facts.change[path], change),
            least("rotation residual", residual[path], 0.1),
            source=f"closed form; {AGAINST}",
        )
        for id, what, path, change in (
            ("unread-unit", "(i) a unit that nothing reads", UNREAD, 1e-6),
            (
                "rescaled-units",
                "(ii) rescaling the units of a network of rectifiers",
                RESCALED,
                1e-5,
            ),
        )
    ]


def same_residual_claims(facts: Frame, residual: Frame) -> list[Claim]:
    """(iii) and (iv): the features are related by rotations, and the loss rises."""
    copy, barrier = facts.loc[COPY], facts.barrier
    return [
        together(
            "rotation-either-way",
            "(iii) the ends of a low line and of a high one are related by a rotation equally "
            "well, to rounding",
            most("difference of residuals", abs(residual[ALIGNED] - residual[NAIVE]), 1e-5),
            least("high barrier", barrier[NAIVE], 4 * barrier[ALIGNED], "nats, four low ones"),
            source=f"{PILOTS}: .03 at .066 and at 1.12 nats; {AGAINST}",
        ),
        together(
            "permuted-copy",
            "(iv) a permuted copy has features that are a rotation of the network's own, at CKA "
            "1 and an angle of nothing in sample space, and a barrier on the line to it",
            most("residual", residual[COPY], 1e-5),
            least("CKA", copy.cka, 1 - 1e-5),
            most("angle", copy.sample_space_angle, 0.05, "degrees"),
            least("barrier", copy.barrier, 0.2, "nats"),
            source=f"{PILOTS}: .39 to .90 nats; {AGAINST}",
        ),
    ]


def attribute_claims(along: Frame, fact: Frame) -> list[Claim]:
    """A barrier of nothing bounds no angle of an attribute's direction."""
    closed = np.degrees(np.arctan(fact.ratio * along.t))
    return [
        together(
            "attribute-turns",
            "the direction of an attribute turns by any angle below 90 degrees at a barrier of "
            "nothing",
            most("barrier", fact.barrier, 1e-7, "nats, rounding"),
            least("turn", along.attribute_angle.iloc[-1], 60, "degrees"),
            source=f"closed form; {AGAINST}",
        ),
        claims.at_most(
            "angle-closed-form",
            "the angle is that of the closed form, arctan of the unit's share of the attribute",
            abs(along.attribute_angle - closed).max(),
            0.01,
            of="difference at every point",
            unit="degrees",
            source="control",
        ),
    ]
