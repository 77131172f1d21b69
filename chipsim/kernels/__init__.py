"""Numba kernels: plain arrays in and out, no units, no chip objects."""
