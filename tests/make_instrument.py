"""A small but genuine instrument for everybody's tests, built without torch."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from noisysynth.instrument import (
    Direction,
    Instrument,
    PadPoint,
    Preset,
    Training,
    write_instrument,
)
from noisysynth.spec import SynthSpec, midi_to_hz

SPEC = SynthSpec(n_harmonics=40, n_noise_bands=64, latent_size=8)
ATTACK_S = 0.01
RELEASE_S = 0.08
LEVEL = 0.3  # amplitude of a full-velocity note
NOISE_LEVEL = 0.002  # RMS of every noise band of a full-velocity note with z[1] = 0
TILT_PER_Z = 0.5  # partial k has amplitude k ** (TILT_PER_Z * tanh(z[0]) - 1)
HIGHEST_HZ = 20_000.0
SHIMMER_HZ, SHIMMER_DEPTH = 8.0, 0.5  # of the whole tone, and only where other than the usual shimmer is asked for


def expected_controls(
    spec: SynthSpec,
    z: NDArray[Any],
    pitch: NDArray[Any],
    velocity: NDArray[Any],
    time_on: NDArray[Any],
    time_off: NDArray[Any],
    shimmer: NDArray[Any] | float = 1.0,
    shimmer_clock: NDArray[Any] | None = None,
) -> dict[str, NDArray[np.float32]]:
    """What the network of `control_onnx` computes, in float64: the definition that it is tested against."""
    z, pitch, velocity, time_on, time_off = (
        np.asarray(value, np.float64) for value in (z, pitch, velocity, time_on, time_off)
    )
    k = np.arange(1, spec.n_harmonics + 1)
    attack = 1.0 - np.exp(-time_on / ATTACK_S)
    release = np.exp(-np.maximum(time_off, 0.0) / RELEASE_S)
    gain = velocity[:, None] * attack * release
    clock = time_on if shimmer_clock is None else np.asarray(shimmer_clock, np.float64)
    tremble = 1.0 + SHIMMER_DEPTH * (np.asarray(shimmer, np.float64) - 1.0) * np.sin(2.0 * np.pi * SHIMMER_HZ * clock)
    weights = np.exp((TILT_PER_Z * np.tanh(z[:, :1]) - 1.0) * np.log(k))
    weights *= k * midi_to_hz(pitch)[:, None] < HIGHEST_HZ
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    controls = {
        "f0_ratio": np.ones_like(gain),
        "amplitude": LEVEL * gain * tremble,
        "harmonics": np.broadcast_to(weights[:, None, :], (*gain.shape, spec.n_harmonics)),
        "noise": np.broadcast_to(
            (NOISE_LEVEL * gain * np.exp(np.tanh(z[:, 1:2])))[:, :, None], (*gain.shape, spec.n_noise_bands)
        ),
    }
    return {name: np.ascontiguousarray(value, np.float32) for name, value in controls.items()}


class _Graph:
    """Just enough of a graph builder: `op` adds a node, a number or array becomes an initializer."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def constant(self, value: Any, dtype: Any = np.float32) -> str:
        name = f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def op(self, kind: str, *inputs: Any, output: str | None = None, **attributes: Any) -> str:
        names = [value if isinstance(value, str) else self.constant(value) for value in inputs]
        output = output or f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, names, [output], **attributes))
        return output

    def column(self, value: str, index: int) -> str:
        """value [V, Z] -> [V, 1], one of its columns."""
        return self.op("Gather", value, self.constant([index], np.int64), axis=1)

    def unsqueeze(self, value: str, axis: int) -> str:
        return self.op("Unsqueeze", value, self.constant([axis], np.int64))


