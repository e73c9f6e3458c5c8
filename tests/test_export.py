"""Export: the file says what the network says, knobs do what they are called, and a broken network is refused."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from make_instrument import make_test_instrument
from onnx import numpy_helper
from torch import Tensor, nn

from noisysynth.engine.control_net import ControlNet, golden_error
from noisysynth.errors import UserError
from noisysynth.export import build, cli_export, directions, parity
from noisysynth.export.build import build_instrument, write_checked
from noisysynth.export.descriptors import DESCRIPTORS, measure
from noisysynth.export.directions import find_directions
from noisysynth.export.families import family_of, readable_name, unique_names
from noisysynth.export.golden import AUDIO_HOP, AUDIO_RATE, N_FRAMES
from noisysynth.export.latent_map import PAD_SIGMAS, make_latent_map, principal_axes
from noisysynth.export.onnx_graph import export_control
from noisysynth.export.parity import Row, check_parity, format_table, measure_parity
from noisysynth.export.source import Source, TrainingNotes
from noisysynth.instrument import Instrument, Training, read_instrument
from noisysynth.spec import SynthSpec
from noisysynth.train.checkpoint import Latents, build_networks, save_checkpoint, save_latents
from noisysynth.train.config import PRESETS
from noisysynth.train.networks.encoder import Encoder
from noisysynth.train.networks.generator import Generator, GeneratorConfig

SPEC = SynthSpec(n_harmonics=24, n_noise_bands=8, latent_size=6)
NAMES = ("acoustic_grand_piano", "flute", "mystery", "flute", "never played")


class Knobs(nn.Module):
    """A generator whose latent, behind a rotation, is six qualities that a listener could name."""

    def __init__(self, spec: SynthSpec = SPEC) -> None:
        super().__init__()
        self.spec = spec
        rotation = np.linalg.qr(np.random.default_rng(3).normal(size=(spec.latent_size,) * 2))[0]
        self.rotation = nn.Parameter(torch.from_numpy(rotation.astype(np.float32)))
        self.register_buffer("k", torch.arange(1, spec.n_harmonics + 1).float())

    def forward(
        self, z: Tensor, pitch: Tensor, velocity: Tensor, time_on: Tensor, time_off: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        quality = torch.tanh(0.4 * (z @ self.rotation)).unsqueeze(1)
        bright, air, swell, fall, ring, hollow = (quality[..., i] for i in range(6))
        off = time_off.clamp(min=0.0)
        attack = 1.0 - torch.exp(-time_on / (0.03 * torch.exp(1.2 * swell)))
        level = attack * torch.exp(-(1.0 + fall) * time_on - off / (0.1 * torch.exp(1.2 * ring)))
        gain = level * velocity.unsqueeze(1)
        odd = (self.k % 2.0) * (self.k > 1.5)
        weights = torch.exp((0.8 * bright.unsqueeze(-1) - 1.2) * torch.log(self.k) + hollow.unsqueeze(-1) * (odd - 0.3))
        f0_hz = 440.0 * torch.exp((pitch - 69.0) * (math.log(2.0) / 12.0))
        weights = weights * (f0_hz[:, None, None] * self.k < 20_000.0)
        harmonics = weights / weights.sum(-1, keepdim=True).clamp(min=1e-9) * torch.ones_like(gain).unsqueeze(-1)
        noise = (0.02 * gain * torch.exp(1.5 * air)).unsqueeze(-1) * torch.ones(self.spec.n_noise_bands)
        return torch.ones_like(gain), 0.3 * gain, harmonics, noise


def training_notes(spec: SynthSpec = SPEC, n: int = 120) -> TrainingNotes:
    rng = np.random.default_rng(5)
    instrument = rng.integers(4, size=n)  # the fifth name has no notes
    centers = rng.normal(size=(4, spec.latent_size))
    z = (centers[instrument] + 0.5 * rng.normal(size=(n, spec.latent_size))).astype(np.float32)
    pitch = rng.uniform(40.0, 80.0, n).astype(np.float32)
    return TrainingNotes(z, instrument, NAMES, pitch, rng.random(n).astype(np.float32))


def small_generator(seed: int = 0) -> Generator:
    torch.manual_seed(seed)
    return Generator(SPEC, GeneratorConfig(width=16, n_layers=1, mapping_width=16)).eval()


def make_source(generator: nn.Module | None = None, **changes: Any) -> Source:
    torch.manual_seed(1)
    source = Source(
        label="RUN",
        spec=SPEC,
        generator=generator or small_generator(),
        encoder=Encoder(SPEC, width=8).eval(),
        notes=training_notes(),
        training=Training("toy notes", "CC0-1.0", ("nobody",), 0.5, 100, {"frechet": 1.0}),
    )
    return dataclasses.replace(source, **changes)


@pytest.fixture(autouse=True)
def few_measurements(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough for a file; `built`, being set up earlier, has directions measured in full."""
    monkeypatch.setattr(directions, "N_FITTED", 48)
    monkeypatch.setattr(directions, "N_LADDERS", 2)


