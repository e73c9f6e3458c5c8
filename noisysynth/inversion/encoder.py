"""The instrument's encoder at play: a recording in, where in the latent space it belongs out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from noisysynth.engine.control_net import CPU
from noisysynth.errors import UserError
from noisysynth.features import SAMPLE_RATE, log_mel
from noisysynth.instrument import Instrument
from noisysynth.inversion.note import RecordedNote
from noisysynth.listening.resampling import resample

_FATAL = 4


def encode(instrument: Instrument, note: RecordedNote) -> npt.NDArray[np.float32] | None:
    """The mean latent [Z]; None where the instrument has no encoder.

    UserError, one line, when its encoder does not run.
    """
    if instrument.encoder_onnx is None:
        return None
    features = log_mel(resample(note.audio, note.rate, SAMPLE_RATE), SAMPLE_RATE)
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = _FATAL
    try:
        session = ort.InferenceSession(instrument.encoder_onnx, options, providers=[CPU])
        (mean,) = session.run(("mean",), {"log_mel": features[None]})
    except Exception as error:  # ONNX Runtime's errors derive from Exception only
        reason = " ".join(str(error).split())[:160]
        raise UserError(f"{instrument.name}: its encoder does not run ({reason}); export it again") from None
    size = instrument.spec.latent_size
    if mean.shape != (1, size) or not np.isfinite(mean).all():
        raise UserError(f"{instrument.name}: its encoder gives no latent of {size} numbers; export it again")
    return np.asarray(mean[0], np.float32)
