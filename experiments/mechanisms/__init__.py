"""Networks that rely on different cues."""
