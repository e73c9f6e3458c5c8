"""Have the processor take numbers too small to hear as zero: they cost a hundred times what others cost."""

from __future__ import annotations

import platform
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

_MACHINE = platform.machine().lower()
_X86 = _MACHINE in ("x86_64", "amd64", "i386", "i686")
_ARM = _MACHINE in ("aarch64", "arm64")
_X86_FLUSH = 0x8040  # results and operands
_ARM_FLUSH = 1 << 24


def _x86_word(builder: Any, name: str, slot: Any) -> None:
    pointer = ir.IntType(8).as_pointer()
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(ir.VoidType(), [pointer]), f"llvm.x86.sse.{name}"
    )
    builder.call(function, [builder.bitcast(slot, pointer)])


def _read(builder: Any) -> Any:
    if _X86:
        slot = cgutils.alloca_once(builder, ir.IntType(32))
        _x86_word(builder, "stmxcsr", slot)
        return builder.zext(builder.load(slot), ir.IntType(64))
    if _ARM:
        kind = ir.FunctionType(ir.IntType(64), [])
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.aarch64.get.fpcr"), [])
    return ir.Constant(ir.IntType(64), 0)


def _write(builder: Any, word: Any) -> None:
    if _X86:
        slot = cgutils.alloca_once(builder, ir.IntType(32))
        builder.store(builder.trunc(word, ir.IntType(32)), slot)
        _x86_word(builder, "ldmxcsr", slot)
    elif _ARM:
        kind = ir.FunctionType(ir.VoidType(), [ir.IntType(64)])
        builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.aarch64.set.fpcr"), [word])


@intrinsic
def flush_denormals(typing_context: Any) -> Any:
    """From here on, on this thread. Return what `restore_denormals` needs."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        before = _read(builder)
        _write(builder, builder.or_(before, ir.Constant(ir.IntType(64), _X86_FLUSH if _X86 else _ARM_FLUSH)))
        return before

    return types.int64(), generate


@intrinsic
def restore_denormals(typing_context: Any, before: Any) -> Any:
    """The thread's own way again."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _write(builder, arguments[0])
        return context.get_dummy_value()

    return types.void(types.int64), generate
