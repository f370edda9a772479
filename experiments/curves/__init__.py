"""Curves, surfaces, complexes and elastic bands of low loss."""