@pytest.fixture(scope="module", autouse=True)
def built() -> tuple[Source, Instrument, tuple[Row, ...]]:
    source = make_source(Knobs())
    instrument, rows = build_instrument(source, "Toy", "A toy.")
    return source, instrument, rows


# ---- the whole way


def test_a_run_becomes_a_file_that_plays_what_torch_computes(
    built: tuple[Source, Instrument, tuple[Row, ...]], tmp_path: Path
) -> None:
    source, instrument, rows = built
    assert all(row.passes for row in rows), format_table(rows)
    path = tmp_path / "toy.noisy"
    assert write_checked(path, instrument) == path.stat().st_size
    read = read_instrument(path)
    net = ControlNet(read)
    assert golden_error(net, read) < 1e-5
    inputs = parity.random_inputs(read, 5, 9, np.random.default_rng(9))
    with torch.no_grad():
        expected = source.generator(*(torch.from_numpy(values) for values in inputs.values()))
    for mine, theirs in zip(net.run(**inputs), expected, strict=True):
        np.testing.assert_allclose(mine, theirs.numpy(), atol=1e-5)
    assert read.training.metrics["frechet"] == 1.0
    assert read.training.metrics["parity_amplitude"] <= 1e-4
    assert read.pitch_range == (40, 80)
    assert [entry.name for entry in tmp_path.iterdir()] == ["toy.noisy"]


def test_the_trainers_own_networks_export(tmp_path: Path) -> None:
    instrument, rows = build_instrument(make_source(), "Real", "")
    assert all(row.passes for row in rows), format_table(rows)
    write_checked(tmp_path / "a.noisy", instrument)
    assert read_instrument(tmp_path / "a.noisy").encoder_onnx


def test_exporting_twice_gives_the_same_file(tmp_path: Path) -> None:
    for name in ("a.noisy", "b.noisy"):
        instrument, _ = build_instrument(make_source(), "Same", "")
        write_checked(tmp_path / name, instrument)
    assert (tmp_path / "a.noisy").read_bytes() == (tmp_path / "b.noisy").read_bytes()


def test_the_encoder_takes_any_length(built: tuple[Source, Instrument, tuple[Row, ...]]) -> None:
    import onnxruntime

    source, instrument, _ = built
    session = onnxruntime.InferenceSession(instrument.encoder_onnx, providers=["CPUExecutionProvider"])
    for batch, frames in ((1, 40), (3, 333)):
        log_mel = np.random.default_rng(2).normal(size=(batch, frames, 80)).astype(np.float32)
        mean, log_variance = session.run(["mean", "logvar"], {"log_mel": log_mel})
        with torch.no_grad():
            expected = source.encoder(torch.from_numpy(log_mel))  # type: ignore[misc]
        np.testing.assert_allclose(mean, expected[0].numpy(), atol=1e-5)
        np.testing.assert_allclose(log_variance, expected[1].numpy(), atol=1e-5)


def test_the_encoder_and_the_player_agree_on_features() -> None:
    from noisysynth import features, graph_check

    assert features.N_MELS == graph_check.N_MELS


def test_export_leaves_the_run_as_it_was() -> None:
    generator = small_generator().train()
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    build_instrument(make_source(generator), "Same", "")
    assert generator.training
    for name, value in generator.state_dict().items():
        assert torch.equal(value, before[name]), name


# ---- parity can fail


def _scaled(model: onnx.ModelProto, factor: float) -> bytes:
    """The model with its largest weights scaled a little."""
    tensor = max(model.graph.initializer, key=lambda tensor: numpy_helper.to_array(tensor).size)
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * np.float32(factor), tensor.name))
    return bytes(model.SerializeToString())


