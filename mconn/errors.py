"""The errors that a user can cause. Each message is one sentence: the thing, and the way out."""


class MconnError(Exception):
    """Base of every error that the user can mend; the command line prints it and exits with 2."""


class StructureError(MconnError, ValueError):
    """Two parameter trees, or a tree and a function, do not fit; names the first leaf at fault."""


class DataError(MconnError):
    """A data set is missing, truncated or malformed; names the file and how to get it."""


class ConfigError(MconnError, ValueError):
    """A configuration cannot be read or built; names the file and the option."""


class CheckpointError(MconnError):
    """A stored checkpoint or result cannot be read; names its folder."""


class DivergenceError(MconnError, FloatingPointError):
    """A loss is not finite; names the step and the seed."""


class SymmetryError(MconnError, ValueError):
    """A discovered group does not leave the network's function unchanged; names the generator."""
