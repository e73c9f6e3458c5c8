"""Prepared data on disk: index.json and shards of analysed notes; writing, resuming and reading.

OUT/index.json        format, version, spec, arguments, attribution, notes, rejected
OUT/shard-00000.npz   harmonics_db [frames, H], noise_db [frames, N], cents [frames], log_mel [T, 80] (all float16)
                      and flac (uint8): the shard's notes one after another; the index says where each begins
OUT/report.html, .json  what is in it, what was left out and why, what is odd (`data_report`)
OUT/preparing/        only while unfinished: arguments.json and the index entries of each finished shard

Amplitudes are kept in dB re 1, -140 dB meaning zero, in steps of 1/8 dB, which float16 holds exactly down to -128.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import errno
import io
import json
import os
import shutil
import threading
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from noisysynth.errors import UserError
from noisysynth.features import N_MELS, log_mel
from noisysynth.features import SAMPLE_RATE as FEATURE_RATE
from noisysynth.listening.resampling import resample
from noisysynth.spec import SynthSpec
from noisysynth.train.analysis import analyse
from noisysynth.train.clip import Clip, ClipSource, Rejected
from noisysynth.train.data_report import PAGE, report_files
from noisysynth.train.duplicates import duplicates, fingerprint
from noisysynth.train.note_checks import level_db
from noisysynth.train.splits import SPLITS, assign_splits

FORMAT = "noisysynth-prepared"
VERSION = 1
FLOOR_DB = -140.0
STEP_DB = 0.125
# Silence at the end is dropped, but for a little that shows the note is over.
SILENCE_DB = -90.0
KEPT_SILENCE_S = 0.3
LONGEST_S = 10.0
ARRAYS = ("harmonics_db", "noise_db", "cents", "log_mel", "flac")


@dataclasses.dataclass(frozen=True)
class PreparedNote:
    """One analysed note. Times are n / spec.frame_rate from note-on.

    cents [F], harmonics [F, H] (linear peak), noise [F, N] (band RMS), log_mel [T, 80], all float32.
    audio: float32 [samples] at spec.sample_rate, or None where it was not asked for. gate_s: None if unknown.
    """

    note_id: str
    pitch: float
    velocity: float
    gate_s: float | None
    instrument: str
    family: str
    tags: tuple[str, ...]
    source: str
    licence: str
    split: str
    cents: npt.NDArray[np.float32]
    harmonics: npt.NDArray[np.float32]
    noise: npt.NDArray[np.float32]
    log_mel: npt.NDArray[np.float32]
    audio: npt.NDArray[np.float32] | None


def amplitude_to_db(amplitude: npt.NDArray[Any]) -> npt.NDArray[np.float16]:
    """dB re 1 in steps of 1/8, at least -140."""
    db = 20.0 * np.log10(np.maximum(amplitude, 10.0 ** (FLOOR_DB / 20.0)))
    return np.asarray(np.maximum(np.round(db / STEP_DB) * STEP_DB, FLOOR_DB), dtype=np.float16)


def db_to_amplitude(db: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Linear amplitude; -140 dB and less is exactly 0."""
    values = db.astype(np.float32)
    linear = np.exp(values * np.float32(np.log(10.0) / 20.0))
    return np.asarray(np.where(values <= FLOOR_DB, 0.0, linear), dtype=np.float32)


# --- writing --------------------------------------------------------------------------------------------------


def prepare(
    source: ClipSource,
    out: Path,
    spec: SynthSpec,
    jobs: int = 2,
    progress: Callable[[int], None] | None = None,
    stop: threading.Event | None = None,
    split_by: str = "instruments",
) -> dict[str, Any]:
    """Analyse every clip of `source` into `out`; the finished index.

    Called again with the same source, it takes up where it was interrupted, and returns at once when done.
    split_by: what is held out, see `assign_splits`. progress is told how many notes were dealt with, from worker
    threads. When `stop` is set, or on Ctrl-C, whole shards stay and KeyboardInterrupt is raised. UserError: `out` holds
    something else, the disk is full, or no note could be used.
    """
    stop = stop or threading.Event()
    arguments = {"version": VERSION, "spec": spec.to_json(), **source.arguments()}
    if split_by != "instruments":
        arguments["split_by"] = split_by
    arguments = json.loads(json.dumps(arguments))
    if (out / "index.json").exists():
        index = _read_index(out)
        if index.get("arguments") != arguments:
            raise UserError(f"{out} already holds another data set; choose another folder or delete it")
        if progress:
            progress(len(index["notes"]) + len(index["rejected"]))
        if not (out / PAGE).exists():  # data of an older version
            _write_report(out, index)
        return index
    with _disk_errors(out):
        unfinished = _start(out, arguments)
        records: dict[int, dict[str, Any]] = {}
        for number in range(source.n_batches):
            record = unfinished / f"{_shard_name(number)}.json"
            if record.exists():
                records[number] = json.loads(record.read_text("utf-8"))
                if progress:
                    progress(len(records[number]["notes"]) + len(records[number]["rejected"]))
        missing = [number for number in range(source.n_batches) if number not in records]
        with concurrent.futures.ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
            futures = {
                pool.submit(_prepare_batch, source, number, out, spec, progress, stop): number for number in missing
            }
            try:
                for future in concurrent.futures.as_completed(futures):
                    records[futures[future]] = future.result()
            except BaseException:
                stop.set()
                pool.shutdown(cancel_futures=True)
                raise
        index = _make_index(arguments, spec, source, records, split_by)
        _write_atomically(out / "index.json", json.dumps(index, indent=1).encode())
        _write_report(out, index)
        shutil.rmtree(unfinished, ignore_errors=True)
    return index


