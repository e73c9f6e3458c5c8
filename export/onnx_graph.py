"""Torch modules to ONNX graphs that fit the contract, checked."""

from __future__ import annotations

import copy
import inspect
import tempfile
import warnings
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from noisysynth.errors import UserError
from noisysynth.graph_check import N_MELS, SHIMMER, Port, check_graph, control_ports, encoder_ports
from noisysynth.sealed_zip import BadFile
from noisysynth.spec import SynthSpec

OPSET = 17
_AXIS_NAMES = ("V", "F")


def export_control(generator: nn.Module, spec: SynthSpec) -> bytes:
    """The control network as ONNX, any number of voices and frames."""
    voices, frames = 2, 3  # any but 1: a tracer takes 1 for a constant
    inputs: tuple[Tensor, ...] = (
        torch.zeros(voices, spec.latent_size),
        torch.full((voices,), 60.0),
        torch.full((voices,), 0.5),
        torch.rand(voices, frames),
        torch.rand(voices, frames) - 0.5,
    )
    taken, given = control_ports(spec)
    if takes_shimmer(generator):
        inputs, taken = (*inputs, *torch.rand(2, voices, frames)), (*taken, *SHIMMER)
    return _export(generator, inputs, (taken, given), "control.onnx")


def takes_shimmer(generator: nn.Module) -> bool:
    """Whether it can be told how much shimmer is wanted, and when."""
    return {port.name for port in SHIMMER} <= inspect.signature(generator.forward).parameters.keys()


def export_encoder(encoder: nn.Module, spec: SynthSpec) -> bytes:
    """The encoder as ONNX, any number of recordings and mel frames."""
    return _export(encoder, (torch.zeros(2, 50, N_MELS),), encoder_ports(spec), "encoder.onnx")


def _export(
    module: nn.Module, inputs: tuple[Tensor, ...], ports: tuple[tuple[Port, ...], tuple[Port, ...]], label: str
) -> bytes:
    module = copy.deepcopy(module).to("cpu", torch.float32).eval()
    free = {
        port.name: {axis: _AXIS_NAMES[axis] for axis, size in enumerate(port.shape) if size is None}
        for port in (*ports[0], *ports[1])
    }
    with tempfile.TemporaryDirectory() as folder, torch.no_grad(), warnings.catch_warnings():
        path = Path(folder) / "graph.onnx"
        # The tracing exporter is deprecated but makes smaller, faster graphs here than its successor, and needs no
        # further package. It warns of constants in the trace; parity is measured afterwards.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            inputs,
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=[port.name for port in ports[0]],
            output_names=[port.name for port in ports[1]],
            dynamic_axes=free,
        )
        data = path.read_bytes()
    try:
        onnx.checker.check_model(data, full_check=True)
        check_graph(data, label, *ports)
    except (BadFile, onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{label}: the exported graph breaks the contract ({reason}); this is a bug in the model"
        ) from None
    return data
