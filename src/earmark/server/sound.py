"""A clip as the page hears and sees it: WAV of just the clip, spectrograms, waveform, axes; made once and kept.

Whatever format the recording has, it is decoded by `audio`, mixed down and written as 16-bit WAV at a rate that
browsers play: this is the transcoding. The pictures are drawn at the recording's own rate.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import threading
import wave
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from earmark import audio
from earmark.cache import cache_folder
from earmark.server import pictures
from earmark.server.shelf import MOST_BYTES, Parts, Shelf

if TYPE_CHECKING:
    from earmark.labelling.tasks import LabelClip

FORMAT = 1
"""Raised whenever what is made of a clip changes."""
PARTS = {"wav": "audio/wav", "mel.png": "image/png", "linear.png": "image/png", "wave.png": "image/png"} | {
    "json": "application/json"
}
"""What there is of a clip, and its type; the last says that it is whole."""
LOWEST_RATE, HIGHEST_RATE = 8000, 48000
"""What every browser plays, in Hz."""
_AT_ONCE = max(1, (os.cpu_count() or 2) - 1)


class Sounds:
    """Clips made ready for the page.

    Args:
        folder: where they are kept; None: `labelling` in the cache folder.
        most_bytes: of it.
    """

    def __init__(self, folder: Path | None = None, most_bytes: int = MOST_BYTES) -> None:
        self._shelf = Shelf(folder or cache_folder() / "labelling", tuple(PARTS), most_bytes)
        self._turns = threading.Semaphore(_AT_ONCE)

    def get(self, clip: LabelClip, part: str) -> Path | bytes:
        """One of `PARTS` of a clip.

        Raises:
            AudioError: the recording cannot be read (any more).
        """
        return self._shelf.get(key_of(clip), part, lambda: self._made(clip))

    def warm(self) -> None:
        """Draw something once, so that the first clip need not wait for what is imported and planned."""
        noise = np.linspace(-1, 1, 44100, dtype=np.float32)
        pictures.spectrogram(pictures.power(noise, 22050), 22050, "mel")

    def _made(self, clip: LabelClip) -> Parts:
        with self._turns:
            return prepare(clip)


def key_of(clip: LabelClip) -> str:
    """What the recording's path, size and time and the clip's place in it say: another key, another sound.

    Raises:
        AudioError: there is no such file any more.
    """
    try:
        found = os.stat(clip.path)
    except OSError as error:
        raise audio.AudioError(clip.path, "missing", error.strerror or "") from error
    said = (FORMAT, os.fspath(clip.path), found.st_size, found.st_mtime_ns, clip.start, clip.end)
    return hashlib.blake2b(repr(said).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def prepare(clip: LabelClip) -> Parts:
    """Decode a clip and draw it: a value for each of `PARTS`.

    Raises:
        AudioError: the recording cannot be read.
    """
    rate, samples = _read(clip)
    power = pictures.power(samples, rate)
    peak = float(np.abs(samples).max())
    look = {
        "seconds": round(len(samples) / rate, 6),
        "rate": rate,
        "peak_db": round(20 * math.log10(peak), 1) if peak > 0 else None,
        "axes": {scale: pictures.axis(rate, scale) for scale in pictures.SCALES},
    }
    drawn = {f"{scale}.png": pictures.spectrogram(power, rate, scale) for scale in pictures.SCALES}
    return {
        "wav": _wav(samples, rate),
        **drawn,
        "wave.png": pictures.waveform(samples),
        "json": json.dumps(look).encode(),
    }


def _read(clip: LabelClip) -> tuple[int, NDArray[np.float32]]:
    """Rate and samples; silence is a sound here, for somebody has to say so."""
    rate = audio.probe(clip.path).sample_rate
    try:
        return rate, audio.read(clip.path, None, clip.start, clip.end)
    except audio.AudioError as error:
        if error.reason != "silent":
            raise
        return rate, np.zeros(max(1, round(clip.seconds * rate)), np.float32)


def _wav(samples: NDArray[np.float32], rate: int) -> bytes:
    to_rate = min(max(rate, LOWEST_RATE), HIGHEST_RATE)
    heard = audio.resample(samples, rate, to_rate)
    whole = np.round(np.clip(heard, -1, 1) * 32767).astype("<i2")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(to_rate)
        file.writeframes(whole.tobytes())
    return buffer.getvalue()
