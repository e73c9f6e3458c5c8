"""Checks that an ONNX graph from a stranger fits its contract, without running it."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

from noisysynth.sealed_zip import BadFile, quoted
from noisysynth.spec import SynthSpec

N_MELS = 80
MIN_OPSET, MAX_OPSET = 13, 24
MAX_NODES = 5_000

# Stateless maths only. Nothing that loops, branches, draws random numbers, or holds strings or sequences.
_ALLOWED = """
    Abs Add And ArgMax ArgMin Atan AveragePool BatchNormalization Cast CastLike Ceil Celu Clip Concat
    Constant ConstantOfShape Conv ConvTranspose Cos Cosh CumSum Div Dropout Einsum Elu Equal Erf Exp
    Expand Flatten Floor GRU Gather GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalMaxPool
    Greater GreaterOrEqual GroupNormalization HardSigmoid HardSwish Identity InstanceNormalization IsInf
    IsNaN LSTM LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax MatMul Max MaxPool Mean Min
    Mish Mod Mul Neg Not Or PRelu Pad Pow Range Reciprocal ReduceL1 ReduceL2 ReduceLogSumExp ReduceMax
    ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Round ScatterElements
    ScatterND Selu Shape Sigmoid Sign Sin Sinh Size Slice Softmax Softplus Softsign Split Sqrt Squeeze
    Sub Sum Tan Tanh Tile Transpose Trilu Unsqueeze Where Xor
"""
ALLOWED_OPERATORS = frozenset(_ALLOWED.split())


@dataclasses.dataclass(frozen=True)
class Port:
    """One input or output: its name and dimensions, None where a dimension must be free to vary."""

    name: str
    shape: tuple[int | None, ...]


def control_ports(spec: SynthSpec) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    """Inputs and outputs of a control network (see docs/architecture.md)."""
    inputs = (
        Port("z", (None, spec.latent_size)),
        Port("pitch", (None,)),
        Port("velocity", (None,)),
        Port("time_on", (None, None)),
        Port("time_off", (None, None)),
    )
    outputs = (
        Port("f0_ratio", (None, None)),
        Port("amplitude", (None, None)),
        Port("harmonics", (None, None, spec.n_harmonics)),
        Port("noise", (None, None, spec.n_noise_bands)),
    )
    return inputs, outputs


# What a control network may take besides: how much shimmer is wanted, 1 for as much as it learned, and in seconds how
# far it has come, which neither stretches with the note nor begins with it.
SHIMMER = (Port("shimmer", (None, None)), Port("shimmer_clock", (None, None)))


def encoder_ports(spec: SynthSpec) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    """Inputs and outputs of an encoder: log-mel frames of a recording to a latent's mean and log variance."""
    inputs = (Port("log_mel", (None, None, N_MELS)),)
    outputs = (Port("mean", (None, spec.latent_size)), Port("logvar", (None, spec.latent_size)))
    return inputs, outputs


def check_graph(
    data: bytes, label: str, inputs: Sequence[Port], outputs: Sequence[Port], optional: Sequence[Port] = ()
) -> None:
    """Raise BadFile unless `data` is a self-contained float32 ONNX model with just these inputs and outputs.

    label: how messages call it. optional: inputs that it may have, all or none. Memory that running it would take is
    not bounded here: only its inputs are.
    """
    import onnx  # 50 ms, so only where a file is opened

    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:  # the parser's own errors have no common base class
        raise BadFile(f"its {label} is not an ONNX model", "download or export it again") from error
    _check_model(model, label)
    _check_tensors(model.graph, label)
    _check_nodes(model.graph, label)
    named = {_text(value.name) for value in model.graph.input}
    taken = (*inputs, *(optional if any(port.name in named for port in optional) else ()))
    for values, ports, kind in (
        (model.graph.input, taken, "inputs"),
        (model.graph.output, outputs, "outputs"),
    ):
        _check_ports(values, ports, f"{label} {kind}", free_only=kind == "inputs")


