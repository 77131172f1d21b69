"""The report of a run on processors: the same keys where they mean the same, and the ticks."""
