"""An atlas of symmetry groups: the size of the group of well-known networks, from shapes alone.

Expected, exactly: the closed forms of `experiments.symmetry.zoo`; the log order is linear
in the depth and a n log n + b n in the width n. Under a minute on two cores::

    mconn run configs/symmetry_atlas.py
"""

from experiments.symmetry.atlas import FamilyGroups, SymmetryAtlas


def symmetry_atlas(points: int = 5) -> SymmetryAtlas:
    """Discover the groups of MLPs, CNNs, ResNets, GPT-2 and Llama at many depths and widths.

    Args:
        points: depths and widths of each architecture; each width is twice the one before.
    """
    doubled = tuple(2**power for power in range(points))
    steps = tuple(range(1, points + 1))

    def widths(smallest: int) -> tuple[int, ...]:
        return tuple(smallest * factor for factor in doubled)

    return SymmetryAtlas(
        (
            FamilyGroups("MLP, ReLU", 3, 512, doubled, widths(64)),
            FamilyGroups("MLP, tanh", 3, 512, doubled, widths(64)),
            FamilyGroups("CNN", 3, 64, steps, widths(16)),
            FamilyGroups("VGG16", 1, 64, (), widths(16)),
            FamilyGroups("ResNet-20", 3, 16, steps, widths(16)),
            FamilyGroups("ResNet-50", 6, 64, tuple(2 + 4 * step for step in steps), widths(16)),
            FamilyGroups("GPT-2", 12, 768, tuple(3 * step for step in steps), widths(192)),
            FamilyGroups("Llama", 32, 4096, tuple(4 * step for step in steps), widths(512)),
        )
    )


def smoke() -> SymmetryAtlas:
    """The same at a size for tests: shallow, and few of each."""
    return SymmetryAtlas(
        (
            FamilyGroups("MLP, ReLU", 2, 64, (1, 2, 3), (64, 128, 256)),
            FamilyGroups("MLP, tanh", 2, 64, (1, 2, 3), (64, 128, 256)),
            FamilyGroups("VGG16", 1, 16, (), (16, 32, 64)),
            FamilyGroups("ResNet-20", 1, 16, (1, 2, 3), (16, 32, 64)),
            FamilyGroups("GPT-2", 1, 192, (1, 2, 3), (192, 384, 768)),
            FamilyGroups("Llama", 1, 512, (1, 2, 3), (512, 1024, 2048)),
        )
    )
