"""Elastic bands: chains whose pivots slide down across the band (AutoNEB, Draxler et al. 2018).

elastic_band -- relax a chain, with pivots inserted where the loss sags above it
BandConfig, Cycle -- how
spanning_tree, minimax, next_pair -- many minima: which pairs to join, and what follows for others
"""

from mconn.paths.band.auto import ElasticBand, Record, elastic_band
from mconn.paths.band.config import BandConfig, Cycle, auto_neb
from mconn.paths.band.tree import minimax, next_pair, spanning_tree

__all__ = [
    "BandConfig",
    "Cycle",
    "ElasticBand",
    "Record",
    "auto_neb",
    "elastic_band",
    "minimax",
    "next_pair",
    "spanning_tree",
]
