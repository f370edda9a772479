"""An atlas of symmetry groups: the size of the group of well-known networks, from shapes alone.

Expected, exactly: the closed forms of `experiments.symmetry.zoo`; the log order is linear
in the depth and a n log n + b n in the width n. Under a minute on two cores::

    mconn run configs/symmetry_atlas.py
"""

from experiments.symmetry.atlas import FamilyGroups, SymmetryAtlas


def symmetry_atlas(points: int = 5) -> SymmetryAtlas:
    """Eight architectures at ``points`` depths and ``points`` widths each; widths double."""
    twice, steps = [2**power for power in range(points)], range(1, points + 1)
    narrow, wide, heads, streams = (tuple(n * k for k in twice) for n in (16, 64, 192, 512))
    one, three, four = (tuple(n * k for k in steps) for n in (1, 3, 4))
    families = (
        FamilyGroups("MLP, ReLU", 3, 512, tuple(twice), wide),
        FamilyGroups("MLP, tanh", 3, 512, tuple(twice), wide),
        FamilyGroups("CNN", 3, 64, one, narrow),
        FamilyGroups("VGG16", 1, 64, (), narrow),
        FamilyGroups("ResNet-20", 3, 16, one, narrow),
        FamilyGroups("ResNet-50", 6, 64, tuple(2 + k for k in four), narrow),
        FamilyGroups("GPT-2", 12, 768, three, heads),
        FamilyGroups("Llama", 32, 4096, four, streams),
    )
    return SymmetryAtlas(families)


def smoke() -> SymmetryAtlas:
    """The same at a size for tests: shallow, and few of each."""
    families = (
        FamilyGroups("MLP, ReLU", 2, 64, (1, 2, 3), (64, 128, 256)),
        FamilyGroups("MLP, tanh", 2, 64, (1, 2, 3), (64, 128, 256)),
        FamilyGroups("VGG16", 1, 16, (), (16, 32, 64)),
        FamilyGroups("ResNet-20", 1, 16, (1, 2, 3), (16, 32, 64)),
        FamilyGroups("GPT-2", 1, 192, (1, 2, 3), (192, 384, 768)),
        FamilyGroups("Llama", 1, 512, (1, 2, 3), (512, 1024, 2048)),
    )
    return SymmetryAtlas(families)
