"""Cores: what a core's task costs in cycles, bytes and actions, one module per core kind."""
