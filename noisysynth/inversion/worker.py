"""What the search's process runs: after everybody else and on one thread, which is set before anything is imported."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

NICENESS = 15
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
SHOWN_EVERY = 0.05  # of the way, a new picture at the most


def run(told: Connection, instrument: Path, recording: Path) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal group; the window decides
    for name in _THREADS:
        os.environ[name] = "1"
    with contextlib.suppress(OSError, AttributeError):
        os.nice(NICENESS)
    with contextlib.suppress(BrokenPipeError, OSError):  # nobody listens any more
        told.send(_search(told, instrument, recording))
    told.close()


def _search(told: Connection, instrument: Path, recording: Path) -> Any:
    from noisysynth.errors import UserError
    from noisysynth.inversion.messages import Failed, Found, Heard, Underway

    try:
        from noisysynth.instrument import read_instrument
        from noisysynth.inversion.note import read_recorded_note
        from noisysynth.inversion.picture import spectrogram
        from noisysynth.inversion.search import Progress, Search

        chosen = read_instrument(instrument)
        note = read_recorded_note(recording, chosen.spec.sample_rate)
        told.send(Heard(note.pitch, note.seconds, spectrogram(note.audio, note.rate)))
        search = Search(chosen, note)
        shown = 0.0

        def progress(news: Progress) -> None:
            nonlocal shown
            picture = None
            if news.point is not None and news.share - shown >= SHOWN_EVERY:
                shown = news.share
                audio = search.render(search.layout.vector(news.point)[None, :])[0]
                picture = spectrogram(audio, note.rate)
            told.send(Underway(news.share, news.what, picture))

        found = search.run(progress)
        point = found.point
        return Found(point.z, point.parameters, note.pitch, point.velocity, point.gate_s, found.distance, found.preset,
                     found.preset_distance, spectrogram(found.audio, note.rate))  # fmt: skip
    except UserError as error:
        return Failed(str(error))
    except MemoryError:
        return Failed(f"{recording.name}: the search ran out of memory; close other programs and try again")
    except (BrokenPipeError, ConnectionError):
        raise
    except Exception as error:  # whatever breaks in here must end as a line, not as a dead window
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:160]
        return Failed(f"{recording.name}: the search broke off ({reason})")