def test_parity_refuses_a_slightly_broken_network(built: tuple[Source, Instrument, tuple[Row, ...]]) -> None:
    source, instrument, _ = built
    broken = _scaled(onnx.load_model_from_string(instrument.control_onnx), 1.01)
    rows = measure_parity(source.generator, dataclasses.replace(instrument, control_onnx=broken))
    assert "FAILS" in format_table(rows)
    with pytest.raises(UserError, match=r"torch / ONNX, harmonics differ by .*; nothing was written"):
        check_parity(rows)


def test_parity_refuses_another_batch_result(
    built: tuple[Source, Instrument, tuple[Row, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, instrument, _ = built
    run = ControlNet.run

    def crosstalk(self: ControlNet, **inputs: Any) -> Any:
        controls = run(self, **inputs)
        return controls._replace(amplitude=controls.amplitude + np.float32(2e-4) * len(inputs["pitch"]) / 64)

    monkeypatch.setattr(ControlNet, "run", crosstalk)
    failed = [row.metric for row in measure_parity(source.generator, instrument) if not row.passes]
    assert "parity_batch" in failed


def test_parity_refuses_another_audio_kernel(
    built: tuple[Source, Instrument, tuple[Row, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, instrument, _ = built
    audio = parity.harmonic_audio
    monkeypatch.setattr(parity, "harmonic_audio", lambda golden: audio(golden) * np.float32(1.01))
    failed = {row.metric: row.value for row in measure_parity(source.generator, instrument) if not row.passes}
    assert failed == {"parity_audio_db": pytest.approx(-40.0, abs=0.1)}


def test_a_difference_that_is_no_number_fails() -> None:
    assert not Row("x", "x", float("nan"), 1.0).passes
    assert parity._worse(0.0, float("nan")) == math.inf


def test_nothing_is_written_when_the_file_does_not_play_its_golden_vectors(
    built: tuple[Source, Instrument, tuple[Row, ...]], tmp_path: Path
) -> None:
    _, instrument, _ = built
    golden = {**instrument.golden, "amplitude": instrument.golden["amplitude"] + np.float32(0.01)}
    path = tmp_path / "a.noisy"
    with pytest.raises(UserError, match="differs from its golden vectors"):
        write_checked(path, dataclasses.replace(instrument, golden=golden))
    assert list(tmp_path.iterdir()) == []


# ---- runs that cannot be exported


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_that_are_not_finite_give_one_line(value: float) -> None:
    generator = small_generator()
    with torch.no_grad():
        generator.layers[0].weight[0, 0] = value
    with pytest.raises(UserError, match=r"^RUN: the generator's layers.0.weight holds numbers that are not finite; .+"):
        build_instrument(make_source(generator), "Broken", "")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"z": np.zeros((0, 6), np.float32)}, "latents"),
        ({"z": np.zeros((120, 5), np.float32)}, "latents"),
        ({"z": np.full((120, 6), np.nan, np.float32)}, "latents"),
        ({"instrument": np.full(120, 9)}, "instruments"),
        ({"pitch": np.full(120, 200.0, np.float32)}, "pitches"),
    ],
)
def test_broken_latents_give_one_line(changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(UserError, match=rf"^RUN: its .*{expected}.*; train again$"):
        build_instrument(make_source(notes=dataclasses.replace(training_notes(), **changes)), "Broken", "")


def test_a_network_outside_the_contract_gives_one_line() -> None:
    class Random(Knobs):
        def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
            f0_ratio, amplitude, harmonics, noise = super().forward(*inputs)
            return f0_ratio, amplitude + 0.1 * torch.randn_like(amplitude), harmonics, noise

    with pytest.raises(UserError, match=r"^control.onnx: the exported graph breaks the contract .*RandomNormalLike"):
        export_control(Random(), SPEC)


# ---- presets and pad


def test_every_instrument_with_notes_gets_the_mean_of_its_latents() -> None:
    notes = training_notes()
    presets = make_latent_map(notes).presets
    assert [preset.name for preset in presets] == ["Acoustic Grand Piano", "Flute", "Mystery", "Flute 2"]
    assert [preset.tags for preset in presets] == [("keyboard",), ("flute",), (), ("flute",)]
    for index, preset in enumerate(presets):
        np.testing.assert_allclose(preset.latent, notes.z[notes.instrument == index].mean(0), atol=1e-6)


def test_pad_axes_are_the_widest_directions_at_two_deviations() -> None:
    rng = np.random.default_rng(0)
    deviation = np.array([0.1, 3.0, 0.1, 1.5, 0.1])
    z = (7.0 + deviation * rng.normal(size=(20_000, 5))).astype(np.float32)
    center, (x, y), explained = principal_axes(z)
    np.testing.assert_allclose(center, 7.0, atol=0.1)
    np.testing.assert_allclose(x, [0, PAD_SIGMAS * 3.0, 0, 0, 0], atol=0.2)
    np.testing.assert_allclose(y, [0, 0, 0, PAD_SIGMAS * 1.5, 0], atol=0.2)
    assert explained[0] == pytest.approx(9.0 / 11.28, abs=0.02)


def test_pad_points_are_where_the_presets_are() -> None:
    notes = training_notes()
    latent_map = make_latent_map(notes)
    center, axes, _ = principal_axes(notes.z)
    for preset, point in zip(latent_map.presets, latent_map.pad_points, strict=True):
        rest = preset.latent - center - point.x * axes[0] - point.y * axes[1]
        np.testing.assert_allclose([rest @ axes[0], rest @ axes[1]], 0.0, atol=1e-4)


def test_one_note_is_enough_for_a_map() -> None:
    notes = TrainingNotes(np.ones((1, 6), np.float32), np.zeros(1, np.int64), ("a",), np.array([60.0]), np.ones(1))
    latent_map = make_latent_map(notes)
    np.testing.assert_array_equal(latent_map.pad_axes, 0.0)
    assert len(latent_map.presets) == 1


@pytest.mark.parametrize(
    ("name", "readable", "family"),
    [
        ("guitar_acoustic_014-021", "Guitar Acoustic 014-021", "guitar"),
        ("Fretless Bass", "Fretless Bass", "bass"),
        ("Contrabass", "Contrabass", "strings"),
        ("French Horn", "French Horn", "brass"),
        ("English Horn", "English Horn", "reed"),
        ("Harpsichord", "Harpsichord", "keyboard"),
        ("Rock Organ", "Rock Organ", "organ"),
        ("brass_acoustic_006", "Brass Acoustic 006", "brass"),
        ("iowa-steinway-b", "Iowa Steinway B", "keyboard"),
        ("\x1b[31mzork\n", "[31mzork", None),
        ("", "Untitled", None),
        ("x" * 99, "X" + "x" * 39, None),
    ],
)
def test_names(name: str, readable: str, family: str | None) -> None:
    assert (readable_name(name), family_of(name)) == (readable, family)


def test_repeated_names_are_numbered_around_those_that_exist() -> None:
    assert unique_names(["A", "A 2", "A", "A"]) == ["A", "A 2", "A 3", "A 4"]


# ---- directions


def test_directions_do_what_they_are_called(built: tuple[Source, Instrument, tuple[Row, ...]]) -> None:
    source, instrument, _ = built
    found = {direction.name: direction for direction in instrument.directions}
    assert {"Bright", "Air", "Swell", "Sustain", "Ring"} <= set(found)
    run = ControlNet(instrument).run
    fresh = np.random.default_rng(77).choice(source.notes.z, 40)  # other latents than they were measured from
    deviation = measure(run, source.notes.z).std(0)
    for direction in instrument.directions:
        own = [descriptor.knob for descriptor in DESCRIPTORS].index(direction.name)
        low, high = (measure(run, fresh + side * direction.vector)[:, own] for side in (-1.0, 1.0))
        effect = float((high - low).mean()) / (2.0 * deviation[own])
        assert effect > 0.5, direction.name
        assert effect == pytest.approx(direction.measured["effect_deviations"], rel=0.5), direction.name
        assert direction.measured["correlation"] > 0.9, direction.name
        assert direction.measured["at_minus_1"] < direction.measured["at_0"] < direction.measured["at_plus_1"]


def test_knobs_leave_one_anothers_qualities_alone(built: tuple[Source, Instrument, tuple[Row, ...]]) -> None:
    _, instrument, _ = built
    for direction in instrument.directions:
        assert direction.measured["leak"] < 0.5, (direction.name, dict(direction.measured))


def test_a_latent_that_does_nothing_gives_no_knob() -> None:
    def deaf(z: Any, *rest: Any) -> Any:
        *rest, _ = rest  # shimmer, which it does not take
        with torch.no_grad():
            return [output.numpy() for output in Knobs()(*map(torch.from_numpy, (0.0 * z, *rest)))]

    assert find_directions(deaf, training_notes().z) == ()


# ---- golden vectors


def test_golden_vectors_hold_two_notes_with_their_audio(built: tuple[Source, Instrument, tuple[Row, ...]]) -> None:
    _, instrument, _ = built
    golden = instrument.golden
    assert golden["audio"].shape == (2, (N_FRAMES - 1) * AUDIO_HOP)
    assert golden["audio_sample_rate"].tolist() == [AUDIO_RATE]
    peaks = np.abs(golden["audio"]).max(1)
    assert (peaks > 0.01).all()
    assert (peaks < 1.0).all()
    assert (golden["time_off"] < 0).any(), "no held frame"
    assert (golden["time_off"] > 0).any(), "no released frame"


# ---- the command


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """A training run as the trainer leaves it, less the training."""
    config = dataclasses.replace(PRESETS["tiny"], generator_width=16, mapping_width=16)
    torch.manual_seed(4)
    generator, encoder = build_networks(SPEC, config)
    training = {
        "dataset": "toy", "licence": ["CC0-1.0", "MIT"], "attribution": ["by nobody\n"], "minutes": 30.0,
        "steps": 3, "earlier_steps": 4, "metrics": {"frechet": 2.5, "odd": float("nan"), "text": "x"},
    }  # fmt: skip
    state = {
        "step": 7,
        "spec": json.dumps(SPEC.to_json()),
        "config": json.dumps(config.to_json()),
        "training": json.dumps(training),
        "ema_generator": generator.state_dict(),
        "ema_encoder": encoder.state_dict(),
    }
    folder = tmp_path / "run"
    save_checkpoint(folder, state, best=True)
    notes = training_notes()
    names = list(notes.instrument_names)
    save_latents(folder, Latents(notes.z, notes.instrument, names, notes.pitch, notes.velocity), best=True)
    return folder


def test_the_command_writes_a_file_and_a_table(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "my_toy.noisy"
    assert cli_export.main([str(run_folder), str(out), "--which", "best"]) == 0
    printed = capsys.readouterr().out
    assert "torch / ONNX, amplitude" in printed
    assert "FAILS" not in printed
    instrument = read_instrument(out)
    assert instrument.name == "My Toy"
    assert instrument.training.licence == "CC0-1.0; MIT"
    assert instrument.training.attribution == ("by nobody",)
    assert instrument.training.hours == 0.5
    assert {"frechet", "parity_batch"} <= set(instrument.training.metrics)
    assert not {"odd", "text"} & set(instrument.training.metrics)


def test_the_command_reports_as_json(run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "a.noisy"
    arguments = [str(run_folder), str(out), "--json", "--name", "Jay", "--description", "Said."]
    assert cli_export.main(arguments) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["name"] == "Jay"
    assert report["bytes"] == out.stat().st_size
    assert report["metrics"]["parity_noise"] <= 1e-4
    assert read_instrument(out).description == "Said."


def test_the_command_warns_of_a_large_file(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "WARN_BYTES", 1000)
    assert cli_export.main([str(run_folder), str(tmp_path / "a.noisy")]) == 0
    assert "warning" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["none", "a.noisy"], "no such training run"),
        (["none", "a.zip"], "end in .noisy"),
        ([".", "a.noisy"], "no checkpoint"),
    ],
)
def test_bad_arguments_give_exit_code_2_and_one_line(
    arguments: list[str],
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli_export.main(arguments) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if not line.endswith(" ...")]
    assert len(errors) == 1
    assert expected in errors[0]
    assert list(tmp_path.iterdir()) == []


def test_an_instrument_opens_with_the_preset_asked_for() -> None:
    instrument = make_test_instrument()
    names = [preset.name for preset in instrument.presets]
    assert [preset.name for preset in cli_export.opening_with(instrument, "breathy").presets] == ["Breathy", *names[:2]]
    with pytest.raises(UserError, match="no preset 'Nothing'; there are Plain"):
        cli_export.opening_with(instrument, "Nothing")
