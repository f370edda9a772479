"""Variance that interpolated networks lose, and its repair."""
