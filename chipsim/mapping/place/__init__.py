"""Placers: slices get cores."""
