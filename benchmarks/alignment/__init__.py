"""Alignment of the same weights by this library, by the published algorithm and by a package.

See ``python -m benchmarks.alignment --help``.
"""
