"""Fit a network onto processors: partition, memory in bytes, places, keys and routing tables."""