def _write_report(out: Path, index: dict[str, Any]) -> None:
    with _disk_errors(out):
        for name, data in report_files(out.absolute().name, index).items():
            _write_atomically(out / name, data)


def _start(out: Path, arguments: dict[str, Any]) -> Path:
    """The folder of unfinished work, made or checked to be of the same arguments."""
    unfinished = out / "preparing"
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file; give a folder for the prepared data")
    if unfinished.exists() and (unfinished / "arguments.json").exists():
        if json.loads((unfinished / "arguments.json").read_text("utf-8")) != arguments:
            raise UserError(
                f"{out} holds an unfinished preparation with other arguments; "
                "repeat those, choose another folder or delete it"
            )
        return unfinished
    if out.exists() and any(path.name != "preparing" for path in out.iterdir()):
        raise UserError(f"{out} is not empty and holds no prepared data; choose another folder")
    unfinished.mkdir(parents=True, exist_ok=True)
    _write_atomically(unfinished / "arguments.json", json.dumps(arguments).encode())
    return unfinished


def _prepare_batch(
    source: ClipSource,
    number: int,
    out: Path,
    spec: SynthSpec,
    progress: Callable[[int], None] | None,
    stop: threading.Event,
) -> dict[str, Any]:
    """Analyse and write one shard; its record: notes and rejected."""
    parts: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in ARRAYS}
    starts = dict.fromkeys(("frame", "mel", "flac"), 0)
    notes: list[dict[str, Any]] = []
    rejected: list[dict[str, str]] = []
    for clip in source.batch(number):
        if stop.is_set():
            raise KeyboardInterrupt
        refused = clip if isinstance(clip, Rejected) else None
        if isinstance(clip, Clip):
            try:
                arrays, entry = _prepare_note(clip, spec)
            except ValueError as error:
                refused = Rejected(clip.note_id, str(error))
        if refused is not None and refused.reason:
            rejected.append({"id": refused.note_id, "reason": refused.reason})
        elif refused is None:
            entry |= {"shard": number, **{f"first_{name}": start for name, start in starts.items()}}
            starts["frame"] += entry["n_frames"]
            starts["mel"] += entry["n_mels"]
            starts["flac"] += entry["n_flac"]
            for name in ARRAYS:
                parts[name].append(arrays[name])
            notes.append(entry)
        if progress:
            progress(1)
    with _disk_errors(out):
        if notes:
            stacked = {name: np.concatenate(parts[name]) for name in ARRAYS}
            temporary = out / f"{_shard_name(number)}.npz.tmp"
            with temporary.open("wb") as file:
                np.savez_compressed(file, **stacked)  # type: ignore[arg-type]
            os.replace(temporary, out / f"{_shard_name(number)}.npz")
        record = {"notes": notes, "rejected": rejected}
        path = out / "preparing" / f"{_shard_name(number)}.json"
        _write_atomically(path, json.dumps(record).encode())
    return record


