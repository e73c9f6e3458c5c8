"""Vectors of float32 that stay in registers: what numba's loops cannot promise, written in Python all the same.

LLVM vectorises a loop over samples, but then its state goes through memory at every step. A value of type `lanes` is
one LLVM vector of WIDTH floats; the functions below work on these and on nothing else.
"""

from __future__ import annotations

import os
from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba.core import types
from numba.core.errors import RequireLiteralValue
from numba.extending import intrinsic, models, register_model


def _host_width() -> int:
    """Floats in the widest register that numba may use here."""
    named = os.environ.get("NUMBA_CPU_FEATURES")
    has = (
        {name[1:] for name in named.split(",") if name.startswith("+")}
        if named is not None
        else {name for name, there in llvmlite.binding.get_host_cpu_features().items() if there}
    )
    return 16 if "avx512f" in has else 8 if "avx" in has else 4


WIDTH = _host_width()
_VECTOR = ir.VectorType(ir.FloatType(), WIDTH)
_BITS = ir.VectorType(ir.IntType(32), WIDTH)
_MASK = ir.VectorType(ir.IntType(1), WIDTH)
# As for every kernel here: NaN and infinity keep their meaning, sums are left in the order written.
_FLAGS = ("contract", "nsz")


class _Lanes(types.Type):
    def __init__(self) -> None:
        super().__init__(name=f"lanes{WIDTH}")


LANES = _Lanes()


@register_model(_Lanes)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, numba_type: Any) -> None:
        super().__init__(manager, numba_type, _VECTOR)


def _splat(builder: Any, scalar: Any, vector: Any) -> Any:
    one = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(_BITS, None)
    return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), zeros)


def _address(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    view = context.make_array(array_type)(context, builder, array)
    return builder.bitcast(builder.gep(view.data, [index]), _VECTOR.as_pointer())


def _mask(builder: Any, count: Any) -> Any:
    """Lanes whose number is below `count`."""
    count = builder.trunc(count, ir.IntType(32))
    numbers = ir.Constant(_BITS, list(range(WIDTH)))
    return builder.icmp_signed("<", numbers, _splat(builder, count, _BITS))


def _is_floats(array: Any) -> bool:
    return isinstance(array, types.Array) and array.dtype == types.float32 and array.layout == "C" and array.ndim == 1


def _declare(builder: Any, name: str, result: Any, arguments: list[Any]) -> Any:
    return builder.module.declare_intrinsic(name, (), ir.FunctionType(result, arguments))


@intrinsic
def load(typing_context: Any, array: Any, index: Any, count: Any) -> Any:
    """array[index : index + WIDTH], of which only the first `count` are read; the others are 0."""
    if not _is_floats(array):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array_, index_, count_ = arguments
        pointer = _address(context, builder, signature.args[0], array_, index_)
        name = f"llvm.masked.load.v{WIDTH}f32.p0"
        function = _declare(builder, name, _VECTOR, [_VECTOR.as_pointer(), ir.IntType(32), _MASK, _VECTOR])
        align = ir.Constant(ir.IntType(32), 4)
        return builder.call(function, [pointer, align, _mask(builder, count_), ir.Constant(_VECTOR, None)])

    return LANES(array, types.intp, types.intp), generate


@intrinsic
def store(typing_context: Any, array: Any, index: Any, count: Any, x: Any) -> Any:
    """Write the first `count` lanes of x to array[index :]."""
    if not _is_floats(array):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array_, index_, count_, x_ = arguments
        pointer = _address(context, builder, signature.args[0], array_, index_)
        name = f"llvm.masked.store.v{WIDTH}f32.p0"
        function = _declare(builder, name, ir.VoidType(), [_VECTOR, _VECTOR.as_pointer(), ir.IntType(32), _MASK])
        builder.call(function, [x_, pointer, ir.Constant(ir.IntType(32), 4), _mask(builder, count_)])
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, LANES), generate


@intrinsic
def prefetch(typing_context: Any, array: Any, index: Any) -> Any:
    """Bring the cache line of array[index] near, without waiting for it."""
    if not _is_floats(array):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view = context.make_array(signature.args[0])(context, builder, arguments[0])
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        function = _declare(builder, "llvm.prefetch.p0", ir.VoidType(), [byte, number, number, number])
        address = builder.bitcast(builder.gep(view.data, [arguments[1]]), byte)
        builder.call(function, [address, *(ir.Constant(number, value) for value in (0, 3, 1))])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


