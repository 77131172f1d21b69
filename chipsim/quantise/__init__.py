"""Quantise: floating-point networks become fixed-point ones."""
