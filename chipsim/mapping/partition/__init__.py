"""Partitioners: a network becomes slices."""
