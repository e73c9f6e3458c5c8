"""The control network at play: an ONNX Runtime session that turns notes and times into control frames."""

from __future__ import annotations

import ctypes
import statistics
import sys
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from noisysynth.errors import UserError
from noisysynth.graph_check import SHIMMER
from noisysynth.instrument import GOLDEN_INPUTS, GOLDEN_OUTPUTS, Instrument
from noisysynth.spec import SynthSpec

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"

# ONNX Runtime's severity "fatal": it tells of every missing GPU library otherwise, which is no concern of a player.
_QUIET = 4
# The most rows (voices times frames) that playing asks for in one call: a millisecond's work, so that no new note waits
# longer.
MOST_ROWS = 80
# The batches that matter: a note's first frame, and the usual refill of a full hand of notes.
_MEASURED_BATCHES = ((1, 1), (16, 3))
_MEASURED_RUNS = 30
_WARM_UP_RUNS = 10

Floats = NDArray[np.float32]


class ControlFrames(NamedTuple):
    """Controls of V voices at F instants each, as in docs/architecture.md; fresh arrays, the caller's to keep.

    f0_ratio [V, F], amplitude [V, F], harmonics [V, F, H], noise [V, F, N].
    """

    f0_ratio: Floats
    amplitude: Floats
    harmonics: Floats
    noise: Floats


class ControlNet:
    """The control network of one instrument, loaded and tried once.

    Raises UserError, one line, when ONNX Runtime cannot load it or a trial run gives wrong shapes or numbers that are
    not finite. One thread computes (two cost more in waking up than these sizes give back), and it never spins.
    """

    def __init__(self, instrument: Instrument, providers: Sequence[str] | None = None) -> None:
        self.spec = instrument.spec
        self._instrument_name = instrument.name
        self._session = self._load(instrument.control_onnx, list(providers or (CPU,)))
        self.provider: str = self._session.get_providers()[0]
        self.shimmers: bool = {port.name for port in SHIMMER} <= {port.name for port in self._session.get_inputs()}
        self._feeds: dict[str, Floats] = {}
        self._probe()

    def run(
        self,
        z: Floats,
        pitch: Floats,
        velocity: Floats,
        time_on: Floats,
        time_off: Floats,
        shimmer: Floats | None = None,
        shimmer_clock: Floats | None = None,
    ) -> ControlFrames:
        """Controls for z [V, Z], pitch [V], velocity [V], time_on [V, F] and time_off [V, F], all float32.

        shimmer [V, F]: how much of its shimmer is wanted, 1 by default; shimmer_clock [V, F]: how far it has come, in
        s, time_on by default. Of no effect on a network that has none.

        Not for two threads at once. Plain feeds, not an IOBinding: binding buffers once and copying into them was
        measured 3 to 5 us faster per call of 60 to 250 us, and the caller would have to mind whose arrays they are.
        """
        feeds = self._feeds
        feeds["z"] = z
        feeds["pitch"] = pitch
        feeds["velocity"] = velocity
        feeds["time_on"] = time_on
        feeds["time_off"] = time_off
        if self.shimmers:
            feeds["shimmer"] = np.ones_like(time_on) if shimmer is None else shimmer
            feeds["shimmer_clock"] = time_on if shimmer_clock is None else shimmer_clock
        return ControlFrames(*self._session.run(GOLDEN_OUTPUTS, feeds))

    def _load(self, model: bytes, providers: list[str]) -> Any:
        try:
            return _open_session(model, providers)
        except Exception as error:  # ONNX Runtime's errors derive from Exception only
            reason = " ".join(str(error).split())[:160]
            raise self._error(f"cannot be loaded ({reason})") from None

    def _probe(self) -> None:
        # The largest, too: the runtime takes its memory with the first call that needs it, which shall not be a note's.
        for voices, frames in ((1, 1), (3, 2), (MOST_ROWS, 1)):
            inputs = probe_inputs(self.spec, voices, frames)
            try:
                controls = self.run(**inputs)
            except Exception as error:  # as above
                reason = " ".join(str(error).split())[:160]
                raise self._error(f"does not run ({reason})") from None
            shapes = ((), (), (self.spec.n_harmonics,), (self.spec.n_noise_bands,))
            for name, values, rest in zip(GOLDEN_OUTPUTS, controls, shapes, strict=True):
                expected = (voices, frames, *rest)
                if values.dtype != np.float32 or values.shape != expected:
                    raise self._error(f"gives {name} as {values.dtype} {values.shape}, not float32 {expected}")
                if not np.isfinite(values).all():
                    raise self._error(f"gives numbers in {name} that are not finite")

    def _error(self, problem: str) -> UserError:
        return UserError(f"{self._instrument_name}: its control network {problem}; export the instrument again")


