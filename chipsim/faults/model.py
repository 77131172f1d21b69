"""The faults a run can have, and how they are written: ``weight_flip=1e-4``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields

from chipsim.errors import InputError


@dataclass(frozen=True)
class Faults:
    """Rates of faults, each a probability from 0 to 1.

    ``weight_flip`` is that of each stored bit of a weight (and of a trace the run starts from) to
    be the wrong one for the whole run.  ``state_flip`` is that of each bit of a membrane or trace
    to flip after a step, at most one a word.  ``packet_drop`` is that of a packet not to reach one
    of the cores it is sent to: a spike or value is then not heard there, a part of a sum is
    missing, a postsynaptic factor is 0.

    Which, is a pure function of the run's seed: of the faults at a rate, those at a lower rate are
    a part (as long as neurons fire the same).
    """

    weight_flip: float = 0.0
    state_flip: float = 0.0
    packet_drop: float = 0.0

    @property
    def any(self) -> bool:
        """Whether there is a rate above 0."""
        return any(asdict(self).values())


NO_FAULTS = Faults()
NAMES = tuple(field.name for field in fields(Faults))


def parse_faults(texts: Iterable[str]) -> Faults:
    """Read ``NAME=RATE`` items, the last one of a name counting.

    Raises InputError for another form, an unknown name or a rate outside 0 to 1.
    """
    rates: dict[str, float] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        try:
            rate = float(value)
        except ValueError:
            rate = -1.0
        if not equals or name not in NAMES or not 0.0 <= rate <= 1.0:
            raise InputError(
                f"--fault {text}: expected NAME=RATE, NAME one of {', '.join(NAMES)} and RATE a "
                "probability from 0 to 1, such as weight_flip=1e-4"
            )
        rates[name] = rate
    return Faults(**rates)
