"""The constants and choices of a chip file, kept by key path as they are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chipsim.chip import Choice, Constant
from chipsim.config import Section
from chipsim.load import chip_schema as schema
from chipsim.provenance import Quantity


class Leaves:
    """Collects the constants and choices of a chip, by key path."""

    def __init__(self) -> None:
        self.constants: dict[str, Constant] = {}
        self.choices: dict[str, Choice] = {}

    def number(self, section: Section, key: str, quantity: Quantity) -> float:
        """Read and keep one number; InputError if it is missing or wrong."""
        constant = section.constant(
            key, quantity.dimension, whole=quantity.whole, bounds=quantity.bounds
        )
        self.constants[section.path_of(key)] = constant
        return constant.value

    def whole(self, section: Section, table: Mapping[str, Quantity]) -> dict[str, int]:
        """Read and keep the whole numbers that ``table`` lists."""
        return {key: int(self.number(section, key, table[key])) for key in table}

    def given(self, section: Section, table: Mapping[str, Quantity]) -> dict[str, int]:
        """Read and keep those of the whole numbers that ``table`` lists which are there."""
        return self.whole(section, {key: table[key] for key in table if section.has(key)})

    def word(self, section: Section, key: str, owner: type[Any]) -> Any:
        """Read and keep one of the words that field ``key`` of ``owner`` may hold."""
        choice = section.sourced_choice(key, schema.words(owner, key))
        self.choices[section.path_of(key)] = choice
        return choice.value
