"""Embeddings as networks: their symmetry, their alignment, and what happens on a path.

losses -- the loss of an embedding, example by example
ladder -- one embedding moved onto another, by ever larger groups
along -- loss, analogies and attributes at every point of a path
"""
