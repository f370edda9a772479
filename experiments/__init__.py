"""Studies: one module each, with its stages, its figures and its claims."""
