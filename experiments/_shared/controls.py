"""Claims that must hold if the machinery is right, whatever the networks are."""

from collections.abc import Mapping, Sequence

from mconn.experiment import Claim, Result, claims


def alignment_claims(aligned: Sequence[Result]) -> list[Claim]:
    """The group leaves the function as it is, and every method puts a permuted copy back.

    Args:
        aligned: results of `mconn.experiment.stages.Align`.
    """
    found = certificate_claims(aligned)
    planted = [result.facts["planted"] for result in aligned if "planted" in result.facts]
    if planted:
        told = "a randomly permuted copy of a network is put back: the network half way to it "
        told += "computes the same, for every method"
        of = "relative change, in float32,"
        found.append(claims.at_most("planted-copy", told, planted, 1e-4, of=of, source="control"))
    return found


def certificate_claims(aligned: Sequence[Result]) -> list[Claim]:
    """The group leaves the function as it is."""
    changes = [change for result in aligned for change in result.facts["certificate"].values()]
    told, of = "the discovered symmetry leaves the outputs unchanged, in float64", "relative change"
    judged = claims.at_most("certificate", told, changes, 1e-10, of=of, source="control")
    return [judged] if changes else []


def random_claim(naive: float, random: float) -> Claim:
    """A random element of the group does not lower the train barrier."""
    return claims.share_of(
        "random-does-not-help",
        "a random permutation does not help",
        random,
        naive,
        least=0.6,
        of=f"the naive train barrier {naive:.3g}",
        source="control",
    )


def random_claims(means: Mapping[str, float]) -> list[Claim]:
    """The same of mean barriers by method, where the control is among them."""
    if "naive" not in means or "random" not in means:
        return []
    return [random_claim(means["naive"], means["random"])]
