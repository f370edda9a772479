"""A symmetry as a text for people."""

import math

from mconn.symmetry.group import Generator, Group, Pin, Site

SHOWN_PINS = 3
"""How many of the axes that are pinned for one reason a description names."""


def describe(group: Group) -> str:
    """A text of one block per generator, then what is pinned, by reason."""
    order = f"discrete part of order 10^{group.log_order / math.log(10):.2f}"
    components = f"10^{group.log_components / math.log(10):.2f} connected components"
    lines = [
        f"{counted(len(group.generators), 'generator')}, {order}, "
        f"continuous part of dimension {group.dimension}, {components}"
    ]
    for generator in group.generators:
        lines.append(f"  {generator.name}: {describe_kind(generator)}")
        lines += [f"    {describe_site(site, generator)}" for site in generator.sites]
        lines += [
            f"    {value.moment} the nonlinearity: axis {value.axis} of a {value.primitive}"
            for value in generator.values
        ]
    lines += ["pinned"] if group.pinned else []
    by_reason: dict[str, list[Pin]] = {}
    for pin in group.pinned:
        by_reason.setdefault(pin.reason, []).append(pin)
    for reason, pins in by_reason.items():
        lines.append(f"  {reason}: {counted(len(pins), 'axis', 'axes')}")
        lines += [f"    {describe_pin(pin)}" for pin in pins[:SHOWN_PINS]]
        lines += [f"    and {len(pins) - SHOWN_PINS} more"] if len(pins) > SHOWN_PINS else []
    return "\n".join(lines)


def counted(number: int, one: str, many: str = "") -> str:
    """``1 generator``, ``2 generators``."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def describe_kind(generator: Generator) -> str:
    """``permutation of 4 inside each of 2 (query)``."""
    text = f"{generator.kind} of {generator.size}"
    if generator.fibres:
        copies = " x ".join(
            f"{fibre.size} ({fibre.name})" if fibre.moves else f"{fibre.size}"
            for fibre in generator.fibres
        )
        text += f" inside each of {copies}"
    return text if generator.exact else f"{text}, exact up to the epsilon of a normaliser"


def describe_pin(pin: Pin) -> str:
    """``Dense_0/kernel axis 0 (64), at MLP/Dense_0``."""
    return f"{pin.leaf} axis {pin.axis} ({pin.size}){f', at {pin.source}' if pin.source else ''}"


def describe_site(site: Site, generator: Generator | None = None) -> str:
    """``Dense_1/kernel axis 0``, with the segment where it is not the whole axis, and the power."""
    plain = (site.start, site.outer, site.inner) == (0, 1, 1)
    segment = "" if plain else f" from {site.start}, {site.outer} x units x {site.inner}"
    power = "" if site.power == 1 else f", to the power {site.power}"
    if generator is not None and generator.kind == "general linear" and site.power < 0:
        power = ", as the inverse transpose"
    return f"{site.leaf} axis {site.axis}{segment}{power}"
