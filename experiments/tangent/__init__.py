"""The neural tangent kernel at finite width."""