def _check_model(model: Any, label: str) -> None:
    opsets = [(entry.domain, entry.version) for entry in model.opset_import]
    if len(opsets) != 1 or opsets[0][0] not in ("", "ai.onnx"):
        raise BadFile(f"its {label} needs operators outside the ONNX standard", "export it without custom operators")
    if not MIN_OPSET <= opsets[0][1] <= MAX_OPSET:
        raise BadFile(
            f"its {label} uses ONNX opset {opsets[0][1]}, not {MIN_OPSET} to {MAX_OPSET}",
            "update noisysynth or export it again",
        )
    if len(model.functions) or len(model.training_info):
        raise BadFile(f"its {label} holds functions or training graphs", "export it as one plain graph")


def _check_tensors(graph: Any, label: str) -> None:
    if len(graph.sparse_initializer) or len(graph.quantization_annotation):
        raise BadFile(f"its {label} holds sparse or quantized weights", "export it with plain float weights")
    for tensor in graph.initializer:
        _check_tensor(tensor, label)


def _check_tensor(tensor: Any, label: str) -> None:
    if tensor.data_location != 0 or len(tensor.external_data):
        raise BadFile(f"its {label} keeps weights in another file", "export it with its weights inside")
    if tensor.data_type not in _numeric_types():
        raise BadFile(f"its {label} holds weights that are not numbers")
    if any(size < 0 or size > 2**31 for size in tensor.dims) or len(tensor.dims) > 8:
        raise BadFile(f"its {label} holds weights with an impossible shape")


@functools.cache
def _numeric_types() -> frozenset[int]:
    import onnx

    t = onnx.TensorProto
    return frozenset((t.FLOAT, t.DOUBLE, t.FLOAT16, t.INT8, t.UINT8, t.INT32, t.INT64, t.BOOL))


def _check_nodes(graph: Any, label: str) -> None:
    if len(graph.node) > MAX_NODES:
        raise BadFile(f"its {label} has {len(graph.node)} nodes, limit {MAX_NODES}")
    for node in graph.node:
        domain, op_type = _text(node.domain), _text(node.op_type)
        if domain not in ("", "ai.onnx") or op_type not in ALLOWED_OPERATORS:
            name = f"{domain}.{op_type}" if domain else op_type
            raise BadFile(f"its {label} uses the operator {quoted(name)}, which instruments may not")
        for attribute in node.attribute:
            if attribute.HasField("g") or len(attribute.graphs):
                raise BadFile(f"its {label} holds a graph inside a graph", "export it as one plain graph")
            if attribute.HasField("sparse_tensor") or len(attribute.sparse_tensors) or attribute.ref_attr_name:
                raise BadFile(f"its {label} holds an attribute that instruments may not")
            if attribute.HasField("t"):
                _check_tensor(attribute.t, label)
            for tensor in attribute.tensors:
                _check_tensor(tensor, label)


def _check_ports(values: Any, ports: Sequence[Port], label: str, *, free_only: bool) -> None:
    names = [_text(value.name) for value in values]
    expected = [port.name for port in ports]
    if sorted(names) != sorted(expected):
        raise BadFile(f"its {label} are {quoted(', '.join(names))}, not {', '.join(expected)}")
    by_name = dict(zip(names, values, strict=True))
    for port in ports:
        kind = by_name[port.name].type
        if not kind.HasField("tensor_type") or kind.tensor_type.elem_type != 1:
            raise BadFile(f"its {label}: {port.name} is not float32")
        # An exporter may leave an output's shape open; what it really is, a probe at load finds out.
        if not kind.tensor_type.HasField("shape"):
            if free_only:
                raise BadFile(f"its {label}: {port.name} has no shape")
            continue
        dimensions = kind.tensor_type.shape.dim
        if len(dimensions) != len(port.shape):
            raise BadFile(f"its {label}: {port.name} has {len(dimensions)} dimensions, not {len(port.shape)}")
        for dimension, size in zip(dimensions, port.shape, strict=True):
            fixed = dimension.dim_value if dimension.HasField("dim_value") else None
            if size is None and fixed is not None and free_only:
                raise BadFile(f"its {label}: {port.name} has a fixed size where it must be free")
            if size is not None and fixed is not None and fixed != size:
                raise BadFile(f"its {label}: {port.name} has a size of {fixed} where the spec says {size}")
            if size is not None and fixed is None and free_only:
                raise BadFile(f"its {label}: {port.name} leaves a size open where the spec says {size}")


def _text(value: str | bytes) -> str:
    """Protobuf hands out a string that is not UTF-8 as bytes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
