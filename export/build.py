"""From a training run to an instrument file: export, map, measure, check, write."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from noisysynth.engine.control_net import ControlNet, golden_error
from noisysynth.errors import UserError
from noisysynth.export.directions import find_directions
from noisysynth.export.golden import make_golden
from noisysynth.export.latent_map import make_latent_map
from noisysynth.export.onnx_graph import export_control, export_encoder
from noisysynth.export.parity import CONTROLS_BAR, Row, check_parity, measure_parity
from noisysynth.export.source import Source, check_source
from noisysynth.instrument import MIB, Instrument, read_instrument, write_instrument
from noisysynth.train.fit_prior import fit_prior

WARN_BYTES = 5 * MIB


def _nothing(text: str) -> None:
    pass


def build_instrument(
    source: Source, name: str, description: str, say: Callable[[str], None] = _nothing
) -> tuple[Instrument, tuple[Row, ...]]:
    """The instrument and its parity rows. Raises UserError when the run is broken or parity is not reached.

    say: gets one line per step.
    """
    check_source(source)
    generator = copy.deepcopy(source.generator).to("cpu").float().eval()
    say("exporting networks")
    control = export_control(generator, source.spec)
    encoder = None if source.encoder is None else export_encoder(source.encoder, source.spec)
    latent_map = make_latent_map(source.notes)
    pitch = source.notes.pitch
    pitch_range = (int(np.floor(pitch.min())), int(np.ceil(pitch.max())))
    instrument = Instrument(
        name=name,
        description=description,
        spec=source.spec,
        pad_axes=latent_map.pad_axes,
        pad_points=latent_map.pad_points,
        pitch_range=pitch_range,
        presets=latent_map.presets,
        control_onnx=control,
        encoder_onnx=encoder,
        prior=fit_prior(source.notes.z, pitch, source.notes.velocity),
        golden=make_golden(generator, latent_map.presets, pitch_range),
    )
    say("comparing with torch")
    rows = measure_parity(generator, instrument)
    check_parity(rows)
    say("measuring directions")
    directions = find_directions(ControlNet(instrument).run, source.notes.z)
    metrics = {
        **source.training.metrics,
        **{row.metric: row.value for row in rows},
        "pad_x_variance": latent_map.explained[0],
        "pad_y_variance": latent_map.explained[1],
    }
    training = dataclasses.replace(source.training, metrics=metrics)
    return dataclasses.replace(instrument, directions=directions, training=training), rows


def write_checked(path: Path, instrument: Instrument) -> int:
    """Write the file under its name only after what lies on disk has been read and played back. Returns its bytes."""
    trial = path.with_name(f".{path.name}.{os.getpid()}.trial")
    try:
        write_instrument(trial, instrument)
        written = read_instrument(trial)
        error = golden_error(ControlNet(written), written)
        if not error <= CONTROLS_BAR:
            raise UserError(
                f"{path}: the written file differs from its golden vectors by {error:.2g}; it was not kept, try again"
            )
        size = trial.stat().st_size
        os.replace(trial, path)
        return size
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); choose another place") from None
    finally:
        with contextlib.suppress(OSError):
            trial.unlink()
