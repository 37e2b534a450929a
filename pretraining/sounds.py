"""Made-up sounds: a sound drawn at random, as a recipe for a synthesiser, and any number of recordings of it.

Two recordings of one sound differ as those of one kind of thing do: in pitch, pace, level, place in time, room,
background and microphone. Nothing here knows of instruments, animals or words.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

SAMPLE_RATE = 22050
"""Rate of what is made here, in Hz."""
N_SAMPLES = 3 * SAMPLE_RATE
"""Length of a recording."""

Array = NDArray[np.float64]
Waveform = NDArray[np.float32]
Rng = np.random.Generator

SOURCES = {"tone": 0.4, "noise": 0.25, "both": 0.2, "partials": 0.15}
"""What is heard, and how often: harmonics, noise, both, or partials that stand in no order and die away."""
RHYTHMS = {"single": 0.3, "few": 0.15, "regular": 0.2, "irregular": 0.15, "continuous": 0.2}
"""When it is heard: once, 2 to 4 times, at a steady or at a random pace, or all the time."""

HIGHEST = 10500.0
"""Hz; no partial lies above."""
N_HARMONICS = 200
PERIOD = 2048
"""Samples of one period of a tone, read at the pace of its pitch."""
N_FFT, HOP = 1024, 256
_OCTAVES = np.log2(np.maximum(np.fft.rfftfreq(N_FFT, 1 / SAMPLE_RATE), 20.0))
_SECONDS = np.arange(N_SAMPLES) / SAMPLE_RATE


@dataclass(frozen=True)
class Sound:
    """A kind of sound: what its recordings have in common."""

    source: str
    """A key of `SOURCES`."""
    pitch: float
    """Hz."""
    rolloff: float
    """Harmonic n has amplitude `n ** -rolloff`."""
    even: float
    """Amplitude of the even harmonics beside the odd ones."""
    harmonics: Array
    """Amplitudes that belong to this sound alone, beside the roll-off, `[N_HARMONICS]`."""
    ratios: Array
    """Frequencies of the partials, as multiples of the pitch."""
    levels: Array
    """Amplitudes of the partials."""
    noise_db: float
    """Level of noise beside a tone, in dB."""
    rhythm: str
    """A key of `RHYTHMS`."""
    rate: float
    """Events a second, of a steady or random pace."""
    attack: float
    """Seconds until an event is at its loudest."""
    sustain: float
    """Seconds that it stays so."""
    decay: float
    """Seconds in which it then falls by 20 dB."""
    swing_db: float
    """Standard deviation of the events' levels, in dB."""
    tremolo_rate: float
    """Hz."""
    tremolo_depth: float
    """From none (0) to silence (1) between two beats."""
    tremolo_random: bool
    """Whether the tremolo is a random course instead of a sine."""
    glide: float
    """Semitones from which an event's pitch comes, or up to which it goes and back."""
    glide_seconds: float
    """How long that takes."""
    arc: bool
    """Whether the pitch goes up and back."""
    vibrato: float
    """Half width, in semitones."""
    vibrato_rate: float
    """Hz."""
    melody: float
    """Standard deviation of the events' pitches, in semitones."""
    centres: Array
    """Resonances, in Hz, `[n_states, n_resonances]`; the sound goes from state to state."""
    peaks_db: Array
    """Their heights, of the same shape, in dB."""
    octaves: Array
    """Their half widths, `[n_resonances]`."""
    tilt_db: float
    """Slope of the whole spectrum, in dB an octave."""
    span: float
    """Seconds from the first state to the last."""


