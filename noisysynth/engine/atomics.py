"""Acquire loads and release stores on int64 array elements, for indices that two threads share.

x86 would forgive plain loads and stores; Apple Silicon does not.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic


def _element_pointer(context, builder, array_type, array, index):  # type: ignore[no-untyped-def]
    view = context.make_array(array_type)(context, builder, array)
    return cgutils.get_item_pointer(context, builder, array_type, view, [index], wraparound=False)


@intrinsic
def load_acquire(typing_context, array, index):  # type: ignore[no-untyped-def]
    """Value of array[index] (int64, one-dimensional); nothing after it is read before it."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        pointer = _element_pointer(context, builder, signature.args[0], *arguments)
        return builder.load_atomic(pointer, ordering="acquire", align=8, typ=ir.IntType(64))

    return types.int64(array, types.intp), generate


@intrinsic
def store_release(typing_context, array, index, value):  # type: ignore[no-untyped-def]
    """Set array[index] (int64, one-dimensional); everything before it is visible to who sees the new value."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        pointer = _element_pointer(context, builder, signature.args[0], arguments[0], arguments[1])
        builder.store_atomic(arguments[2], pointer, ordering="release", align=8)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.int64), generate