def _prepare_note(clip: Clip, spec: SynthSpec) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
    """Arrays and index entry of one clip. ValueError says why a clip is of no use."""
    if not np.isfinite(clip.audio).all():
        raise ValueError("non-finite samples")
    audio = resample(np.ascontiguousarray(clip.audio, np.float32), clip.sample_rate, spec.sample_rate)
    audio = _without_silent_end(audio[: round(LONGEST_S * spec.sample_rate)], spec.sample_rate)
    if len(audio) < 0.03 * spec.sample_rate:
        raise ValueError("silent or shorter than 30 ms")
    clip = dataclasses.replace(clip, audio=audio, sample_rate=spec.sample_rate)
    track = analyse(clip, spec)
    peak = float(np.abs(audio).max())
    flac = io.BytesIO()
    soundfile.write(flac, audio * (0.999 / peak), spec.sample_rate, format="FLAC", subtype="PCM_16")
    arrays: dict[str, npt.NDArray[Any]] = {
        "harmonics_db": amplitude_to_db(track.harmonics),
        "noise_db": amplitude_to_db(track.noise),
        "cents": track.cents.astype(np.float16),
        "log_mel": log_mel(resample(audio, spec.sample_rate, FEATURE_RATE), FEATURE_RATE).astype(np.float16),
        "flac": np.frombuffer(flac.getvalue(), np.uint8),
    }
    for name, values in arrays.items():
        if not np.isfinite(values).all():
            raise ValueError(f"analysis gave non-finite {name}")
    entry: dict[str, Any] = {
        "id": clip.note_id,
        "pitch": clip.pitch,
        "velocity": round(clip.velocity, 4),
        "gate_s": clip.gate_s,
        "instrument": clip.instrument,
        "family": clip.family,
        "tags": list(clip.tags),
        "source": clip.source,
        "licence": clip.licence,
        "peak": peak,
        "level_db": level_db(audio, spec.sample_rate),
        "fingerprint": fingerprint(arrays["log_mel"]),
        "inharmonicity": track.inharmonicity,
        "n_frames": len(track.cents),
        "n_mels": len(arrays["log_mel"]),
        "n_flac": len(arrays["flac"]),
        "n_samples": len(audio),
    }
    return arrays, entry


def _without_silent_end(audio: npt.NDArray[np.float32], rate: int) -> npt.NDArray[np.float32]:
    loud = np.flatnonzero(np.abs(audio) > 10.0 ** (SILENCE_DB / 20.0))
    if len(loud) == 0:
        return audio[:0]
    return audio[: loud[-1] + 1 + round(KEPT_SILENCE_S * rate)]


def _make_index(
    arguments: dict[str, Any],
    spec: SynthSpec,
    source: ClipSource,
    records: dict[int, dict[str, Any]],
    split_by: str,
) -> dict[str, Any]:
    notes = [note for number in sorted(records) for note in records[number]["notes"]]
    rejected = [note for number in sorted(records) for note in records[number]["rejected"]]
    if not notes:
        if not rejected:
            raise UserError("none of the notes is wanted; --acoustic or --pitches leaves none")
        first = f" (the first, {rejected[0]['id']}: {rejected[0]['reason']})"
        raise UserError(f"no usable note among {len(rejected)}{first}")
    assign_splits(notes, duplicates(notes), split_by)
    return {
        "format": FORMAT,
        "version": VERSION,
        "spec": spec.to_json(),
        "arguments": arguments,
        "attribution": source.attribution,
        "notes": notes,
        "rejected": rejected,
    }


def _shard_name(number: int) -> str:
    return f"shard-{number:05d}"


def _write_atomically(path: Path, data: bytes) -> None:
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


class _disk_errors:
    """Turns a full or forbidden disk into one clear line."""

    def __init__(self, out: Path) -> None:
        self.out = out

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise UserError(
                    f"the disk is full at {self.out}; free some space and run the same command again"
                ) from error
            raise UserError(f"cannot write to {self.out}: {error.strerror or error}") from error


# --- reading --------------------------------------------------------------------------------------------------