def draw_sound(rng: Rng) -> Sound:
    """A sound like no other; wide ranges, log-uniform where ears hear ratios."""
    n_partials = rng.integers(3, 12)
    n_resonances, n_states = rng.integers(1, 5), rng.integers(1, 4)
    resonances = np.sort(np.exp(rng.uniform(math.log(150), math.log(9000), (1, n_resonances))), axis=1)
    return Sound(
        source=str(rng.choice(list(SOURCES), p=list(SOURCES.values()))),
        pitch=_log_uniform(rng, 60, 1500),
        rolloff=rng.uniform(0, 2.5),
        even=_sometimes(rng, 0.5, rng.uniform(0, 1), 1.0),
        harmonics=np.exp(rng.normal(0, 0.7, N_HARMONICS)),
        ratios=np.sort(np.exp(rng.uniform(0, math.log(12), n_partials))),
        levels=np.exp(rng.normal(0, 1, n_partials)),
        noise_db=rng.uniform(-30, 5),
        rhythm=str(rng.choice(list(RHYTHMS), p=list(RHYTHMS.values()))),
        rate=_log_uniform(rng, 0.7, 30),
        attack=_log_uniform(rng, 0.001, 0.3),
        sustain=_sometimes(rng, 0.5, _log_uniform(rng, 0.02, 1.0)),
        decay=_log_uniform(rng, 0.008, 2.0),
        swing_db=_sometimes(rng, 0.5, rng.uniform(0, 12)),
        tremolo_rate=_log_uniform(rng, 1, 40),
        tremolo_depth=_sometimes(rng, 0.4, rng.uniform(0, 1)),
        tremolo_random=bool(rng.random() < 0.5),
        glide=_sometimes(rng, 0.5, rng.normal(0, 7)),
        glide_seconds=_log_uniform(rng, 0.03, 0.6),
        arc=bool(rng.random() < 0.5),
        vibrato=_sometimes(rng, 0.4, _log_uniform(rng, 0.1, 2)),
        vibrato_rate=_log_uniform(rng, 3, 9),
        melody=_sometimes(rng, 0.4, rng.uniform(0, 5)),
        centres=resonances * np.exp(rng.normal(0, 0.35, (n_states, n_resonances))),
        peaks_db=rng.uniform(5, 35, (1, n_resonances)) + rng.normal(0, 6, (n_states, n_resonances)),
        octaves=rng.uniform(0.1, 0.7, n_resonances),
        tilt_db=rng.normal(-3, 4),
        span=_log_uniform(rng, 0.1, 2.5),
    )


def describe(sound: Sound) -> NDArray[np.float32]:
    """What a listener could say of a sound, as numbers, `[n]`; NaN where there is nothing to say."""
    toned, harmonic = sound.source != "noise", sound.source in ("tone", "both")
    paced, ends = sound.rhythm in ("regular", "irregular"), sound.rhythm != "continuous"
    said = [
        *((float(sound.source == one), True) for one in SOURCES),
        *((float(sound.rhythm == one), True) for one in RHYTHMS),
        (math.log(sound.pitch), toned),
        (sound.rolloff, harmonic),
        (sound.even, harmonic),
        (sound.noise_db, sound.source == "both"),
        (math.log(sound.rate), paced),
        (math.log(sound.attack), ends),
        (math.sqrt(sound.sustain), ends),
        (math.log(sound.decay), ends),
        (sound.tremolo_depth, True),
        (sound.glide, toned),
        (sound.vibrato, toned),
        (sound.melody, toned and sound.rhythm != "single"),
        (sound.tilt_db, True),
        *((math.log(sound.centres[state, place]), True) for state in (0, -1) for place in (0, -1)),
    ]
    return np.array([value if known else math.nan for value, known in said], np.float32)


def record(sound: Sound, rng: Rng) -> Waveform:
    """One recording `[N_SAMPLES]` of a sound, its peak -30 to 0 dB of full scale; a few are cut off before it."""
    onsets = _onsets(sound, rng)
    since = _SECONDS - np.maximum.accumulate(_at(onsets, onsets / SAMPLE_RATE))
    x = np.zeros(N_SAMPLES)
    if sound.source != "noise":
        pitch = _near(sound.pitch, rng, 0.2) * 2 ** (_semitones(sound, onsets, since, rng) / 12)
        x = _partials(sound, pitch, since, rng) if sound.source == "partials" else _tone(sound, pitch, rng)
        x /= x.std() + 1e-9
    noise_db = {"noise": 0.0, "both": sound.noise_db}.get(sound.source, sound.noise_db - 20)
    x = x + 10 ** (noise_db / 20) * rng.standard_normal(N_SAMPLES)
    x = x * _envelope(sound, onsets, rng) * _tremolo(sound, rng)
    x = _room(_resonate(sound, x, since, rng), rng)
    return _microphone(x, rng).astype(np.float32)


