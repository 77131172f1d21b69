"""The report's figures: one module each, with ``draw(summary, arrays) -> Figure``."""
