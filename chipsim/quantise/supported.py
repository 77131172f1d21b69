"""What the crossbar chips compute, and a plain word about the rest."""

from __future__ import annotations

from chipsim.connectivity import Convolution, Sparse
from chipsim.errors import InputError
from chipsim.network import Graded, Network, Projection, disagreement


def check_supported(network: Network) -> None:
    """Raise InputError naming the first thing no crossbar core computes."""
    for projection in network.projections:
        _check_projection(projection)
    if wrong := disagreement(network.projections):
        raise InputError(f"projections {wrong}")
    graded = isinstance(network.population(network.readout).model, Graded)
    if graded and network.readout_kind != "membrane":
        raise InputError(
            f"readout {network.readout!r} is graded and does not spike; give readout.kind: membrane"
        )


def _check_projection(projection: Projection) -> None:
    where = f"projection {projection.name!r}"
    if projection.stdp is not None:
        raise InputError(
            f"{where}: STDP runs on chips of processors only, not on "
            "crossbar cores; remove its 'stdp', or choose such a chip"
        )
    if isinstance(projection.connectivity, Sparse):
        raise InputError(
            f"{where}: lists of synapses run on chips of processors only; "
            "give crossbar cores the full matrix, with zeros"
        )
    if isinstance(projection.connectivity, Convolution) and projection.plasticity is not None:
        raise InputError(
            f"{where}: a convolution shares its weights and so cannot have traces of its own; "
            "make the projection dense, or remove its 'plasticity'"
        )
