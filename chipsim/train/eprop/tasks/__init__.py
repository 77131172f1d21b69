"""The tasks e-prop networks learn: seeded generators of trials."""
