"""Ask the processor for memory that will be needed soon."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

insert: Any = cgutils.get_or_insert_function


def _prefetch(_typing_context: Any, array: Any, index: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = builder.gep(view.data, [arguments[1]])
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        function = insert(builder.module, kind, "llvm.prefetch.p0i8")
        read_keep_data = [ir.Constant(word, flag) for flag in (0, 3, 1)]
        builder.call(function, [builder.bitcast(place, byte), *read_keep_data])
        return context.get_dummy_value()

    return types.none(array, index), code


prefetch = cast(Callable[[Any, Any], None], intrinsic(_prefetch))
"""Fetch the element of an array into the cache; nothing is read, so any index will do.

In a mesh of 32 x 32 routers the trees alone fill a megabyte.
"""
