"""Reads the generators off what the labels and weights say about the parameters."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from mconn.symmetry.analysis import Analysis, Spot, group_by
from mconn.symmetry.group import Fibre, Generator, Group, Kind, Site
from mconn.symmetry.solutions import (
    ANGLES,
    BINARY,
    RATIONAL,
    Arithmetic,
    Form,
    Span,
    components,
    equations_of,
    null_space,
)
from mconn.symmetry.weights import ONE


@dataclass(frozen=True)
class _Draft:
    """A generator before it has a name.

    The fibres are index sets, outermost first; ``leaf`` is the one to name it after.
    """

    kind: Kind
    label: int
    powers: Mapping[Spot, int]
    fibres: tuple[int, ...]
    leaf: str = ""
    exact: bool = True


def read_group(analysis: Analysis, ignore_epsilon: bool = False) -> Group:
    """The generators in the order in which their units appear in the network, and the pins."""
    base = [_base_draft(analysis, label) for label in analysis.free]
    base += _multipliers(analysis, ANGLES, exact=True)
    drafts = [*base]
    for arithmetic in (RATIONAL, BINARY):
        found = _multipliers(analysis, arithmetic, exact=True)
        if ignore_epsilon:
            found += _multipliers(analysis, arithmetic, exact=False)
        drafts += _without_induced(analysis, arithmetic, base, found)
    births = analysis.flow.births()
    # Labels that no input meets, in a product of two weights for one, come late; pinned ones last.
    rank = {label: i for i, label in enumerate(dict.fromkeys([*births, *analysis.free]))}
    drafts.sort(key=lambda draft: rank.get(draft.label, len(rank)))
    names = _unique(_name_of(draft, births.get(draft.label, ())) for draft in drafts)
    movers = {
        draft.label: name
        for draft, name in zip(drafts, names, strict=True)
        if draft.kind == "permutation"
    }
    generators = tuple(
        _finished(analysis, draft, name, movers) for draft, name in zip(drafts, names, strict=True)
    )
    return Group(generators, analysis.pins, tuple(analysis.leaves.items()))


def _base_draft(analysis: Analysis, label: int) -> _Draft:
    kind, spots = analysis.kind_of(label), analysis.free[label]
    powers = dict.fromkeys(spots, 1)
    if kind == "general linear":
        first = analysis.matrices.variance(spots[0].weight)
        powers = {spot: first * analysis.matrices.variance(spot.weight) for spot in spots}
    return _Draft(kind, label, powers, analysis.outside_first(spots[0], analysis.fibres[label]))


def _multipliers(analysis: Analysis, arithmetic: Arithmetic, exact: bool) -> list[_Draft]:
    weights, labels = analysis.labels.weights, analysis.labels
    forms, vanishing = equations_of(weights, arithmetic, exact)
    unknowns = [unknown for unknown in range(len(weights.labels)) if unknown not in forms]
    owner = components(forms, vanishing, unknowns)
    spots = {spot.weight: spot for spot in analysis.spots}
    equations = group_by(vanishing, lambda form: owner[next(iter(form))])
    places = group_by(
        [o for o in weights.occurrences if o.weight is not None],
        lambda o: next((owner[u] for u in _form_of(forms, o.weight)), -1),
    )
    order = analysis.flow.meetings()
    drafts = []
    for component, members in group_by(unknowns, lambda unknown: owner[unknown]).items():
        own = [spots[unknown] for unknown in members if unknown in spots]
        if not own or _is_moved_otherwise(analysis, own[0].label):
            continue
        if arithmetic.kind == "rotation" and (own[0].size != 2 or own[0].label in analysis.free):
            continue
        for solution in null_space(equations.get(component, []), members, arithmetic):
            powers = {spots[u]: power for u, power in solution.items() if u in spots}
            if powers:
                first = min(powers, key=lambda spot: order.get(spot.leaf, len(order)))
                # The units are multiplied by the element itself where they come into the network.
                powers = {spot: power * _sign(powers[first]) for spot, power in powers.items()}
                label = labels.find(first.label)
                fibres = (
                    analysis.fibres[label]
                    if label in analysis.free
                    else analysis.fibres_where(label, places.get(component, []))
                )
                ordered = analysis.outside_first(first, fibres)
                drafts.append(_Draft(arithmetic.kind, label, powers, ordered, first.leaf, exact))
    return drafts


def _form_of(forms: Mapping[int, Form], unknown: int | None) -> Form:
    return {} if unknown is None else forms.get(unknown, {unknown: ONE})


def _sign(number: int) -> int:
    return 1 if number > 0 else -1


def _is_moved_otherwise(analysis: Analysis, label: int) -> bool:
    if label in analysis.free:
        return analysis.kind_of(label) != "permutation"
    return label not in analysis.labels.pins


def _without_induced(
    analysis: Analysis, arithmetic: Arithmetic, base: Sequence[_Draft], found: Sequence[_Draft]
) -> list[_Draft]:
    """Leave out what others do already.

    Generators inside the copies may do the same in every copy: to multiply a whole head is to
    multiply all of its entries. And what is exact is also found where epsilon counts as zero.
    """
    span, kept = Span(arithmetic), []

    def induce(draft: _Draft) -> None:
        for index in draft.fibres:
            span.add(
                arithmetic.combine(
                    [
                        ({analysis.companion(spot, index).weight: ONE}, Fraction(power))
                        for spot, power in draft.powers.items()
                    ]
                )
            )

    for draft in base:
        # Half a turn of a plane, and an orthogonal matrix, can change the sign of all units.
        has_signs = draft.kind in ("orthogonal", "rotation") and arithmetic.kind == "sign"
        if draft.kind == "general linear" or has_signs:
            induce(draft)
    for draft in sorted(found, key=lambda draft: (not draft.exact, -len(draft.fibres))):
        form = {spot.weight: Fraction(power) for spot, power in draft.powers.items()}
        if span.add(arithmetic.combine([(form, ONE)])):
            kept.append(draft)
            induce(draft)
    return [draft for draft in found if draft in kept]


def _finished(analysis: Analysis, draft: _Draft, name: str, movers: Mapping[int, str]) -> Generator:
    spots = list(draft.powers)
    is_base = draft.kind not in ("scaling", "sign", "rotation")
    roles = analysis.roles
    return Generator(
        name=name,
        size=spots[0].size,
        kind=draft.kind,
        sites=tuple(
            Site(
                spot.leaf,
                **vars(spot.place),
                power=power,
                fibres=tuple(analysis.companion(spot, index).place for index in draft.fibres),
                makes=spot.weight in roles.makes or spot.weight not in roles.reads,
                reads=spot.weight in roles.reads,
            )
            for spot, power in draft.powers.items()
        ),
        values=analysis.flow.values(draft.label) if is_base else (),
        fibres=tuple(
            _fibre_of(movers, index, analysis.companion(spots[0], index)) for index in draft.fibres
        ),
        moved_by=None if is_base else movers.get(draft.label),
        exact=draft.exact,
    )


def _fibre_of(movers: Mapping[int, str], index: int, spot: Spot) -> Fibre:
    if index in movers:
        return Fibre(movers[index], spot.size)
    return Fibre(f"{spot.leaf} axis {spot.place.axis}", spot.size, moves=False)


def _name_of(draft: _Draft, behind: Sequence[str]) -> str:
    """The module of the leaf that brings the units into the network, and what is done to them.

    Flax's own levels are left out: Linen's collection, and NNX's ``value`` at the end. A scaling
    or a sign is named after the first leaf on the way through the network that it multiplies.
    """
    if draft.leaf:
        suffix = "" if draft.exact else " but for epsilon"
        return f"{_module_of(draft.leaf)} {draft.kind}{suffix}"
    leaves = [spot.leaf for spot in draft.powers]
    return _module_of(next((leaf for leaf in behind if leaf in leaves), leaves[0]))


def _module_of(leaf: str) -> str:
    leaf_of_flax = leaf.removeprefix("params/").removeprefix("batch_stats/")
    module = leaf_of_flax.removesuffix("/value").rpartition("/")[0]
    return module or leaf


def _unique(names: Iterable[str]) -> list[str]:
    counts: Counter[str] = Counter()
    result = []
    for name in names:
        counts[name] += 1
        result.append(name if counts[name] == 1 else f"{name}#{counts[name]}")
    return result
