"""Studies, a folder for each family: stages, figures, claims, and what they report."""
