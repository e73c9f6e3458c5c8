"""What a training run shows: TensorBoard curves, notes to listen to, spectrograms to look at, metrics.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.tensorboard import SummaryWriter

from noisysynth.features import SAMPLE_RATE as FEATURE_RATE
from noisysynth.features import log_mel
from noisysynth.train.checkpoint import read_json, write_json
from noisysynth.train.networks.encoder import Encoder
from noisysynth.train.networks.generator import Generator
from noisysynth.train.note_bank import NoteBank
from noisysynth.train.render import render_notes

_SECONDS = 4.0
_NOTES = 6


class Report:
    """Writes under run_dir. first_step: where a resumed run goes on; whatever was written after it is dropped."""

    def __init__(self, run_dir: Path, first_step: int) -> None:
        self._metrics_path = run_dir / "metrics.json"
        self._history: list[dict[str, Any]] = []
        if first_step > 0 and self._metrics_path.exists():
            self._history = [row for row in read_json(self._metrics_path) if row["step"] <= first_step]
        self._writer = SummaryWriter(str(run_dir / "tensorboard"), purge_step=first_step or None)

    def losses(self, step: int, losses: dict[str, float]) -> None:
        for name, value in losses.items():
            self._writer.add_scalar(f"loss/{name}", value, step)

    def metrics(self, step: int, metrics: dict[str, float]) -> None:
        for name, value in metrics.items():
            self._writer.add_scalar(f"metric/{name}", value, step)
        self._history.append({"step": step, **metrics})
        write_json(self._metrics_path, self._history)

    def text(self, name: str, data: Any) -> None:
        self._writer.add_text(name, f"```\n{json.dumps(data, indent=2)}\n```")

    def notes(self, step: int, generator: Generator, encoder: Encoder, bank: NoteBank) -> None:
        """Audio of the same few notes each time, and images: recording's features | reconstruction | prior."""
        rng = torch.Generator().manual_seed(2)
        rows = torch.randperm(len(bank), generator=rng)[:_NOTES].to(bank.device)
        with torch.no_grad():
            features = bank.log_mels(rows)
            mean, _ = encoder(features)
        prior = torch.randn(len(rows), generator.spec.latent_size, generator=rng).to(bank.device)
        gate_s = bank.gate[rows].float() / bank.spec.frame_rate
        told = (bank.pitch[rows], bank.velocity[rows], gate_s.clamp(max=_SECONDS - 1.0), _SECONDS)
        rate = generator.spec.sample_rate
        audio = {kind: render_notes(generator, z, *told) for kind, z in (("rebuilt", mean), ("prior", prior))}
        for i, row in enumerate(rows.tolist()):
            name = bank.instruments[int(bank.instrument[row])]
            for kind, sounds in audio.items():
                sound = torch.from_numpy(np.clip(sounds[i], -1.0, 1.0))
                self._writer.add_audio(f"{kind}/{i} {name}", sound, step, sample_rate=rate)
            if rate == FEATURE_RATE:
                views = [features[i].cpu().numpy(), *(log_mel(sounds[i], rate) for sounds in audio.values())]
                self._writer.add_image(f"real | rebuilt | prior/{i} {name}", _picture(views), step)

    def close(self) -> None:
        self._writer.close()


def _picture(views: list[NDArray[np.float32]]) -> NDArray[np.uint8]:
    """[3, height, width], log-mel spectrograms [T, mels] side by side, low frequencies at the bottom."""
    import matplotlib

    height, width = views[0].shape[1], max(len(view) for view in views)
    canvas = np.full((height, len(views) * (width + 4)), -11.5, np.float32)
    for i, view in enumerate(views):
        canvas[:, i * (width + 4) : i * (width + 4) + len(view)] = view.T[::-1]
    colours = matplotlib.colormaps["magma"](np.clip((canvas + 11.5) / 10.0, 0.0, 1.0))[..., :3]
    picture = np.repeat(np.repeat(colours, 3, axis=0), 2, axis=1)
    return np.ascontiguousarray((picture * 255).astype(np.uint8).transpose(2, 0, 1))