def _value(name: str, shape: Sequence[str | int]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


@functools.cache
def control_onnx(spec: SynthSpec = SPEC, shimmers: bool = True) -> bytes:
    """A control network: velocity times attack and release, k ** tilt(z[0]) partials, noise by z[1].

    shimmers: it takes how much; files of older versions do not.
    """
    g = _Graph()
    k = np.arange(1, spec.n_harmonics + 1)

    attack = g.op("Sub", 1.0, g.op("Exp", g.op("Mul", "time_on", -1.0 / ATTACK_S)))
    held = g.op("Max", "time_off", 0.0)
    release = g.op("Exp", g.op("Mul", held, -1.0 / RELEASE_S))
    gain = g.op("Mul", g.unsqueeze("velocity", 1), g.op("Mul", attack, release))
    tone = gain
    if shimmers:
        wave = g.op("Sin", g.op("Mul", "shimmer_clock", 2.0 * np.pi * SHIMMER_HZ))
        beyond = g.op("Mul", g.op("Sub", "shimmer", 1.0), SHIMMER_DEPTH)
        tone = g.op("Mul", gain, g.op("Add", g.op("Mul", beyond, wave), 1.0))
    g.op("Mul", tone, LEVEL, output="amplitude")
    g.op("Add", g.op("Mul", gain, 0.0), 1.0, output="f0_ratio")

    tilt = g.op("Sub", g.op("Mul", g.op("Tanh", g.column("z", 0)), TILT_PER_Z), 1.0)
    weights = g.op("Exp", g.op("Mul", tilt, np.log(k)[None, :]))
    octaves = g.op("Mul", g.op("Sub", "pitch", 69.0), np.log(2.0) / 12.0)
    f0_hz = g.op("Mul", g.op("Exp", g.unsqueeze(octaves, 1)), 440.0)
    audible = g.op("Less", g.op("Mul", f0_hz, k[None, :].astype(np.float32)), HIGHEST_HZ)
    weights = g.op("Mul", weights, g.op("Cast", audible, to=TensorProto.FLOAT))
    total = g.op("Max", g.op("ReduceSum", weights, g.constant([1], np.int64), keepdims=1), 1e-9)
    weights = g.unsqueeze(g.op("Div", weights, total), 1)
    ones = g.op("Add", g.op("Mul", g.unsqueeze(gain, 2), 0.0), 1.0)
    g.op("Mul", ones, weights, output="harmonics")

    breath = g.op("Mul", g.op("Exp", g.op("Tanh", g.column("z", 1))), NOISE_LEVEL)
    noise = g.unsqueeze(g.op("Mul", gain, breath), 2)
    g.op("Mul", noise, np.ones((1, 1, spec.n_noise_bands)), output="noise")

    inputs = [
        _value("z", ("V", spec.latent_size)),
        _value("pitch", ("V",)),
        _value("velocity", ("V",)),
        _value("time_on", ("V", "F")),
        _value("time_off", ("V", "F")),
        *([_value("shimmer", ("V", "F")), _value("shimmer_clock", ("V", "F"))] if shimmers else []),
    ]
    outputs = [
        _value("f0_ratio", ("V", "F")),
        _value("amplitude", ("V", "F")),
        _value("harmonics", ("V", "F", spec.n_harmonics)),
        _value("noise", ("V", "F", spec.n_noise_bands)),
    ]
    return _model_bytes(g, "control", inputs, outputs)


@functools.cache
def encoder_onnx(spec: SynthSpec = SPEC) -> bytes:
    """An encoder of the right shape: the mean over time of the first mel bands."""
    g = _Graph()
    level = g.op("ReduceMean", "log_mel", axes=[1], keepdims=0)
    columns = g.constant(np.arange(spec.latent_size), np.int64)
    g.op("Tanh", g.op("Gather", level, columns, axis=1), output="mean")
    g.op("Mul", "mean", 0.0, output="logvar")
    inputs = [_value("log_mel", ("B", "T", 80))]
    outputs = [_value("mean", ("B", spec.latent_size)), _value("logvar", ("B", spec.latent_size))]
    return _model_bytes(g, "encoder", inputs, outputs)


def _model_bytes(
    g: _Graph, name: str, inputs: Sequence[onnx.ValueInfoProto], outputs: Sequence[onnx.ValueInfoProto]
) -> bytes:
    graph = helper.make_graph(g.nodes, name, inputs, outputs, g.initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def golden_vectors(spec: SynthSpec = SPEC) -> dict[str, NDArray[np.float32]]:
    """Inputs and expected controls of three voices and five frames."""
    rng = np.random.default_rng(1)
    time_on = np.tile(np.array([0.0, 0.004, 0.05, 0.5, 0.55], np.float32), (3, 1))
    inputs = {
        "z": rng.normal(size=(3, spec.latent_size)).astype(np.float32),
        "pitch": np.array([36.0, 60.5, 108.0], np.float32),
        "velocity": np.array([0.2, 0.7, 1.0], np.float32),
        "time_on": time_on,
        "time_off": time_on - np.float32(0.5),
    }
    return {**inputs, **expected_controls(spec, **inputs)}


def make_test_instrument(spec: SynthSpec = SPEC, **changes: Any) -> Instrument:
    """A valid Instrument: three presets, two directions, a pad. `changes` replace fields of Instrument."""

    def unit(index: int, scale: float = 1.0) -> NDArray[np.float32]:
        vector = np.zeros(spec.latent_size, np.float32)
        vector[index % spec.latent_size] = scale
        return vector

    instrument = Instrument(
        name="Test Organ",
        description="Additive test tones; z[0] tilts the spectrum, z[1] sets the breath.",
        spec=spec,
        directions=(
            Direction("Bright", unit(0), "spectral tilt -1.5 to -0.5 powers of k", {"correlation": 1.0}),
            Direction("Breath", unit(1), "noise 0.4 to 2.7 times", {"correlation": 1.0}),
        ),
        pad_axes=(unit(0, 2.0), unit(1, 2.0)),
        pad_points=(
            PadPoint("Plain", 0.0, 0.0),
            PadPoint("Bright", 0.75, 0.0),
            PadPoint("Breathy", 0.0, 0.5),
        ),
        pitch_range=(24, 96),
        training=Training("none: built by hand", "CC0-1.0", ("made for tests",), metrics={"parity": 0.0}),
        presets=(
            Preset("Plain", unit(0, 0.0), {}, ("keys",)),
            Preset("Bright", unit(0, 1.5), {"brightness": 3.0}, ("keys", "bright")),
            Preset("Breathy", unit(1, 1.0), {"noise_level": 6.0, "attack": 2.0}, ("wind",)),
        ),
        control_onnx=control_onnx(spec),
        encoder_onnx=encoder_onnx(spec),
        golden=golden_vectors(spec),
    )
    return dataclasses.replace(instrument, **changes)


def write_test_instrument(path: Path, spec: SynthSpec = SPEC, **changes: Any) -> Path:
    """Write `make_test_instrument(spec, **changes)` to `path`; returns the path."""
    return write_instrument(path, make_test_instrument(spec, **changes))