def _onsets(sound: Sound, rng: Rng) -> NDArray[np.int64]:
    """Samples at which events begin."""
    pace, end = _near(sound.rate, rng, 0.15), N_SAMPLES / SAMPLE_RATE
    if sound.rhythm == "single":
        at = rng.uniform(0, 1.2, 1)
    elif sound.rhythm == "few":
        at = np.sort(rng.uniform(0, 2.6, rng.integers(2, 5)))
    elif sound.rhythm == "regular":
        at = np.arange(rng.uniform(0, min(1 / pace, 1.2)), end, 1 / pace)
        at = at + rng.normal(0, 0.02 / pace, len(at))
    elif sound.rhythm == "irregular":
        at = np.sort(rng.uniform(0, end, max(1, rng.poisson(end * pace))))
    else:
        at = np.zeros(1)
    return (np.clip(at, 0, end - 0.01) * SAMPLE_RATE).astype(np.int64)


def _envelope(sound: Sound, onsets: NDArray[np.int64], rng: Rng) -> Array:
    """Amplitude over time `[N_SAMPLES]`, at most 1."""
    attack, sustain, decay = (_near(one, rng, 0.25) for one in (sound.attack, sound.sustain, sound.decay))
    if sound.rhythm == "continuous":
        return np.ones(N_SAMPLES)
    falling = np.exp(-np.maximum(_SECONDS - attack - sustain, 0) * math.log(10) / decay)
    event = np.minimum(_SECONDS / attack, falling)
    levels = 10 ** (rng.normal(0, 1, len(onsets)) * sound.swing_db / 20)
    strokes = np.zeros(N_SAMPLES)
    np.add.at(strokes, onsets, levels)
    envelope = np.maximum(_convolve(strokes, event), 0)
    peak: float = envelope.max()
    return envelope / (peak + 1e-9)


def _tremolo(sound: Sound, rng: Rng) -> Array:
    """What the amplitude is multiplied by, `[N_SAMPLES]`, in [0, 1]."""
    rate, phase = _near(sound.tremolo_rate, rng, 0.15), rng.uniform(0, 2 * math.pi)
    if not sound.tremolo_random:
        beat = 0.5 + 0.5 * np.sin(2 * math.pi * rate * _SECONDS + phase)
    else:
        points = rng.random(max(4, round(rate * _SECONDS[-1])))
        beat = np.interp(_SECONDS, np.linspace(0, _SECONDS[-1], len(points)), points)
    return 1 - sound.tremolo_depth * beat


def _semitones(sound: Sound, onsets: NDArray[np.int64], since: Array, rng: Rng) -> Array:
    """Course of the pitch, `[N_SAMPLES]`, of seconds since the last event."""
    course = (
        np.sin(math.pi * np.minimum(since / sound.glide_seconds / 3, 1))
        if sound.arc
        else np.exp(-since / sound.glide_seconds)
    )
    beat = np.sin(2 * math.pi * _near(sound.vibrato_rate, rng, 0.1) * _SECONDS + rng.uniform(0, 2 * math.pi))
    notes = np.zeros(N_SAMPLES)
    notes[onsets] = rng.normal(0, 1, len(onsets))
    played = np.maximum.accumulate(_at(onsets, onsets)).astype(np.int64)
    semitones: Array = sound.glide * course + sound.vibrato * beat + sound.melody * notes[played]
    return semitones