class PreparedDataset:
    """The notes of a prepared data set, or of one split of it; shards are kept in memory up to a limit.

    split: "train", "test_notes", "test_instruments" or None for all. `entries` are the index entries of its notes.
    UserError: the folder is missing, unfinished, of another format or broken.
    """

    def __init__(self, path: str | Path, split: str | None = None, max_cache_bytes: int = 2 << 30) -> None:
        self.path = Path(path)
        if split is not None and split not in SPLITS:
            raise UserError(f"no split {split!r}; there are {', '.join(SPLITS)}")
        self.index = _read_index(self.path)
        self.spec = SynthSpec.from_json(self.index.get("spec"))
        notes = self.index["notes"]
        self.entries: list[dict[str, Any]] = [n for n in notes if split in (None, n["split"])]
        self.attribution: list[str] = list(self.index.get("attribution", []))
        self.max_cache_bytes = max_cache_bytes
        self._cache: OrderedDict[tuple[int, str], npt.NDArray[Any]] = OrderedDict()
        self._cache_bytes = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[PreparedNote]:
        return (self.note(i) for i in range(len(self)))

    def note(self, index: int, with_audio: bool = True) -> PreparedNote:
        """The note at `index` of this split. Leaving the audio out spares decoding it."""
        entry = self.entries[index]
        n_frames, n_mels = entry["n_frames"], entry["n_mels"]
        frames = slice(entry["first_frame"], entry["first_frame"] + n_frames)
        mels = slice(entry["first_mel"], entry["first_mel"] + n_mels)
        harmonics = self._rows(entry, "harmonics_db", frames, (n_frames, self.spec.n_harmonics))
        noise = self._rows(entry, "noise_db", frames, (n_frames, self.spec.n_noise_bands))
        cents = self._rows(entry, "cents", frames, (n_frames,))
        features = self._rows(entry, "log_mel", mels, (n_mels, N_MELS))
        return PreparedNote(
            note_id=entry["id"],
            pitch=float(entry["pitch"]),
            velocity=float(entry["velocity"]),
            gate_s=None if entry["gate_s"] is None else float(entry["gate_s"]),
            instrument=entry["instrument"],
            family=entry["family"],
            tags=tuple(entry["tags"]),
            source=entry["source"],
            licence=entry["licence"],
            split=entry["split"],
            cents=cents.astype(np.float32),
            harmonics=db_to_amplitude(harmonics),
            noise=db_to_amplitude(noise),
            log_mel=features.astype(np.float32),
            audio=self._audio(entry) if with_audio else None,
        )

    def _rows(self, entry: dict[str, Any], name: str, rows: slice, shape: tuple[int, ...]) -> npt.NDArray[Any]:
        values = self._array(entry["shard"], name)[rows]
        if values.shape != shape or not np.isfinite(values).all():
            raise UserError(self._broken(entry["shard"], f"{name} of note {entry['id']} is damaged"))
        return values

    def _audio(self, entry: dict[str, Any]) -> npt.NDArray[np.float32]:
        start = entry["first_flac"]
        data = self._array(entry["shard"], "flac")[start : start + entry["n_flac"]]
        try:
            audio, _ = soundfile.read(io.BytesIO(data.tobytes()), dtype="float32")
        except soundfile.LibsndfileError as error:
            raise UserError(self._broken(entry["shard"], f"audio of note {entry['id']} is damaged")) from error
        return np.asarray(audio * (float(entry["peak"]) / 0.999), dtype=np.float32)

    def _array(self, shard: int, name: str) -> npt.NDArray[Any]:
        with self._lock:
            key = (shard, name)
            if key in self._cache:
                self._cache.move_to_end(key)
                return self._cache[key]
            path = self.path / f"{_shard_name(shard)}.npz"
            try:
                with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                    values = np.asarray(archive[name])
            except FileNotFoundError as error:
                raise UserError(self._broken(shard, "file is missing")) from error
            except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
                raise UserError(self._broken(shard, "file is damaged")) from error
            self._cache[key] = values
            self._cache_bytes += values.nbytes
            while self._cache_bytes > self.max_cache_bytes and len(self._cache) > 1:
                _, dropped = self._cache.popitem(last=False)
                self._cache_bytes -= dropped.nbytes
            return values

    def _broken(self, shard: int, what: str) -> str:
        return f"prepared data {self.path / _shard_name(shard)}.npz: {what}; prepare the data again"


def _read_index(path: Path) -> dict[str, Any]:
    file = path / "index.json"
    if not file.is_file():
        if (path / "preparing").is_dir():
            raise UserError(f"{path} is not finished; run its noisysynth-dataset command again to complete it")
        raise UserError(f"no prepared data at {path} (no index.json); make it with noisysynth-dataset")
    try:
        index = json.loads(file.read_text("utf-8"))
    except (ValueError, OSError) as error:
        raise UserError(f"{file} is damaged; prepare the data again") from error
    if not isinstance(index, dict) or index.get("format") != FORMAT:
        raise UserError(f"{file} is not the index of prepared data")
    if index.get("version") != VERSION:
        raise UserError(f"{file} has format version {index.get('version')}, this program reads {VERSION}")
    needed = {"id", "pitch", "velocity", "gate_s", "instrument", "split", "shard", "n_frames", "first_frame"}
    notes = index.get("notes")
    if not isinstance(notes, list) or not all(isinstance(n, dict) and needed <= n.keys() for n in notes):
        raise UserError(f"{file} has a damaged list of notes; prepare the data again")
    return index
