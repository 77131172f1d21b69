"""Errors a user can meet, each with the exit code the command ends with.

A message says where (file:line:column where there is one), what was given, what is allowed
and what to do.  Anything that is not a `ChipsimError` is a defect of chipsim (exit code 1).
"""

from __future__ import annotations


class ChipsimError(Exception):
    """Base of all errors chipsim raises on purpose."""

    exit_code = 1


class InputError(ChipsimError):
    """A file, option or value given by the user is wrong."""

    exit_code = 2


class DoesNotFitError(ChipsimError):
    """The network exceeds a budget of the chip, or misses its deadline under ``--strict``."""

    exit_code = 3


class ConservationError(ChipsimError):
    """A count that must balance does not: spikes in and out, energy and its parts."""

    exit_code = 1
