"""Reads ``plasticity`` of a projection: the variants of hybrid plasticity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

import numpy as np

from chipsim.config import Section
from chipsim.load.tensors import Tensors
from chipsim.plasticity import FloatArray, HybridPlasticity


@dataclass(frozen=True)
class PlasticWeights:
    """A rule, and the weights ``(n_post, n_pre)`` with what the rule leaves of them."""

    rule: HybridPlasticity
    weight: FloatArray


def hybrid_plasticity(section: Section, tensors: Tensors, weight: FloatArray) -> PlasticWeights:
    """Return the rule that ``section`` describes for synapses of ``weight (n_post, n_pre)``.

    ``mix`` (a) makes ``x (a W + (1 - a) H)``, ``mask`` (m) ``x (m W + alpha (1 - m) H)``: what they
    do to the weights is done here.  Raises InputError at the place of the first bad value.
    """
    section.choice("rule", ("hp",))
    n_post, n_pre = weight.shape
    shape = (n_pre, n_post)
    alpha, factor, weight = _shares(section, tensors, weight)
    mask = tensors.optional(section, "mask", (n_post, n_pre))
    if mask is not None:
        if not ((mask == 0) | (mask == 1)).all():
            raise section.error("mask", "a mask holds zeros and ones")
        weight = weight * mask
        left = np.ascontiguousarray(1.0 - mask.T)
        factor = left if factor is None else factor * left
    has_clamp = section.has("clamp")
    post = section.choice("post", ("tanh", "linear", "softmax"), default="tanh")
    sign = section.choice("sign", ("plus", "minus"), default="plus")
    state = section.choice("state", ("reset", "carried"), default="reset")
    rule = HybridPlasticity(
        alpha=alpha,
        beta=_rates(section, tensors, n_pre),
        eta=tensors.array(section, "eta", (n_post,)),
        rho=tensors.number(section, "rho", at_least=0.0, at_most=1.0),
        clamp=tensors.number(section, "clamp", above=0.0) if has_clamp else None,
        stored_trace=tensors.optional(section, "stored_trace", shape),
        post=cast(Literal["tanh", "linear", "softmax"], post),
        sign=1 if sign == "plus" else -1,
        factor=factor,
        state=cast(Literal["reset", "carried"], state),
    )
    return PlasticWeights(rule, weight)


def _shares(
    section: Section, tensors: Tensors, weight: FloatArray
) -> tuple[float, FloatArray | None, FloatArray]:
    """Return alpha, the factor of each trace or None, and the weights."""
    shape = (weight.shape[1], weight.shape[0])
    if section.has("mix"):
        if section.has("alpha"):
            raise section.error("mix", "alpha and mix say the same in two ways; give one")
        mix = tensors.array(section, "mix", shape)
        return 1.0, 1.0 - mix, np.ascontiguousarray(mix.T * weight)
    if tensors.is_shaped(section, "alpha", shape):
        return 1.0, tensors.array(section, "alpha", shape), weight
    return tensors.number(section, "alpha"), None, weight


def _rates(section: Section, tensors: Tensors, n_pre: int) -> FloatArray:
    """Return beta: one for each input, or one for all, within the bounds that are given."""
    one = isinstance(section.raw("beta", default=None), int | float)
    if one or any(tensors.is_shaped(section, "beta", shape) for shape in ((), (1,))):
        rates = np.full(n_pre, tensors.number(section, "beta"), np.float32)
    else:
        rates = tensors.array(section, "beta", (n_pre,))
    low = section.number("beta_low", default=None)
    high = section.number("beta_high", default=None)
    if low is not None and high is not None and low > high:
        raise section.error("beta_low", f"{low:g} is above beta_high, {high:g}")
    return rates if low is None and high is None else np.clip(rates, low, high)
