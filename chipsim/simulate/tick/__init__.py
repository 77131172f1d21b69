"""Processors in real time: cores, packets and mesh together, tick after tick."""
