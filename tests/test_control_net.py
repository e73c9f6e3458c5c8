"""The control network at play: right numbers, refused when it cannot be trusted, served by what is fastest."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from make_instrument import SPEC, control_onnx, expected_controls, make_test_instrument
from onnx import TensorProto, helper, numpy_helper

from noisysynth.engine import control_net
from noisysynth.engine.control_net import CPU, CUDA, ControlNet, choose_provider, golden_error, probe_inputs
from noisysynth.errors import UserError
from noisysynth.instrument import Instrument, read_instrument, write_instrument
from noisysynth.spec import SynthSpec


@pytest.fixture(scope="module")
def net() -> ControlNet:
    return ControlNet(make_test_instrument())


def changed(change: Callable[[onnx.ModelProto], Any], spec: SynthSpec = SPEC) -> Instrument:
    """The test instrument with another control network; not read back, so past the file's own checks."""
    model = onnx.load_model_from_string(control_onnx(spec))
    change(model)
    return dataclasses.replace(make_test_instrument(), control_onnx=model.SerializeToString())


def line(instrument: Instrument) -> str:
    with pytest.raises(UserError) as caught:
        ControlNet(instrument)
    text = str(caught.value)
    assert text.startswith("Test Organ: its control network ")
    assert text.endswith("; export the instrument again")
    assert text.isprintable()
    return text


@pytest.mark.parametrize(("voices", "frames"), [(1, 1), (1, 3), (4, 2), (64, 3), (3, 200)])
def test_controls_are_those_of_the_definition(net: ControlNet, voices: int, frames: int) -> None:
    inputs = probe_inputs(SPEC, voices, frames)
    expected = expected_controls(SPEC, **inputs)
    controls = net.run(**inputs)
    for name, values in controls._asdict().items():
        assert values.dtype == np.float32
        np.testing.assert_allclose(values, expected[name], rtol=2e-5, atol=1e-6, err_msg=name)


def test_golden_vectors_are_reproduced(net: ControlNet) -> None:
    assert golden_error(net, make_test_instrument()) < 1e-6


def test_golden_error_sees_a_difference(net: ControlNet) -> None:
    instrument = make_test_instrument()
    golden = dict(instrument.golden)
    golden["noise"] = golden["noise"].copy()
    golden["noise"][1, 2, 3] += 0.01
    assert golden_error(net, dataclasses.replace(instrument, golden=golden)) == pytest.approx(0.01, rel=1e-3)


def test_results_are_fresh_arrays(net: ControlNet) -> None:
    inputs = probe_inputs(SPEC, 2, 3)
    first = net.run(**inputs)
    kept = first.amplitude.copy()
    net.run(**{**inputs, "velocity": np.zeros(2, np.float32)})
    np.testing.assert_array_equal(first.amplitude, kept)


def test_a_voice_does_not_depend_on_its_neighbours(net: ControlNet) -> None:
    inputs = probe_inputs(SPEC, 64, 3)
    together = net.run(**inputs)
    alone = net.run(**{name: values[5:6] for name, values in inputs.items()})
    for one, many in zip(alone, together, strict=True):
        np.testing.assert_allclose(one[0], many[5], rtol=1e-6, atol=1e-7)


def test_no_partial_at_or_above_20_khz(net: ControlNet) -> None:
    inputs = probe_inputs(SPEC, 2, 1)
    inputs["pitch"] = np.array([20.0, 108.0], np.float32)
    harmonics = net.run(**inputs).harmonics
    np.testing.assert_array_equal(harmonics[1, 0, 4:], 0.0)  # 4186 Hz: the fifth partial is beyond
    np.testing.assert_allclose(harmonics.sum(-1), 1.0, rtol=1e-5)


def test_more_shimmer_is_told_frame_by_frame_and_is_1_by_default(net: ControlNet) -> None:
    assert net.shimmers
    inputs = probe_inputs(SPEC, 3, 5)
    wanted = np.linspace(0.0, 2.0, 15, dtype=np.float32).reshape(3, 5)
    clock = np.linspace(5.0, 6.0, 15, dtype=np.float32).reshape(3, 5)
    for told, given in (
        ({"shimmer": wanted}, {"shimmer": wanted}),
        ({"shimmer": wanted, "shimmer_clock": clock}, {"shimmer": wanted, "shimmer_clock": clock}),
        ({"shimmer": np.ones_like(wanted)}, {}),
    ):
        expected = expected_controls(SPEC, **inputs, **told)["amplitude"]
        np.testing.assert_allclose(net.run(**inputs, **given).amplitude, expected, rtol=2e-3, atol=1e-6)