@intrinsic
def broadcast(typing_context: Any, scalar: Any) -> Any:
    """A float32 in every lane."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _splat(builder, arguments[0], _VECTOR)

    return LANES(types.float32), generate


def _unary(emit: Any) -> Any:
    def operation(typing_context: Any, x: Any) -> Any:
        return LANES(LANES), lambda context, builder, signature, arguments: emit(builder, *arguments)

    return intrinsic(operation)


def _binary(emit: Any) -> Any:
    def operation(typing_context: Any, x: Any, y: Any) -> Any:
        return LANES(LANES, LANES), lambda context, builder, signature, arguments: emit(builder, *arguments)

    return intrinsic(operation)


def _emit_fma(builder: Any, x: Any, y: Any, z: Any) -> Any:
    return builder.call(_declare(builder, f"llvm.fmuladd.v{WIDTH}f32", _VECTOR, [_VECTOR] * 3), [x, y, z])


def _emit_abs(builder: Any, x: Any) -> Any:
    return builder.call(_declare(builder, f"llvm.fabs.v{WIDTH}f32", _VECTOR, [_VECTOR]), [x])


def _emit_nearest(builder: Any, x: Any) -> Any:
    return builder.call(_declare(builder, f"llvm.rint.v{WIDTH}f32", _VECTOR, [_VECTOR]), [x])


def _emit_square_root(builder: Any, x: Any) -> Any:
    return builder.call(_declare(builder, f"llvm.sqrt.v{WIDTH}f32", _VECTOR, [_VECTOR]), [x])


def _emit_where_less(builder: Any, x: Any, y: Any) -> Any:
    one = ir.Constant(_VECTOR, [ir.Constant(ir.FloatType(), 1.0)] * WIDTH)
    return builder.select(builder.fcmp_ordered("<", x, y), one, ir.Constant(_VECTOR, None))


def _emit_minimum(builder: Any, x: Any, y: Any) -> Any:
    return builder.select(builder.fcmp_ordered("<", x, y), x, y)


def _emit_sign(builder: Any, x: Any) -> Any:
    return builder.bitcast(builder.and_(builder.bitcast(x, _BITS), _splat_bits(0x80000000)), _VECTOR)


def _emit_flip(builder: Any, x: Any, sign: Any) -> Any:
    return builder.bitcast(builder.xor(builder.bitcast(x, _BITS), builder.bitcast(sign, _BITS)), _VECTOR)


def _splat_bits(bits: int) -> Any:
    return ir.Constant(_BITS, [bits] * WIDTH)


add = _binary(lambda builder, x, y: builder.fadd(x, y, flags=_FLAGS))
sub = _binary(lambda builder, x, y: builder.fsub(x, y, flags=_FLAGS))
mul = _binary(lambda builder, x, y: builder.fmul(x, y, flags=_FLAGS))
div = _binary(lambda builder, x, y: builder.fdiv(x, y, flags=_FLAGS))
sign_of = _unary(_emit_sign)  # -0.0 where x is negative, else 0.0
flip = _binary(_emit_flip)  # x with the sign turned over where the second, of `sign_of`, is negative
absolute = _unary(_emit_abs)
nearest = _unary(_emit_nearest)  # whole number
square_root = _unary(_emit_square_root)
minimum = _binary(_emit_minimum)
where_less = _binary(_emit_where_less)  # 1 where the first is less than the second, else 0


@intrinsic
def numbers(typing_context: Any) -> Any:
    """0, 1, 2, ... WIDTH - 1."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return ir.Constant(_VECTOR, [ir.Constant(ir.FloatType(), float(i)) for i in range(WIDTH)])

    return LANES(), generate


@intrinsic
def total(typing_context: Any, x: Any) -> Any:
    """The sum of all lanes, in any order."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        name = f"llvm.vector.reduce.fadd.v{WIDTH}f32"
        function = _declare(builder, name, ir.FloatType(), [ir.FloatType(), _VECTOR])
        return builder.call(function, [ir.Constant(ir.FloatType(), -0.0), arguments[0]], fastmath=("reassoc",))

    return types.float32(LANES), generate


@intrinsic
def fma(typing_context: Any, x: Any, y: Any, z: Any) -> Any:
    """x * y + z, in one step where the machine has it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _emit_fma(builder, *arguments)

    return LANES(LANES, LANES, LANES), generate


@intrinsic
def keep_rolled(typing_context: Any) -> Any:
    """Nothing, but LLVM does not unroll a loop that has it: a convergent call may not be copied behind a new branch."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        call = builder.asm(ir.FunctionType(ir.VoidType(), []), "", "", [], side_effect=True)
        call.attributes.add("convergent")
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def stack_floats(typing_context: Any, size: Any) -> Any:
    """An array of this many float32 on the stack, unwritten; it ends with the compiled function that calls this."""
    if not isinstance(size, types.IntegerLiteral):
        raise RequireLiteralValue("the size of a stack array must be a constant")
    array = types.Array(types.float32, 1, "C")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        n = signature.args[0].literal_value
        with builder.goto_entry_block():  # cgutils.alloca_once would fill it with zeros at every call
            storage = builder.alloca(ir.ArrayType(ir.FloatType(), n))
        storage.align = 64
        view = context.make_array(array)(context, builder)
        context.populate_array(
            view,
            data=builder.bitcast(storage, ir.FloatType().as_pointer()),
            shape=[context.get_constant(types.intp, n)],
            strides=[context.get_constant(types.intp, 4)],
            itemsize=context.get_constant(types.intp, 4),
            meminfo=None,
        )
        return view._getvalue()

    return array(size), generate
