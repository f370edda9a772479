"""Measurements, each a script: ``python -m benchmarks.NAME`` prints its table."""
