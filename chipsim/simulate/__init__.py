"""Simulate: cores, mesh and learning together, step by step."""
