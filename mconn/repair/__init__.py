"""Repairs the variance collapse of interpolated networks.

The units of two networks are not perfectly correlated even when they are aligned, so that their
mixture varies less than they do, and less in every further layer. REPAIR (Jordan et al. 2023,
arXiv:2211.08403) rescales every unit to the statistics that it has at the ends. Here it is a map of
parameters to parameters: the layers are found by tracing any pure function, with the labels of its
symmetry, and no code of the model is changed.

layers -- the places where a unit can be scaled and shifted by changing a weight and a bias
measure -- means and covariances of these units in several networks
repair -- the statistics of the ends for any point of any path, by forward passes
repair_closed_form -- the same for straight mixtures, from the covariances alone
Repair, RepairClosedForm -- both as a ``refresh`` of a sweep
variance_ratio -- how much variance a network keeps, layer by layer

Networks with BatchNorm are repaired by new running statistics,
`mconn.landscape.BatchNormStatistics`: mean and deviation behind a BatchNorm are then its bias and
its scale, which are interpolated linearly.
"""

from mconn.repair.correction import Repair, RepairClosedForm, repair, repair_closed_form
from mconn.repair.layers import Layer, Layers, Skipped, layers
from mconn.repair.statistics import Ends, Mixed, measure, variance_ratio

__all__ = [
    "Ends",
    "Layer",
    "Layers",
    "Mixed",
    "Repair",
    "RepairClosedForm",
    "Skipped",
    "layers",
    "measure",
    "repair",
    "repair_closed_form",
    "variance_ratio",
]
