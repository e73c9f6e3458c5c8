"""The training notes in memory, and the batches of instants that are drawn from them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from noisysynth.errors import UserError
from noisysynth.spec import SynthSpec
from noisysynth.train.dice import Dice
from noisysynth.train.networks.generator import SUSTAINED_DB_PER_S, VIBRATO_CENTS, VIBRATO_HZ, Controls
from noisysynth.train.note_shimmer import log_shimmer
from noisysynth.train.processes import highest

LOG_MEL_FLOOR = -11.5  # of `noisysynth.features`
_AUDIBLE = 10.0 ** (-72.0 / 20.0)
_LONGEST_HOLD_S = 3600.0
_STEADY_DB_PER_S = 1.5
_LEAST_VIBRATO_CENTS = 2.5
_QUIET_S = 2  # a released note that has faded is known to be silent for so long, or it may sound again


class Note(Protocol):
    """What the trainer reads of a prepared note; see `noisysynth.train.prepared`."""

    @property
    def cents(self) -> NDArray[np.float32]: ...

    @property
    def harmonics(self) -> NDArray[np.float32]: ...

    @property
    def noise(self) -> NDArray[np.float32]: ...

    @property
    def log_mel(self) -> NDArray[np.float32]: ...

    @property
    def pitch(self) -> float: ...

    @property
    def velocity(self) -> float: ...

    @property
    def gate_s(self) -> float | None: ...

    @property
    def instrument(self) -> str: ...

    @property
    def audio(self) -> NDArray[np.float32] | None: ...


@dataclasses.dataclass(frozen=True)
class Frames:
    """V notes at F instants each.

    pitch, velocity: [V]. time_on, time_off: [V, F] s. cents: [V, F]. partials: [V, F, H], peak amplitudes.
    noise: [V, F, N], band RMS.
    """

    pitch: Tensor
    velocity: Tensor
    time_on: Tensor
    time_off: Tensor
    cents: Tensor
    partials: Tensor
    noise: Tensor

    def with_controls(self, controls: Controls) -> Frames:
        """The same notes and instants, with what a control network says of them."""
        return dataclasses.replace(
            self,
            cents=torch.log2(controls.f0_ratio) * 1200.0,
            partials=controls.amplitude.unsqueeze(-1) * controls.harmonics,
            noise=controls.noise,
        )

    def rows(self, rows: slice | Tensor) -> Frames:
        """Some of the notes."""
        return Frames(*(getattr(self, field.name)[rows] for field in dataclasses.fields(self)))


_COLUMNS = (
    "cents", "partials", "noise", "log_mel", "length", "gate", "end", "quiet", "mel_length", "pitch", "velocity",
    "instrument", "audio", "audio_length", "vibrato", "vibrato_known", "hold_decay", "hold_decay_known",
    "shimmer", "shimmer_known",
)  # fmt: skip


class NoteBank:
    """All notes of one split in memory, packed frame after frame, half precision where it is large.

    Each note's sustained detune is taken out of its cents: an instrument shall be in tune. Where no gate is known the
    note counts as held to the end of its recording. A note is silent after a recording that ends in silence: until
    `end` where it is looked at as a whole, until `quiet` where its release is.
    hold_decay: [N], the coordinate that `Generator.hold_decay_coordinate` shall give; hold_decay_known: [N].
    vibrato: [N, 2], what `Generator.vibrato_coordinates` shall give; vibrato_known: [N].
    shimmer: [N, octaves, MEASURED_PARTIALS], what `Shimmer.log_depth` shall give of these; shimmer_known: the same.
    The recordings themselves are kept only if asked for. noise_trim_db: how much softer the noise shall be than it is.
    """

    def __init__(
        self,
        notes: Iterable[Note],
        spec: SynthSpec,
        instruments: Sequence[str],
        keep_audio: bool = False,
        device: torch.device | str = "cpu",
        noise_trim_db: float = 0.0,
    ) -> None:
        self.spec = spec
        noise_gain = 10.0 ** (-noise_trim_db / 20.0)
        self.instruments = list(instruments)
        number = {name: i for i, name in enumerate(self.instruments)}
        packed: dict[str, list[Tensor]] = {"cents": [], "partials": [], "noise": [], "log_mel": []}
        recordings: list[Tensor] = []
        columns: dict[str, list[Any]] = {
            name: []
            for name in (
                "length",
                "gate",
                "end",
                "quiet",
                "mel_length",
                "pitch",
                "velocity",
                "instrument",
                "decay",
                "vibrato",
            )
        }
        shimmers: list[NDArray[np.float32]] = []
        for note in notes:
            cents, partials, noise = (np.asarray(a, np.float32) for a in (note.cents, note.harmonics, note.noise))
            if not all(np.isfinite(a).all() for a in (cents, partials, noise, note.log_mel)):
                raise UserError(f"a note of {note.instrument} (pitch {note.pitch}) in the data set is not finite")
            level = partials.sum(axis=1)
            loudness = level + np.sqrt(np.square(noise).sum(axis=1))
            length, gate = len(cents), _gate_frames(note, spec.frame_rate)
            fades = note.gate_s is not None and loudness[-1] < max(_AUDIBLE, 1e-3 * float(loudness.max()))
            cents = cents - _sustained_cents(cents, level, min(gate, length))
            for name, values in (
                ("cents", cents),
                ("partials", partials),
                ("noise", noise_gain * noise),
                ("log_mel", note.log_mel),
            ):
                packed[name].append(torch.from_numpy(np.asarray(values, np.float16)))
            row = {
                "length": length,
                "gate": gate if fades else min(gate, length),
                "end": max(length, gate + spec.frame_rate // 2) if fades else length,
                "quiet": max(length, gate + _QUIET_S * spec.frame_rate) if fades else length,
                "mel_length": len(note.log_mel),
                "pitch": float(note.pitch),
                "velocity": float(note.velocity),
                "instrument": number[note.instrument],
                "vibrato": vibrato(cents, min(gate, length), spec.frame_rate),
                "decay": hold_decay_db_per_s(level, min(gate, length), spec.frame_rate),
            }
            for name, value in row.items():
                columns[name].append(value)
            shimmers.append(log_shimmer(partials, min(gate, length), spec.frame_rate))
            if keep_audio:
                if note.audio is None:
                    raise UserError("the data set has no audio, which audio_weight needs")
                recordings.append(torch.from_numpy(np.asarray(note.audio, np.float16)))
        if not columns["length"]:
            raise UserError("the data set has no notes to train on")
        self.cents, self.partials, self.noise, self.log_mel = (torch.cat(packed[name]) for name in packed)
        self.length, self.gate, self.end, self.quiet, self.mel_length, self.pitch, self.velocity, self.instrument = (
            torch.tensor(columns[name]) for name in list(columns)[:-2]
        )
        self.audio = torch.cat(recordings) if recordings else torch.zeros(0, dtype=torch.float16)
        self.audio_length = torch.tensor([len(recording) for recording in recordings])
        self.vibrato = torch.tensor([_vibrato_coordinates(found) for found in columns["vibrato"]])
        self.vibrato_known = torch.tensor([found is not None for found in columns["vibrato"]])
        shimmer = torch.from_numpy(np.stack(shimmers))
        self.shimmer, self.shimmer_known = shimmer.nan_to_num(), ~shimmer.isnan()
        decays = columns["decay"]
        self.hold_decay_known = torch.tensor([decay is not None for decay in decays])
        self.hold_decay = torch.tensor([_coordinate(decay or 0.0) for decay in decays])
        self._settle(device)

    @classmethod
    def joined(cls, banks: Sequence[NoteBank], device: torch.device | str = "cpu") -> NoteBank:
        """All notes of several banks of one spec and the same instruments, in their order."""
        joined = cls.__new__(cls)
        joined.spec, joined.instruments = banks[0].spec, banks[0].instruments
        for name in _COLUMNS:
            setattr(joined, name, torch.cat([getattr(bank, name) for bank in banks]))
        joined._settle(device)
        return joined

    def _settle(self, device: torch.device | str) -> None:
        """Where each note begins and which notes each instrument has; all of it on the device."""
        self.first = torch.cumsum(self.length, 0) - self.length
        self.first_mel = torch.cumsum(self.mel_length, 0) - self.mel_length
        self._first_audio = torch.cumsum(self.audio_length, 0) - self.audio_length
        self.longest_mel = int(self.mel_length.max())
        self._of_instrument = torch.argsort(self.instrument, stable=True)
        self._n_of_instrument = torch.bincount(self.instrument, minlength=len(self.instruments))
        self._first_of_instrument = torch.cumsum(self._n_of_instrument, 0) - self._n_of_instrument
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(self, name, value.to(device))

    def __len__(self) -> int:
        return len(self.pitch)

    @property
    def device(self) -> torch.device:
        return self.pitch.device

    def random_rows(self, n: int, balance: float, rng: Dice) -> Tensor:
        """n notes: with balance 0 all are as likely, with 1 all instruments are, however many notes each has."""
        likely = self._n_of_instrument[self.instrument].double().pow(-balance).cumsum(0)
        place = torch.searchsorted(likely, rng.rand(n).double() * likely[-1], right=True)
        return place.clamp(max=len(self) - 1)

    def peers(self, rows: Tensor, rng: Dice) -> Tensor:
        """For each note another one (or itself) of the same instrument, [len(rows)]."""
        instrument = self.instrument[rows]
        number = self._n_of_instrument[instrument]
        place = torch.minimum((rng.rand(len(rows)).double() * number).long(), number - 1)
        return self._of_instrument[self._first_of_instrument[instrument] + place]

    def log_mels(self, rows: Tensor, rng: Dice | None = None, length: int | None = None) -> Tensor:
        """Encoder input [V, Tm, mels], silence after the shorter ones.

        With `rng`, all are cut to a random length under four seconds, as a recording may have any. length: Tm at most,
        and at least where the longest of these notes must not be asked for.
        """
        longest = int(highest([int(self.mel_length[rows].max())], self.device)[0]) if length is None else length
        if rng is not None:
            # In steps of 32 frames: every new length makes the convolution library compile anew.
            longest = min(longest, 64 + 32 * rng.number(5))
        index = torch.arange(longest, device=self.device)
        inside = index < self.mel_length[rows].unsqueeze(-1)
        log_mel = self.log_mel[(self.first_mel[rows].unsqueeze(-1) + index).clamp(max=len(self.log_mel) - 1)]
        return torch.where(inside.unsqueeze(-1), log_mel.float(), LOG_MEL_FLOOR)

    def audio_crops(self, rows: Tensor, start: Tensor, n_samples: int) -> Tensor:
        """Audio [V, n_samples] of the recordings `rows` [V] from sample `start` [V]; silence after their end."""
        index = start.unsqueeze(-1) + torch.arange(n_samples, device=self.device)
        inside = index < self.audio_length[rows].unsqueeze(-1)
        at = (self._first_audio[rows].unsqueeze(-1) + index).clamp(max=len(self.audio) - 1)
        return self.audio[at].float() * inside

    def at(self, rows: Tensor, index: Tensor) -> Frames:
        """Notes `rows` [V] at frames `index` [V, F]; silence after the end of a recording."""
        seconds = index.float() / self.spec.frame_rate
        gate_s = self.gate[rows].float().unsqueeze(-1) / self.spec.frame_rate
        last = self.length[rows].unsqueeze(-1) - 1
        at = self.first[rows].unsqueeze(-1) + torch.minimum(index, last)
        recorded = (index <= last).unsqueeze(-1)
        return Frames(
            pitch=self.pitch[rows],
            velocity=self.velocity[rows],
            time_on=seconds,
            time_off=seconds - gate_s,
            cents=self.cents[at].float(),
            partials=self.partials[at].float() * recorded,
            noise=self.noise[at].float() * recorded,
        )

    def scattered(self, rows: Tensor, n_frames: int, rng: Dice) -> Frames:
        """Random instants [V, n_frames], dense after note-on and around note-off, and some of endless holding.

        A held note that goes on past its recording keeps the level of its end or goes on decaying at its own rate.
        """
        n_off = n_frames * 3 // 10
        n_on = n_frames * 3 // 10
        n_hold = max(1, n_frames // 12)
        n_body = n_frames - n_off - n_on - n_hold

        def uniform(n: int) -> Tensor:
            return rng.rand(len(rows), n)

        end, gate, quiet = (x[rows].float().unsqueeze(-1) for x in (self.end, self.gate, self.quiet))
        rate = self.spec.frame_rate
        on = uniform(n_on).square() * (0.2 * rate)
        body = uniform(n_body) * end
        off = gate - 0.01 * rate + uniform(n_off) ** 3 * (_QUIET_S * rate)
        hold = gate * (0.7 + 0.3 * uniform(n_hold)) - 1.0
        last = torch.cat([x.expand(-1, n) for x, n in ((end, n_on + n_body), (quiet, n_off), (end, n_hold))], dim=1)
        index = torch.minimum(torch.cat([on, body, off, hold], dim=1), last - 1.0).clamp(min=0.0).long()
        frames = self.at(rows, index)

        extra_s = torch.zeros(index.shape, device=self.device)
        long_enough = (self.gate[rows] > 0.6 * rate) & self.hold_decay_known[rows]
        low, high = math.log(0.05), math.log(_LONGEST_HOLD_S)
        extra_s[:, -n_hold:] = torch.exp(low + (high - low) * uniform(n_hold)) * long_enough.unsqueeze(-1)
        decay = torch.square(3.0 * self.hold_decay[rows].clamp(min=0.0)) - SUSTAINED_DB_PER_S
        fall_db = decay.clamp(min=0.0).unsqueeze(-1) * extra_s
        gain = torch.exp(-fall_db * (math.log(10.0) / 20.0)).unsqueeze(-1)
        # A sustained note may be let go at any time after: only the time since note-on then differs.
        sustained = long_enough & (self.hold_decay[rows] < 0.0) & (uniform(1)[:, 0] < 0.5)
        shift_s = torch.exp(low + (high - low) * uniform(1)) * sustained.unsqueeze(-1)
        extra_s = torch.where(frames.time_off >= 0.0, shift_s, extra_s)
        return dataclasses.replace(
            frames,
            time_on=frames.time_on + extra_s,
            partials=frames.partials * gain,
            noise=frames.noise * gain,
        )

    def whole(self, rows: Tensor, n_frames: int) -> Frames:
        """Whole notes on a warped grid [V, n_frames]: 5/9 from note-on, the rest from note-off, both dense first."""
        n_on = n_frames * 5 // 9
        end, gate = (x[rows].float().unsqueeze(-1) for x in (self.end, self.gate))
        on = _warp(n_on, gate - 1.0)
        off = gate + _warp(n_frames - n_on, end - gate - 1.0)
        index = torch.cat([on, off], dim=1).round().long()
        return self.at(rows, torch.minimum(index.clamp(min=0), (end - 1).long()))

    def window(self, rows: Tensor, n_frames: int, step: int, rng: Dice) -> Frames:
        """A stretch [V, n_frames] of every `step`-th frame from a random start."""
        room = (self.end[rows] - n_frames * step).clamp(min=1).float()
        start = (rng.rand(len(rows)) * room).long()
        index = start.unsqueeze(-1) + step * torch.arange(n_frames, device=self.device)
        return self.at(rows, torch.minimum(index, self.end[rows].unsqueeze(-1) - 1))


def _warp(n: int, extent: Tensor) -> Tensor:
    """[V, n] from 0 to extent [V, 1], steps growing geometrically from about one frame."""
    extent = extent.clamp(min=0.0)
    u = torch.linspace(0.0, 1.0, n, device=extent.device)
    return torch.expm1(u * torch.log1p(extent / 6.0)) * 6.0


def _gate_frames(note: Note, frame_rate: int) -> int:
    frames = len(note.cents)
    return frames if note.gate_s is None else max(1, round(note.gate_s * frame_rate))


def _sustained_cents(cents: NDArray[np.float32], level: NDArray[np.float32], gate: int) -> float:
    """Median cents of the held, sounding part past the attack."""
    held = slice(min(gate // 3, 30), gate)
    sounding = level[held] > 0.1 * level.max(initial=0.0)
    values = cents[held][sounding]
    return float(np.median(values if len(values) else cents))


def hold_decay_db_per_s(level: NDArray[np.float32], gate: int, frame_rate: int) -> float | None:
    """How fast a held note dies away in its late audible part; None where that cannot be told.

    level: [F], sum of partial amplitudes. gate: frames held. Least-squares line through the second half of what is
    audible after the loudest frame, at least 0.3 s of it, or of anything audible when the note is over sooner.
    """
    held = level[:gate]
    if not len(held) or held.max() <= _AUDIBLE:
        return None
    peak = int(held.argmax())
    audible = np.flatnonzero(held[peak:] > max(_AUDIBLE, 1e-3 * float(held.max())))
    end = peak + int(audible[-1]) + 1
    start = max(peak, end - max((end - peak) // 2, int(0.3 * frame_rate)))
    dies = end < len(held)
    if end - start < int((0.04 if dies else 0.3) * frame_rate):
        return None
    db = 20.0 * np.log10(held[start:end] + 1e-6)
    slope = np.polyfit(np.arange(len(db)) / frame_rate, db, 1)[0]
    return float(np.clip(-slope, 0.0, 400.0))


def _coordinate(decay_db_per_s: float) -> float:
    if decay_db_per_s <= _STEADY_DB_PER_S:
        return -0.5
    return math.sqrt(decay_db_per_s + SUSTAINED_DB_PER_S) / 3.0


def _vibrato_coordinates(found: tuple[float, float] | None) -> tuple[float, float]:
    if found is None or found[0] == 0.0:
        return -0.3, 0.0
    depth, rate_hz = found
    return depth / VIBRATO_CENTS, math.atanh(float(np.clip(2.0 * math.log(rate_hz / VIBRATO_HZ), -0.95, 0.95)))


def vibrato(cents: NDArray[np.float32], gate: int, frame_rate: int) -> tuple[float, float] | None:
    """Depth in cents and rate in Hz of a held note's vibrato, (0, 0) if it has none; None where that cannot be told.

    cents: [F]. gate: frames held. The peak of the spectrum from 3 to 8 Hz, if it explains most of what moves there.
    """
    held = cents[int(0.3 * frame_rate) : gate].astype(np.float64)
    if len(held) < 0.7 * frame_rate:
        return None
    n = np.arange(len(held))
    held = held - np.polyval(np.polyfit(n, held, 2), n)
    window = np.hanning(len(held))
    spectrum = np.abs(np.fft.rfft(held * window, 16 * frame_rate)) * (2.0 / window.sum())
    hz = np.arange(len(spectrum)) / 16.0
    band = (hz >= 3.0) & (hz <= 8.0)
    peak = int(np.argmax(np.where(band, spectrum, 0.0)))
    depth = float(spectrum[peak])
    if depth < _LEAST_VIBRATO_CENTS or depth < 0.8 * float(held.std()):
        return 0.0, 0.0
    return min(depth, 30.0), float(hz[peak])
