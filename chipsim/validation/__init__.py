"""Validation: published figures beside what the model gives, by running it."""
