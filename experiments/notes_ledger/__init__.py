"""The statements of the notes, with the claims of the studies that settle each of them."""

from experiments.notes_ledger.connectivity import CONNECTIVITY
from experiments.notes_ledger.corrections import CORRECTIONS
from experiments.notes_ledger.further import FURTHER

STATEMENTS = (*CORRECTIONS, *CONNECTIVITY, *FURTHER)
"""All rows, numbered in this order."""