def test_a_network_of_an_older_version_plays_as_ever(tmp_path: Path, net: ControlNet) -> None:
    older = dataclasses.replace(make_test_instrument(), control_onnx=control_onnx(SPEC, shimmers=False))
    write_instrument(tmp_path / "older.noisy", older)
    still = ControlNet(read_instrument(tmp_path / "older.noisy"))
    assert not still.shimmers
    inputs = probe_inputs(SPEC, 3, 5)
    told = still.run(**inputs, shimmer=np.full((3, 5), 2.0, np.float32))
    for values, as_ever in zip(told, net.run(**inputs), strict=True):
        np.testing.assert_allclose(values, as_ever, rtol=1e-6, atol=1e-9)


# ---- what is refused


def test_garbage_cannot_be_loaded() -> None:
    assert "cannot be loaded" in line(dataclasses.replace(make_test_instrument(), control_onnx=b"garbage"))


def test_a_dangling_graph_cannot_be_loaded() -> None:
    assert "cannot be loaded" in line(changed(lambda model: model.graph.node.pop()))


def test_too_few_partials_are_noticed() -> None:
    def open_the_shape(model: onnx.ModelProto) -> None:
        model.graph.output[2].CopyFrom(helper.make_tensor_value_info("harmonics", TensorProto.FLOAT, ["V", "F", "H"]))

    narrow = dataclasses.replace(SPEC, n_harmonics=39)
    assert "gives harmonics as float32 (1, 1, 39), not float32 (1, 1, 40)" in line(changed(open_the_shape, narrow))


def test_a_network_that_works_for_one_voice_only_is_noticed() -> None:
    def fix_the_batch(model: onnx.ModelProto) -> None:
        for node in model.graph.node:
            if node.output[0] == "amplitude":
                model.graph.initializer.append(numpy_helper.from_array(np.array([1, 1], np.int64), "one"))
                scaled = node.output[0] = "scaled"
                model.graph.node.append(helper.make_node("Reshape", [scaled, "one"], ["amplitude"]))
                return

    assert "does not run" in line(changed(fix_the_batch))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_noticed(value: float) -> None:
    def poison(model: onnx.ModelProto) -> None:
        for tensor in model.graph.initializer:
            if numpy_helper.to_array(tensor).size == SPEC.n_noise_bands:
                bands = np.full((1, 1, SPEC.n_noise_bands), value, np.float32)
                tensor.CopyFrom(numpy_helper.from_array(bands, tensor.name))

    assert "noise that are not finite" in line(changed(poison))


# ---- providers


@pytest.mark.alone
def test_without_cuda_the_cpu_is_chosen_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_net.ort, "get_available_providers", lambda: [CPU])
    monkeypatch.setattr(control_net, "ControlNet", None)  # nothing may be loaded, let alone measured
    start_s = time.perf_counter()
    assert choose_provider(make_test_instrument()) == CPU
    assert time.perf_counter() - start_s < 0.5


def test_a_cuda_that_does_not_work_is_passed_over_in_silence() -> None:
    """In a process of its own: ONNX Runtime writes to the C streams, and tells a thing once."""
    code = (
        "from make_instrument import make_test_instrument\n"
        "from noisysynth.engine import control_net\n"
        "control_net._has_cuda_device = lambda: True\n"
        "print(control_net.choose_provider(make_test_instrument()))\n"
    )
    paths = os.pathsep.join(path for path in sys.path if path)
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": paths}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{CPU}\n", "")


class _Timed:
    """Stands for a ControlNet of either provider; `seconds` says how long its batches take."""

    seconds: dict[str, float]
    spec = SPEC

    def __init__(self, instrument: Instrument, providers: tuple[str, ...] = (CPU,)) -> None:
        self.provider = providers[0]


@pytest.mark.parametrize(("cuda_s", "cpu_s", "chosen"), [(0.5, 1.0, CUDA), (1.0, 0.5, CPU), (1.0, 1.0, CPU)])
def test_the_faster_provider_is_chosen(
    monkeypatch: pytest.MonkeyPatch, cuda_s: float, cpu_s: float, chosen: str
) -> None:
    times_s = {CUDA: cuda_s, CPU: cpu_s}
    monkeypatch.setattr(control_net.ort, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(control_net, "_has_cuda_device", lambda: True)
    monkeypatch.setattr(control_net, "ControlNet", _Timed)
    monkeypatch.setattr(control_net, "measure_seconds", lambda net: times_s[net.provider])
    assert choose_provider(make_test_instrument()) == chosen


def test_a_gpu_that_fails_while_it_is_measured_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(net: Any) -> float:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(control_net.ort, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(control_net, "_has_cuda_device", lambda: True)
    monkeypatch.setattr(control_net, "ControlNet", _Timed)
    monkeypatch.setattr(control_net, "measure_seconds", fail)
    assert choose_provider(make_test_instrument()) == CPU


@pytest.mark.alone
def test_measuring_takes_a_plausible_time(net: ControlNet) -> None:
    assert 1e-6 < control_net.measure_seconds(net) < 0.5
