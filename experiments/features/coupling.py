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
import pyarrow as pa

from experiments.features.coupling_figures import attribute_figure, path_figure
from experiments.features.coupling_stages import (
    ALIGNED,
    COPY,
    NAIVE,
    RESCALED,
    UNREAD,
    CoupledPaths,
)
from mconn.experiment import Claim, Experiment, Report, Result, Section, Stage, numbers, where
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
        along, ends = (results["paths"].tables[name] for name in ("paths", "ends"))
        facts = {row["path"]: row for row in ends.to_pylist()}
        residual = {name: at_end(along, name, "rotation_residual") for name in facts}
        model, name = self.train.model, self.train.data.name
        return Report(
            title=f"Loss and rotated features: counterexamples, MLP {model.depth} x {model.width} "
            f"on {name}",
            question="Does a low loss along a path mean that the features at its ends are "
            "rotations of each other, or the other way round?",
            summary=f"neither: the loss is constant while features leave {residual[RESCALED]:.2f} "
            "of themselves unexplained by any rotation, and rises by "
            f"{facts[COPY]['barrier']:.2f} nats on the line to a rotation of the same features",
            headline=pa.Table.from_pylist(
                [
                    {
                        "path": path,
                        "barrier": round(row["barrier"], 4),
                        "rotation residual, t = 1": round(residual[path], 4),
                        "drift, t = 1": round(at_end(along, path, "drift"), 3),
                        "CKA": round(row["cka"], 4),
                        "attribute turned": f"{at_end(along, path, 'attribute_angle'):.1f}°",
                    }
                    for path, row in facts.items()
                ]
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
                    figures={"attribute": attribute_figure(along, facts[UNREAD]["ratio"])},
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
                *attribute_claims(along, facts[UNREAD]),
            ],
        )


def at_end(along: pa.Table, path: str, measure: str) -> float:
    """A measure at the last point of a path."""
    return float(numbers(where(along, path=path), measure)[-1])


def constant_loss_claims(
    facts: Mapping[str, Mapping[str, float]], residual: Mapping[str, float]
) -> list[Claim]:
    """(i) and (ii): the function is kept, the features are not rotations of each other."""
    return [
        Claim(
            "(i) a unit that nothing reads changes the features by no rotation, and no output",
            f"closed form; {AGAINST}",
            "relative change of outputs at most 1e-6, rotation residual at least 0.1",
            f"{facts[UNREAD]['change']:.1e}, residual {residual[UNREAD]:.3f}",
            facts[UNREAD]["change"] <= 1e-6 and residual[UNREAD] >= 0.1,
            id="unread-unit",
        ),
        Claim(
            "(ii) rescaling the units of a network of rectifiers changes the features by no "
            "rotation, and no output",
            f"closed form; {AGAINST}",
            "relative change of outputs at most 1e-5, rotation residual at least 0.1",
            f"{facts[RESCALED]['change']:.1e}, residual {residual[RESCALED]:.3f}",
            facts[RESCALED]["change"] <= 1e-5 and residual[RESCALED] >= 0.1,
            id="rescaled-units",
        ),
    ]


def same_residual_claims(
    facts: Mapping[str, Mapping[str, float]], residual: Mapping[str, float]
) -> list[Claim]:
    """(iii) and (iv): the features are related by rotations, and the loss rises."""
    difference = abs(residual[ALIGNED] - residual[NAIVE])
    barriers = [facts[name]["barrier"] for name in (ALIGNED, NAIVE)]
    copy = facts[COPY]
    return [
        Claim(
            "(iii) the ends of a low line and of a high one are related by a rotation equally "
            "well, to rounding",
            f"{PILOTS}: .03 at .066 and at 1.12 nats; {AGAINST}",
            "residuals within 1e-5, barriers four times apart",
            f"residuals {residual[ALIGNED]:.4f} and {residual[NAIVE]:.4f}, barriers "
            f"{barriers[0]:.3f} and {barriers[1]:.3f} nats",
            difference <= 1e-5 and barriers[1] >= 4 * barriers[0],
            id="rotation-either-way",
        ),
        Claim(
            "(iv) a permuted copy has features that are a rotation of the network's own, at CKA "
            "1 and an angle of nothing in sample space, and a barrier on the line to it",
            f"{PILOTS}: .39 to .90 nats; {AGAINST}",
            "residual at most 1e-5, CKA 1, angle 0, barrier at least 0.2 nats",
            f"residual {residual[COPY]:.1e}, CKA {copy['cka']:.6f}, angle "
            f"{copy['sample_space_angle']:.3f}°, barrier {copy['barrier']:.2f} nats",
            residual[COPY] <= 1e-5
            and copy["cka"] >= 1 - 1e-5
            and copy["sample_space_angle"] <= 0.05
            and copy["barrier"] >= 0.2,
            id="permuted-copy",
        ),
    ]


def attribute_claims(along: pa.Table, fact: Mapping[str, float]) -> list[Claim]:
    """A barrier of nothing bounds no angle of an attribute's direction."""
    rows = where(along, path=UNREAD)
    angles, ts = numbers(rows, "attribute_angle"), numbers(rows, "t")
    closed = np.degrees(np.arctan(fact["ratio"] * ts))
    return [
        Claim(
            "the direction of an attribute turns by any angle below 90 degrees at a barrier of "
            "nothing",
            f"closed form; {AGAINST}",
            "a barrier of at most 1e-7 nats, rounding, and a turn of at least 60 degrees",
            f"{fact['barrier']:.1e} nats, {angles[-1]:.1f} degrees",
            bool(fact["barrier"] <= 1e-7 and angles[-1] >= 60),
            id="attribute-turns",
        ),
        Claim(
            "the angle is that of the closed form, arctan of the unit's share of the attribute",
            "control",
            "within 0.01 degrees at every point",
            f"{abs(angles - closed).max():.1e} degrees",
            bool(abs(angles - closed).max() <= 0.01),
            id="angle-closed-form",
        ),
    ]
