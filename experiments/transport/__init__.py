"""Neurons as samples of a law."""
