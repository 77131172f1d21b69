"""The two ends of a channel in the wormhole mesh of simpy: its buffer, and who fills it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Flit:
    """A piece of a packet; as a head it asks for no output before ``asks_from``."""

    packet: int
    tree: int
    size: int
    head: bool
    tail: bool
    asks_from: float = 0.0


@dataclass
class Sender:
    """What an output (or a source) knows of the channels it feeds: credits, and which are owned.

    ``heads`` is whose turn it is at each channel: 8 * input port + channel there.
    """

    credits: list[int]
    owned: list[bool]
    heads: list[int]
    next_channel: int = 0
    free_at: float = 0.0

    def open_channels(self, needed: int = 1) -> list[int]:
        """Return the channels that belong to nobody and have credits, the next in turn first."""
        count = len(self.credits)
        turn = sorted(range(count), key=lambda channel: (channel - self.next_channel) % count)
        return [c for c in turn if not self.owned[c] and self.credits[c] >= needed]

    def next_head(self, channel: int, heads: list[tuple[int, int]]) -> tuple[int, int]:
        """Give a channel to the next in its turn of ``heads``, input ports and their channels."""
        start = self.heads[channel]
        port, vc = min(heads, key=lambda head: (8 * head[0] + head[1] - start) % 64)
        self.heads[channel] = 8 * port + vc + 1
        self.owned[channel] = True
        self.next_channel = (channel + 1) % len(self.credits)
        return port, vc

    def free_slots(self) -> int:
        """Return the credits of those channels that belong to nobody."""
        return sum(c for c, owned in zip(self.credits, self.owned, strict=True) if not owned)


@dataclass
class InputChannel:
    """A buffer, and how far the branches of the packet in front of it are.

    ``branches`` says for each output that the packet still has to leave by which of the ``flits``
    goes there next (it may not have come yet), ``taken`` which channel it has there.  A head that
    stood behind another packet asks from ``asks_from`` on.
    """

    flits: deque[Flit] = field(default_factory=deque)
    asks_from: float = 0.0
    branches: dict[int, int] = field(default_factory=dict)
    taken: dict[int, int] = field(default_factory=dict)

    def next_flit(self, output: int) -> Flit | None:
        """Return the flit that is to leave by ``output`` next, None if there is none here."""
        position = self.branches.get(output)
        if position is None or position >= len(self.flits):
            return None
        return self.flits[position]

    def asks(self, output: int, now: float) -> bool:
        """Return whether a flit may ask for ``output`` now."""
        flit = self.next_flit(output)
        if flit is None or not flit.head:
            return flit is not None
        return now >= max(flit.asks_from, self.asks_from)

    def move_on(self, output: int) -> None:
        """Note that the next flit for ``output`` has left; the tail ends the branch."""
        if self.flits[self.branches[output]].tail:
            del self.branches[output]
            self.taken.pop(output, None)
        else:
            self.branches[output] += 1

    def drop_first(self) -> Flit | None:
        """Give up the first flit if all branches have taken it, and return it."""
        if 0 in self.branches.values():
            return None
        self.branches = {output: at - 1 for output, at in self.branches.items()}
        return self.flits.popleft()
