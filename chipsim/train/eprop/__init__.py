"""e-prop (Bellec et al. 2020) in floating point, without torch."""
