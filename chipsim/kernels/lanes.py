"""Vectors of 32 weights or traces of 16 bit, in exact LLVM instructions.

A vector is 64 bytes, what rows of synapses are padded to; a processor with shorter registers takes
several for one.  Left to itself the compiler widens 16-bit products to 32 bit, uses registers of
half the length, and takes long to find out.

Indices are places in an array; they are not checked, and none counts from the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from llvmlite import ir
from numba import types
from numba.core.datamodel.models import PrimitiveModel
from numba.core.datamodel.registry import register_default
from numba.extending import intrinsic

LANES = 32
"""16-bit numbers in a vector; of 32 bit, half as many."""


class _Vector(types.Type):
    """Whole numbers side by side."""

    def __init__(self, bits: int, count: int) -> None:
        self.code = ir.VectorType(ir.IntType(bits), count)
        super().__init__(name=f"{count} x int{bits}")


@register_default(_Vector)
class _VectorModel(PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, kind.code)  # type: ignore[no-untyped-call]


_SHORTS, _SUMS = _Vector(16, LANES), _Vector(32, LANES // 2)
_WOVEN = [n for pair in zip(range(LANES), range(LANES, 2 * LANES), strict=True) for n in pair]
_LOWER, _UPPER = [n for n in _WOVEN if n % 8 < 4], [n for n in _WOVEN if n % 8 >= 4]
_FOURS = [n for q in range(0, LANES // 2, 4) for n in (*range(q, q + 4), *range(q + 16, q + 20))]

_REGISTERS = (("+avx512bw", 32), ("+avx2", 16), ("+sse2", 8))
"""16-bit numbers in a register of x86, by feature of the processor."""


def _of_two(emit: Callable[[Any, Any, Any], Any], kind: Any, operand: Any) -> Any:
    """Return ``emit(builder, a, b)`` as a function of kernels."""

    def typed(_typing_context: Any, a: Any, b: Any) -> Any:
        def code(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            return emit(builder, *values)

        return kind(operand, operand), code

    return intrinsic(typed)


def _in_16_bit(instruction: str) -> Callable[[Any, Any], Any]:
    def emit(builder: Any, a: Any, b: Any) -> Any:
        return getattr(builder, instruction)(a, b)

    return cast(Callable[[Any, Any], Any], _of_two(emit, _SHORTS, _SHORTS))


def _called(name: str) -> Callable[[Any, Any], Any]:
    def emit(builder: Any, a: Any, b: Any) -> Any:
        return _call(builder, f"llvm.{name}.v{LANES}i16", a.type, a, b)

    return cast(Callable[[Any, Any], Any], _of_two(emit, _SHORTS, _SHORTS))


def _call(builder: Any, name: str, kind: Any, *values: Any) -> Any:
    module, function_type = builder.module, ir.FunctionType(kind, [v.type for v in values])
    function = module.globals.get(name) or ir.Function(module, function_type, name)
    return builder.call(function, values)


def _picked(builder: Any, places: Sequence[int], a: Any, b: Any = None) -> Any:
    """Return the numbers at ``places`` of ``a``, followed by ``b``."""
    mask = ir.Constant(ir.VectorType(ir.IntType(32), len(places)), list(places))
    return builder.shuffle_vector(a, a if b is None else b, mask)


def _picking(places: Sequence[int], kind: Any) -> Callable[[Any, Any], Any]:
    def emit(builder: Any, a: Any, b: Any) -> Any:
        return _picked(builder, places, a, b)

    return cast(Callable[[Any, Any], Any], _of_two(emit, kind, kind))


def _place(context: Any, builder: Any, array_type: Any, array: Any, index: Any, kind: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), kind.code.as_pointer())


def _loader(kind: Any) -> Callable[[Any, Any], Any]:
    def typed(_typing_context: Any, array: Any, at: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            place = _place(context, builder, array, values[0], values[1], kind)
            return builder.load(place, align=array.dtype.bitwidth // 8)

        return kind(array, types.int64), code

    return cast(Callable[[Any, Any], Any], intrinsic(typed))


def _storer(kind: Any) -> Callable[[Any, Any, Any], None]:
    def typed(_typing_context: Any, array: Any, at: Any, vector: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            place = _place(context, builder, array, values[0], values[1], kind)
            builder.store(values[2], place, align=array.dtype.bitwidth // 8)

        return types.void(array, types.int64, kind), code

    return cast(Callable[[Any, Any, Any], None], intrinsic(typed))


def _pairs(builder: Any, x: Any, y: Any) -> Any:
    one = ir.Constant(_SHORTS.code, ir.Undefined)
    for place, value in enumerate((x, y)):
        one = builder.insert_element(one, value, ir.Constant(ir.IntType(32), place))
    return _picked(builder, [0, 1] * (LANES // 2), one)


def _by_instruction(
    names: tuple[str, str, str], plainly: Callable[[Any, Any, Any], Any], bits: int
) -> Callable[[Any, Any], Any]:
    """Return x86's instruction, by length of register, or what does the same in plain LLVM."""
    kind = {16: _SHORTS, 32: _SUMS}[bits]

    def typed(_typing_context: Any, a: Any, b: Any) -> Any:
        def code(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            features = context.codegen().magic_tuple()[2].split(",")
            for (feature, width), name in zip(_REGISTERS, names, strict=True):
                if feature in features:
                    part = ir.VectorType(ir.IntType(bits), width * 16 // bits)
                    return _in_parts(builder, f"llvm.x86.{name}", part, width, values)
            return plainly(builder, *values)

        return kind(_SHORTS, _SHORTS), code

    return cast(Callable[[Any, Any], Any], intrinsic(typed))


def _in_parts(builder: Any, name: str, kind: Any, width: int, values: Any) -> Any:
    parts = []
    for first in range(0, LANES, width):
        pieces = (_picked(builder, range(first, first + width), v) for v in values)
        parts.append(_call(builder, name, kind, *pieces))
    while len(parts) > 1:
        joined = range(2 * parts[0].type.count)
        parts = [
            _picked(builder, joined, a, b) for a, b in zip(parts[::2], parts[1::2], strict=True)
        ]
    return parts[0]


def _widened(builder: Any, values: Any) -> list[Any]:
    return [builder.sext(v, ir.VectorType(ir.IntType(32), v.type.count)) for v in values]


def _upper_product(builder: Any, a: Any, b: Any) -> Any:
    product = builder.mul(*_widened(builder, (a, b)))
    by = ir.Constant(product.type, [16] * LANES)
    return builder.trunc(builder.ashr(product, by), _SHORTS.code)


def _dot(builder: Any, a: Any, b: Any) -> Any:
    evens, odds = (
        builder.mul(*_widened(builder, [_picked(builder, places, v) for v in (a, b)]))
        for places in (range(0, LANES, 2), range(1, LANES, 2))
    )
    return builder.add(evens, odds)


load, load_sums = _loader(_SHORTS), _loader(_SUMS)
"""``load(array, at)``: 32 of 16 bit, or 16 of 32 bit, from place ``at`` on."""

store, store_sums = _storer(_SHORTS), _storer(_SUMS)
"""``store(array, at, vector)``"""

pairs = _of_two(_pairs, _SHORTS, types.int16)
"""``pairs(x, y)``: x, y, x, y and so on."""

multiply, add, shift, shift_unsigned = map(_in_16_bit, ("mul", "add", "ashr", "lshr"))
"""Of 16 bit each; what does not fit is cut off."""

multiply_upper = _by_instruction(
    ("avx512.pmulh.w.512", "avx2.pmulh.w", "sse2.pmulh.w"), _upper_product, 16
)
"""The upper 16 bits of the products."""

add_saturated, least, most = map(_called, ("sadd.sat", "smin", "smax"))

weave_lower, weave_upper = _picking(_LOWER, _SHORTS), _picking(_UPPER, _SHORTS)
"""Numbers of ``a`` and ``b`` in turn: of every eight of each, the first four, or the others."""

dot = _by_instruction(("avx512.pmaddw.d.512", "avx2.pmadd.wd", "sse2.pmadd.wd"), _dot, 32)
"""``a[2 i] b[2 i] + a[2 i + 1] b[2 i + 1]`` in 32 bit."""

add_sums = _of_two(lambda builder, a, b: builder.add(a, b), _SUMS, _SUMS)

unweave_first, unweave_second = _picking(_FOURS[:16], _SUMS), _picking(_FOURS[16:], _SUMS)
"""Sums of woven numbers, lower and upper, in order again: columns 0 to 15, and 16 to 31."""
