"""On which copies of its units a generator may act in different ways.

If label B occurs nowhere without label A, in no value and no parameter, what moves B's units may
depend on the index along A: the entries of a head, the channels of a group, the hidden units of an
expert, of a layer under ``scan``. A is a *fibre* of B then. It is not if some equation sums over A
and keeps B, lets the entries along A meet each other, or does so along an axis that is aligned with
A; the rules note this as `Weights.parted` and `Weights.mixed`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from mconn.symmetry.labels import Labels
from mconn.symmetry.weights import Occurrence


class Copies:
    """Finds the fibres of labels from where they occur in the last run."""

    def __init__(self, labels: Labels) -> None:
        self.labels = labels
        self.mixed = {labels.index_of(label) for label in labels.weights.mixed}
        self.parted: dict[int, set[int]] = defaultdict(set)
        for label, companion in labels.weights.parted:
            self.parted[labels.index_of(label)].add(labels.index_of(companion))

    def cooccurring(self, label: int, occurrences: Iterable[Occurrence]) -> set[int]:
        """The index sets that come with every one of some occurrences of a label."""
        own = self.labels.index_of(label)
        common: set[int] | None = None
        for occurrence in occurrences:
            counts = Counter(map(self.labels.index_of, occurrence.companions))
            # An index set that a value has twice does not tell which of its entries is meant.
            here = {index for index, count in counts.items() if count == 1 and index != own}
            common = here if common is None else common & here
            if not common:
                return set()
        return (common or set()) - self.parted[own] - self.mixed


def fibres_of_labels(found: dict[int, set[int]], order: Mapping[int, int]) -> dict[int, set[int]]:
    """The fibres of all free labels, such that those of a fibre are fibres too.

    Args:
        found: what comes with every occurrence of every label.
        order: where each label first appears in the parameters; of two labels that always come
            together, the later one lies inside the earlier one.
    """
    fibres = {
        label: {
            other
            for other in companions
            if not (label in found.get(other, ()) and order[label] < order[other])
        }
        for label, companions in found.items()
    }
    while True:
        after = {label: closed(companions, fibres) for label, companions in fibres.items()}
        if after == fibres:
            return fibres
        fibres = after


def closed(companions: set[int], fibres: Mapping[int, set[int]]) -> set[int]:
    """The companions whose own fibres are all among them.

    What moves the copies may itself depend on copies, and these have to be copies here too.
    """
    return {other for other in companions if fibres.get(other, set()) <= companions}