def _tone(sound: Sound, pitch: Array, rng: Rng) -> Array:
    """A period with the sound's harmonics, read at the pace of `pitch` (Hz)."""
    n = int(np.clip(HIGHEST / np.quantile(pitch, 0.95), 1, N_HARMONICS))
    amplitudes = np.arange(1, n + 1) ** -sound.rolloff * sound.harmonics[:n] * np.exp(rng.normal(0, 0.25, n))
    amplitudes[1::2] *= sound.even
    spectrum = np.zeros(PERIOD // 2 + 1, complex)
    spectrum[1 : n + 1] = amplitudes * np.exp(2j * math.pi * rng.random(n))
    period = np.fft.irfft(spectrum, PERIOD)
    place = (np.cumsum(pitch) / SAMPLE_RATE + rng.random()) % 1 * PERIOD
    tone: Array = np.interp(place, np.arange(PERIOD + 1), np.append(period, period[0]))
    return tone


def _partials(sound: Sound, pitch: Array, since: Array, rng: Rng) -> Array:
    """The sum of partials that die away from each event on, the high ones sooner."""
    phase, decay = 2 * math.pi * np.cumsum(pitch) / SAMPLE_RATE, _near(sound.decay, rng, 0.25)
    x = np.zeros(N_SAMPLES)
    for ratio, level in zip(sound.ratios, sound.levels, strict=True):
        level, start = _near(level, rng, 0.2), rng.uniform(0, 2 * math.pi)
        if ratio * sound.pitch <= HIGHEST:
            x += level * np.sin(ratio * phase + start) * np.exp(-since * ratio * 0.5 / decay)
    return x


def _resonate(sound: Sound, x: Array, since: Array, rng: Rng) -> Array:
    """Filter by the tilt and by resonances that move from state to state, from each event on."""
    octaves = np.log2(sound.centres * _near(1.0, rng, 0.08))[..., None]
    peaks = sound.peaks_db + rng.normal(0, 2, sound.peaks_db.shape)
    shapes = np.exp(-0.5 * ((_OCTAVES - octaves) / sound.octaves[:, None]) ** 2)
    states = np.einsum("sk,skf->sf", peaks, shapes)
    states = states + (sound.tilt_db + rng.normal(0, 1.5)) * (_OCTAVES - math.log2(1000))
    spectrum = torch.stft(torch.from_numpy(x), N_FFT, HOP, window=_window(), return_complex=True)
    frames = since[np.minimum(np.arange(spectrum.shape[1]) * HOP, N_SAMPLES - 1)]
    place = np.minimum(frames / _near(sound.span, rng, 0.15), 1) * (len(states) - 1)
    before = np.minimum(place.astype(int), max(len(states) - 2, 0))
    after = np.minimum(before + 1, len(states) - 1)
    gains = states[before] + (place - before)[:, None] * (states[after] - states[before])
    gains = 10 ** (np.clip(gains - gains.max(), -80, 0) / 20)
    return torch.istft(
        spectrum * torch.from_numpy(gains.T), N_FFT, HOP, window=_window(), length=N_SAMPLES
    ).numpy()


def _room(x: Array, rng: Rng) -> Array:
    """Half of the time, an echo of noise that dies away."""
    if rng.random() < 0.5:
        return x
    seconds = _log_uniform(rng, 0.1, 1.5)
    fall = _SECONDS[: int(min(seconds, 1.0) * SAMPLE_RATE)]
    echo = rng.standard_normal(len(fall)) * 10 ** (-3 * fall / seconds)
    echo *= _log_uniform(rng, 0.02, 0.4) / np.sqrt((echo**2).sum())
    echo[0] = 1
    return _convolve(x, echo)


def _microphone(x: Array, rng: Rng) -> Array:
    """Background noise, padding with digital silence now and then, a level."""
    x = x / (np.abs(x).max() + 1e-9)
    slope = rng.uniform(0, 2)
    noise = np.fft.rfft(rng.standard_normal(N_SAMPLES)) * np.maximum(np.arange(N_SAMPLES // 2 + 1), 20) ** (
        -slope / 2
    )
    background = np.fft.irfft(noise, N_SAMPLES)
    x = x + background * (x.std() / background.std()) * 10 ** (-rng.uniform(10, 70) / 20)
    if rng.random() < 0.15:
        x[int(rng.uniform(0.4, 3) * SAMPLE_RATE) :] = 0
    return x * 10 ** (rng.uniform(-30, 0) / 20)


def _window() -> torch.Tensor:
    return torch.hann_window(N_FFT, dtype=torch.float64)


def _convolve(x: Array, kernel: Array) -> Array:
    """`x` convolved with `kernel`, as long as `x`."""
    n = 2 ** math.ceil(math.log2(len(x) + len(kernel)))
    return np.fft.irfft(np.fft.rfft(x, n) * np.fft.rfft(kernel, n), n)[: len(x)]


def _at(places: NDArray[np.int64], values: NDArray[np.generic]) -> Array:
    """Values at their places, zero elsewhere, `[N_SAMPLES]`."""
    x = np.zeros(N_SAMPLES)
    x[places] = values
    return x


def _near(value: float, rng: Rng, spread: float) -> float:
    return value * math.exp(rng.normal(0, spread))


def _log_uniform(rng: Rng, low: float, high: float) -> float:
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def _sometimes(rng: Rng, share: float, value: float, otherwise: float = 0.0) -> float:
    return value if rng.random() < share else otherwise
