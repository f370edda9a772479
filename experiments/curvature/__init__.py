"""The Hessian along paths."""
