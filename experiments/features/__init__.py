"""What layers compute along paths and through a training."""
