"""Transport distances between samples of neurons, and barriers by the dimension of the inputs.

Ferbach et al. 2024, arXiv:2310.19103. Expected slopes of log W_2 against log m: -.52, -.37, -.19,
-.11, -.06 in 1, 2, 5, 10, 20 dimensions, within .05; m W_2^2 is the distance after weight matching
to 1e-6; the matched barrier rises with tr(S)^2 / tr(S^2) (Spearman above .5), which was not
measured before. Under five minutes on two cores::

    mconn run configs/wasserstein.py
"""

from experiments.transport.barriers import SpectrumBarriers
from experiments.transport.distances import LayerIdentity, SampleDistances
from experiments.transport.wasserstein import Wasserstein


def wasserstein(
    largest: int = 1024,
    repeats: int = 10,
    powers: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0),
    features: int = 32,
    width: int = 256,
    seeds: int = 3,
    teachers: int = 2,
    steps: int = 4000,
    seed: int = 0,
) -> Wasserstein:
    """Measure distances of samples, check the identity, train networks on every spectrum.

    Args:
        largest: atoms of the largest sample; the smallest has a sixteenth of them.
        repeats: draws of the largest sample.
        powers: of the spectra of the inputs: variances fall as i^-power.
        features: inputs of the trained networks.
        width: their hidden units.
        seeds: networks per spectrum and teacher.
        teachers: each with data and networks of its own.
        steps: of their training.
        seed: of the samples.
    """
    return Wasserstein(
        distances=SampleDistances(
            dimensions=(1, 2, 5, 10, 20),
            sizes=tuple(largest // 2**step for step in (4, 3, 2, 1, 0)),
            repeats=repeats,
            seed=seed,
        ),
        identity=LayerIdentity(sizes=(8, 32, 64), inputs_and_outputs=(5, 3), seed=seed),
        barriers=SpectrumBarriers(
            powers=powers,
            features=features,
            width=width,
            seeds=seeds,
            teachers=teachers,
            examples=2000,
            steps=steps,
            points=25,
        ),
    )


def smoke() -> Wasserstein:
    """The same at a size for tests: small samples, and three spectra."""
    return wasserstein(
        largest=128, repeats=4, powers=(0.0, 3.0), width=64, seeds=2, teachers=1, steps=200
    )
