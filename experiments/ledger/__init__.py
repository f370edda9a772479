"""The statements of the notes, with the claims of the studies that settle each of them."""

from experiments.ledger.connectivity import CONNECTIVITY
from experiments.ledger.corrections import CORRECTIONS
from experiments.ledger.further import FURTHER

STATEMENTS = (*CORRECTIONS, *CONNECTIVITY, *FURTHER)
"""All rows, numbered in this order."""
