"""Train: make the networks of the HP paper (needs torch)."""
