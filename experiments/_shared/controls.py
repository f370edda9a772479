"""Claims that must hold if the machinery is right, whatever the networks are."""

from collections.abc import Sequence

from mconn.experiment import Claim, Result


def alignment_claims(aligned: Sequence[Result]) -> list[Claim]:
    """The group leaves the function as it is, and every method puts a permuted copy back.

    Args:
        aligned: results of `mconn.experiment.stages.Align`.
    """
    claims = certificate_claims(aligned)
    planted = [result.facts["planted"] for result in aligned if "planted" in result.facts]
    if planted:
        claims.append(
            Claim(
                "a randomly permuted copy of a network is put back: the network half way to it "
                "computes the same, for every method",
                "control",
                "relative change at most 1e-4, in float32",
                f"{max(planted):.1e}",
                max(planted) <= 1e-4,
                id="planted-copy",
            )
        )
    return claims


def certificate_claims(aligned: Sequence[Result]) -> list[Claim]:
    """The group leaves the function as it is."""
    changes = [change for result in aligned for change in result.facts["certificate"].values()]
    if not changes:
        return []
    return [
        Claim(
            "the discovered symmetry leaves the outputs unchanged, in float64",
            "control",
            "relative change at most 1e-10",
            f"{max(changes):.1e}",
            max(changes) <= 1e-10,
            id="certificate",
        )
    ]


def random_claim(naive: float, random: float) -> Claim:
    """A random element of the group does not lower the train barrier."""
    return Claim(
        "a random permutation does not help",
        "control",
        f"train barrier at least 60 % of the naive {naive:.3g}",
        f"{random:.3g}",
        random >= 0.6 * naive,
        id="random-does-not-help",
    )
