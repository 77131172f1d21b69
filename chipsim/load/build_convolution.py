"""Reads ``convolution`` of a projection, and checks that convolutions agree on their maps."""

from __future__ import annotations

import math
from collections.abc import Iterable

from chipsim.config import Section
from chipsim.connectivity import Convolution
from chipsim.load.tensors import Tensors
from chipsim.network import Population, Projection
from chipsim.plasticity import FloatArray

_MOST = 2**20


def convolution(
    section: Section, tensors: Tensors, source: Population, target: Population
) -> tuple[Convolution, FloatArray]:
    """Return the convolution that a projection's ``section`` describes, and its kernel.

    Raises InputError at the first value that contradicts the populations or the kernel.
    """
    part = section.section("convolution")
    source_shape = _shape(part, "source_shape", source)
    target_shape = _shape(part, "target_shape", target)
    made = Convolution(
        source_shape=source_shape,
        target_shape=target_shape,
        stride=part.integer("stride", at_least=1, at_most=_MOST, default=1),
        padding=part.integer("padding", at_least=0, at_most=_MOST, default=0),
        channels_last=part.flag("channels_last", default=False),
    )
    kernel = tensors.array_of_rank(section, "weight", 4)
    if kernel.shape[:2] != (target_shape[0], source_shape[0]):
        raise section.error(
            "weight",
            f"its shape is {kernel.shape}; needed is ({target_shape[0]}, {source_shape[0]}, kernel "
            "height, kernel width) for these maps",
        )
    for axis, name in ((1, "height"), (2, "width")):
        span = source_shape[axis] + 2 * made.padding - kernel.shape[axis + 1]
        size = span // made.stride + 1
        if span < 0 or size != target_shape[axis]:
            raise part.error(
                "target_shape",
                f"{name} {target_shape[axis]}, but a kernel of {kernel.shape[axis + 1]}, stride "
                f"{made.stride} and padding {made.padding} make {max(size, 0)} of "
                f"{source_shape[axis]}",
            )
    return made, kernel


def channel_bias(section: Section, tensors: Tensors, made: Convolution) -> FloatArray | None:
    """Return ``bias`` by neuron, whether it is given by channel or by neuron."""
    channels = made.target_shape[0]
    if section.has("bias") and tensors.is_shaped(section, "bias", (channels,)):
        return made.by_channel(tensors.array(section, "bias", (channels,)))
    return tensors.optional(section, "bias", (made.n_post,))


def check_maps(root: Section, projections: Iterable[Projection]) -> None:
    """Refuse convolutions that take the same population for maps of different shape or order."""
    maps: dict[str, tuple[tuple[int, int, int], bool, str]] = {}
    for projection in projections:
        made = projection.connectivity
        if not isinstance(made, Convolution):
            continue
        ends = (projection.source, made.source_shape), (projection.target, made.target_shape)
        for name, shape in ends:
            ordered = shape[0] > 1 and shape[1] * shape[2] > 1
            seen = shape, made.channels_last and ordered, projection.name
            known = maps.setdefault(name, seen)
            if known[:2] != seen[:2]:
                raise root.error(
                    "projections",
                    f"{known[2]} and {projection.name} disagree about {name}: its shape and "
                    "channels_last must be the same for both",
                )


def _shape(part: Section, key: str, population: Population) -> tuple[int, int, int]:
    given = part.numbers(key)
    sizes = [int(n) for n in given if n.is_integer() and 1 <= n <= _MOST]
    if len(sizes) != 3 or len(given) != 3 or math.prod(sizes) != population.size:
        raise part.error(
            key,
            f"[{', '.join(f'{n:g}' for n in given)}] given; needed are [channels, height, width] "
            f"whose product is the {population.size} neurons of {population.name}",
        )
    return sizes[0], sizes[1], sizes[2]