def golden_error(net: ControlNet, instrument: Instrument) -> float:
    """Largest absolute difference of any control from the instrument's golden vectors; 0.0 in a file without."""
    golden = instrument.golden
    if not golden:
        return 0.0
    controls = net.run(**{name: golden[name] for name in GOLDEN_INPUTS})
    return max(
        float(np.max(np.abs(values - golden[name]))) for name, values in zip(GOLDEN_OUTPUTS, controls, strict=True)
    )


def choose_provider(instrument: Instrument) -> str:
    """The ONNX Runtime provider that serves this instrument fastest here, by measurement.

    For networks of this size a GPU usually loses to one CPU core: starting its kernels takes longer than the sums.
    Returns the CPU at once when there is nothing to compare, and quietly when a GPU turns out not to work.
    """
    if CUDA not in ort.get_available_providers() or not _has_cuda_device():
        return CPU
    try:
        cuda = ControlNet(instrument, (CUDA, CPU))
    except UserError:
        return CPU
    if cuda.provider != CUDA:  # its libraries are missing, and ONNX Runtime fell back by itself
        return CPU
    try:
        return CUDA if measure_seconds(cuda) < measure_seconds(ControlNet(instrument)) else CPU
    except Exception:  # a GPU may fail at any time, and the CPU is always there
        return CPU


def measure_seconds(net: ControlNet) -> float:
    """Seconds for the batches that playing is made of: the sum of the median times of 1 x 1 and 16 x 3 frames."""
    total_s = 0.0
    for voices, frames in _MEASURED_BATCHES:
        inputs = probe_inputs(net.spec, voices, frames)
        times_s = []
        for run in range(_WARM_UP_RUNS + _MEASURED_RUNS):
            start_s = time.perf_counter()
            net.run(**inputs)
            if run >= _WARM_UP_RUNS:
                times_s.append(time.perf_counter() - start_s)
        total_s += statistics.median(times_s)
    return total_s


def probe_inputs(spec: SynthSpec, voices: int, frames: int) -> dict[str, Floats]:
    """Inputs over the whole keyboard: held and released notes, from the first instant to an hour on."""
    times_s = np.array([0.0, 0.004, 0.25, 3.0, 3600.0], np.float32)
    time_on = np.resize(times_s, (voices, frames))
    return {
        "z": np.random.default_rng(0).normal(size=(voices, spec.latent_size)).astype(np.float32),
        "pitch": np.linspace(60.0, 127.0, voices, dtype=np.float32),
        "velocity": np.linspace(1.0, 0.0, voices, dtype=np.float32),
        "time_on": time_on,
        "time_off": time_on - np.float32(0.2),
    }


def _open_session(model: bytes, providers: list[str]) -> Any:
    ort.set_default_logger_severity(_QUIET)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = _QUIET
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    # TF32 would round products to 10 bits, far outside the bar that golden vectors set.
    settings = [{"use_tf32": "0"} if provider == CUDA else {} for provider in providers]
    return ort.InferenceSession(model, options, providers=providers, provider_options=settings, enable_fallback=0)


def _has_cuda_device() -> bool:
    """Whether the driver sees a GPU: the CUDA provider is listed wherever its wheel is installed."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        count = ctypes.c_int(0)
        return bool(driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0)
    except (OSError, AttributeError):
        return False
