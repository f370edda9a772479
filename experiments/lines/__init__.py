"""Straight lines between trained networks, before and after their units are matched."""
