"""Sounds made by arithmetic: six kinds of instrument, their players and rooms; the practice corpus and songs.

Everything is drawn from a seed: the same seed gives the same sounds. The kinds differ by what a textbook says
of them; the players of a kind differ in touch, body, room, microphone and noise, and the ranges of the kinds
overlap: whoever has learned the players by heart fails on new ones.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earmark.audio import write
from earmark.errors import UserError
from earmark.files import cannot_write, replacing

SAMPLE_RATE = 22050
"""Rate of everything made here, in Hz."""

Waveform = NDArray[np.float32]
Rng = np.random.Generator


def make_corpus(folder: Path | str, seed: int = 0, players: int = 8, pitches: int = 10) -> None:
    """Write a practice corpus: `metadata.csv` and a folder of notes for each kind of instrument.

    Every player is a group and plays `pitches` different notes of 1.5 to 2.5 s, as WAV (players 0, 2, ...) or
    FLAC (1, 3, ...). `metadata.csv`, written last: path, label, group, pitch (MIDI number).

    Args:
        folder: missing or empty; made where it is missing.
        seed: 0 or more; another one gives other players, notes and noise.
        players: players of each kind, 1 to 1,000.
        pitches: notes of each player, 1 to 19.

    Raises:
        UserError: the folder holds something already, or a number is out of its range.
    """
    _check_range("seed", seed, 0)
    _check_range("players", players, 1, _FIRST_GUEST)
    _check_range("pitches", pitches, 1, _COMPASS + 1)
    folder = _new_folder(folder)
    rows = [
        row
        for kind in KINDS
        for index in range(players)
        for row in _recital(folder, make_player(kind, index, seed), pitches)
    ]
    _write_rows(folder / "metadata.csv", ("path", "label", "group", "pitch"), rows)


def make_songs(folder: Path | str, seed: int = 0, songs: int = 3) -> None:
    """Write songs of 30 to 36 s by players who are not in the corpus of that seed.

    Beside each `song_1.flac` stands its timeline `song_1.csv`: start, end (s), label. See `make_song`.

    Args:
        folder: missing or empty; made where it is missing.
        seed: 0 or more; another one gives other players, tunes and noise.
        songs: how many, at least 1.

    Raises:
        UserError: the folder holds something already, or a number is out of its range.
    """
    _check_range("seed", seed, 0)
    _check_range("songs", songs, 1)
    folder = _new_folder(folder)
    for number in range(1, songs + 1):
        waveform, timeline = make_song(number, seed)
        write(folder / f"song_{number}.flac", waveform, SAMPLE_RATE)
        _write_rows(folder / f"song_{number}.csv", ("start", "end", "label"), timeline)


def make_song(number: int, seed: int = 0) -> tuple[Waveform, list[tuple[float, float, str]]]:
    """Draw a song: phrases of one instrument each, every kind at least once, none twice in a row.

    Args:
        number: 0 and up; each has its own players.
        seed: of the corpus that they are strangers to.

    Returns:
        The waveform `[T]` and its timeline: rows of start, end (s) and kind, 3 to 6 s each, without gaps.
    """
    rng = np.random.default_rng([seed, _FIRST_GUEST, number])
    phrases: list[Waveform] = []
    timeline, end = [], 0
    for kind in _programme(rng):
        player = make_guest(kind, number, seed)
        phrases.append(record(player, _phrase(player, rng), rng))
        start, end = end, end + len(phrases[-1])
        timeline.append((round(start / SAMPLE_RATE, 6), round(end / SAMPLE_RATE, 6), kind))
        if len(phrases) >= len(KINDS) and end >= 30 * SAMPLE_RATE:
            break
    return np.concatenate(phrases), timeline


# ---- who plays ----


@dataclass(frozen=True)
class Traits:
    """What a player does the same on every note."""

    lowest: float
    """Lowest pitch, a MIDI number; the compass is an octave and a half."""
    rolloff: float
    """Harmonic n has amplitude n ** -rolloff; for strings and bars, how dull the blow is."""
    even: float
    """Amplitude of the even harmonics beside the odd ones; for bars, from free (0) to tuned (1)."""
    swell: float
    """How much later the high harmonics come and how much sooner they go, as a power of the envelope."""
    attack: float
    """Seconds until the note is full."""
    decay: float
    """Seconds in which the note falls by 60 dB."""
    vibrato: float
    """Half width of the vibrato, in cents."""
    breath: float
    """Amplitude of breath, bow or finger noise beside the tone."""


@dataclass(frozen=True)
class Player:
    """One person with one instrument in one room before one microphone."""

    kind: str
    """A key of KINDS."""
    index: int
    """Number of the player within the kind."""
    seed: int
    """Seed of the corpus."""
    traits: Traits
    """How the instrument sounds in these hands."""
    room: Waveform
    """Impulse response of body, microphone and room, `[L]`, the direct sound at sample `_DIRECT`."""
    hiss: float
    """Slope of the background noise: its power falls as frequency ** -hiss."""
    snr_db: float
    """Mean power of a note above the background noise, in dB."""
    level_db: float
    """Peak of a recording, in dB of full scale."""


@dataclass(frozen=True)
class Kind:
    """A kind of instrument: its equation, and between which traits its players lie."""

    tone: Callable[[Traits, float, int, Rng], Waveform]
    """(traits, frequency in Hz, T, generator) -> waveform `[T]`."""
    low: Traits
    """Every trait at its least."""
    high: Traits
    """Every trait at its most."""


def make_player(kind: str, index: int, seed: int = 0) -> Player:
    """Draw a player of a kind: traits within the ranges of the kind, body, room and microphone.

    Args:
        kind: a key of KINDS.
        index: 0 and up; those from 1,000 on play songs only (`make_guest`).
        seed: of the corpus.
    """
    rng = np.random.default_rng([seed, _number(kind), index])
    low, high = np.array(astuple(KINDS[kind].low)), np.array(astuple(KINDS[kind].high))
    traits = Traits(*(low + rng.uniform(size=len(low)) * (high - low)).tolist())
    hiss, snr_db, level_db = rng.uniform([0, 14, -20], [2, 35, -2]).tolist()
    return Player(kind, index, seed, traits, _room(rng), hiss, snr_db, level_db)


def make_guest(kind: str, number: int, seed: int = 0) -> Player:
    """Draw the player of a kind for song `number`: one whom no corpus of that seed has."""
    return make_player(kind, _FIRST_GUEST + number, seed)


# ---- what is played ----


def play(player: Player, pitch: float, seconds: float, rng: Rng) -> Waveform:
    """Play one note, before it meets the room.

    Args:
        player: from `make_player`.
        pitch: MIDI number, 69 is 440 Hz.
        seconds: length with its release.
        rng: what changes from note to note is drawn from it.

    Returns:
        The note, `[T]`, peak 1.
    """
    frequency = 440 * 2 ** ((pitch - 69) / 12)
    T = round(seconds * SAMPLE_RATE)
    note = KINDS[player.kind].tone(player.traits, frequency, T, rng) * _release(T)
    return np.asarray(note / np.abs(note).max(), np.float32)


def record(player: Player, dry: Waveform, rng: Rng) -> Waveform:
    """Give a dry sound `[T]` its body, room, background noise and level: `[T]`, peak at most 0.9."""
    wet = _convolve(dry, player.room)[_DIRECT : _DIRECT + len(dry)]
    noise = _noise(len(dry), lambda f: np.maximum(f, 40) ** (-player.hiss / 2), rng)
    ratio = np.sqrt(np.mean(wet**2) / np.mean(noise**2)) * 10 ** (-player.snr_db / 20)
    heard = wet + ratio * noise
    peak = 10 ** (min(player.level_db + rng.normal(0, 1.5), -1.0) / 20)
    return np.asarray(heard * (peak / np.abs(heard).max()), np.float32)


def _plucked(traits: Traits, frequency: float, T: int, rng: Rng) -> Waveform:
    """A string: a delay line that feeds back through a low-pass filter (Karplus & Strong, 1983).

    The loop lasts a period: N samples in the delay line, one in the symmetric filter, the fraction in a
    linear interpolation (Jaffe & Smith, 1983). As no sample needs the last N - 1, N are made at a time.
    """
    period = SAMPLE_RATE / frequency
    N = int(period - 1)
    fraction, damping = period - 1 - N, min(0.1 * traits.rolloff, 0.9)
    loss = 10 ** (-3 / (frequency * traits.decay))
    taps = loss * np.convolve([damping / 2, 1 - damping, damping / 2], [1 - fraction, fraction])
    y = np.zeros(T + N + 3)
    y[3 : N + 3] = _pluck(N, traits, rng)
    for n in range(N + 3, T + N + 3, N):
        stop = min(n + N, len(y))
        for delay, tap in enumerate(taps, start=N):
            y[n:stop] += tap * y[n - delay : stop - delay]
    string = y[N + 3 :]
    return np.asarray(string + np.abs(string).max() * _knock(T, traits.breath, rng), np.float32)


def _pluck(N: int, traits: Traits, rng: Rng) -> NDArray[np.float64]:
    """The string's first shape `[N]`: smoothed noise, plucked somewhere between bridge and middle."""
    spectrum = np.fft.rfft(rng.standard_normal(N)) / (1 + np.arange(N // 2 + 1)) ** (traits.rolloff / 3)
    shape = np.fft.irfft(spectrum, N)
    shape -= np.roll(shape, round(N * rng.uniform(0.1, 0.5)))
    return np.asarray(shape - shape.mean(), np.float64)


def _struck(traits: Traits, frequency: float, T: int, rng: Rng) -> Waveform:
    """A bar: a few inharmonic partials, the high ones dying first (Fletcher & Rossing, 1998, chapter 19)."""
    time = np.arange(T) / SAMPLE_RATE
    ratios = (1 - traits.even) * _FREE_BAR + traits.even * _TUNED_BAR
    bar = np.zeros(T)
    for ratio in ratios[ratios * frequency < 0.45 * SAMPLE_RATE]:
        fall = np.exp(-_LN_60_DB * time * ratio**0.7 / traits.decay)
        weight = ratio**-traits.rolloff * rng.uniform(0.6, 1.0)
        bar += weight * fall * np.sin(2 * np.pi * (frequency * ratio * time + rng.uniform()))
    bar *= np.minimum(time / traits.attack, 1)
    return np.asarray(bar + np.abs(bar).max() * _knock(T, traits.breath, rng), np.float32)


def _sustained(traits: Traits, frequency: float, T: int, rng: Rng) -> Waveform:
    """A blown or bowed note: harmonics under an envelope, vibrato and breath.

    With swell, the louder the brighter: the high harmonics come in last (Risset & Mathews, 1969).
    """
    envelope = _envelope(traits, T, rng)
    cents = traits.vibrato * _vibrato(T, rng) + rng.normal(0, 4)
    phase = 2 * np.pi * np.cumsum(frequency * 2 ** (cents / 1200)) / SAMPLE_RATE
    phase = (phase % (2 * np.pi)).astype(np.float32)
    rolloff = traits.rolloff + rng.normal(0, 0.05)
    note, loudness, swell = np.zeros(T, np.float32), envelope.copy(), envelope ** np.float32(traits.swell)
    for n in range(1, min(24, int(0.45 * SAMPLE_RATE / frequency)) + 1):
        weight = n**-rolloff * (traits.even if n % 2 == 0 else 1.0)
        note += np.float32(weight) * loudness * np.sin(n * phase)
        loudness *= swell
    breath = _noise(T, lambda f: f / (f + frequency) / (1 + (f / 4000) ** 2), rng) * envelope
    return np.asarray(note / np.abs(note).max() + traits.breath * breath / np.abs(breath).max(), np.float32)


def _envelope(traits: Traits, T: int, rng: Rng) -> Waveform:
    """Loudness of a sustained note `[T]`, 0.001 to about 1: a rise, a slow fall, an unsteady hand."""
    time = np.arange(T) / SAMPLE_RATE
    rise = 1 - np.exp(-3 * time / traits.attack)
    fall = np.exp(-_LN_60_DB * time / (traits.decay * rng.uniform(0.7, 1.4)))
    knots = np.arange(0, time[-1] + 0.4, 0.2)
    unsteady = 1 + 0.1 * np.interp(time, knots, rng.standard_normal(len(knots)))
    return np.asarray(np.maximum(rise * fall * unsteady, 1e-3), np.float32)


def _vibrato(T: int, rng: Rng) -> NDArray[np.float64]:
    """A sine of 4.5 to 6.5 Hz that comes in during the first half second: `[T]`, -1 to 1."""
    time = np.arange(T) / SAMPLE_RATE
    return np.minimum(time / 0.5, 1) * np.sin(2 * np.pi * (rng.uniform(4.5, 6.5) * time + rng.uniform()))


def _knock(T: int, amplitude: float, rng: Rng) -> NDArray[np.float64]:
    """The burst of noise of a finger, plectrum or mallet, some 20 ms long: `[T]`."""
    return amplitude / 3 * rng.standard_normal(T) * np.exp(-np.arange(T) / (0.008 * SAMPLE_RATE))


def _release(T: int) -> Waveform:
    """A gain `[T]` of 1 that falls to 0 in the last 60 ms."""
    return np.minimum(np.arange(T, 0, -1) / (0.06 * SAMPLE_RATE), 1).astype(np.float32)


# ---- where it is played ----


def _room(rng: Rng) -> Waveform:
    """Impulse response `[L]`: the direct sound, then noise that falls by 60 dB in 0.15 to 0.9 s; coloured."""
    seconds, wet_db = rng.uniform(0.15, 0.9), rng.uniform(-22, -6)
    tail = rng.standard_normal(round(seconds * SAMPLE_RATE))
    tail *= np.exp(-_LN_60_DB * np.arange(len(tail)) / len(tail))
    tail *= 10 ** (wet_db / 20) / np.sqrt(np.sum(tail**2))
    response = np.concatenate([np.zeros(_DIRECT), [1.0], tail])
    f = np.fft.rfftfreq(len(response), 1 / SAMPLE_RATE).astype(np.float64)
    coloured = np.fft.rfft(response) * 10 ** (_colour_db(f, rng) / 20)
    return np.fft.irfft(coloured, len(response)).astype(np.float32)


def _colour_db(f: NDArray[np.float64], rng: Rng) -> NDArray[np.float64]:
    """Gain in dB of body and microphone at the frequencies f (Hz): a tilt around 1 kHz, six resonances."""
    octaves = np.log2(np.maximum(f, 40) / 1000)
    gain_db = rng.normal(0, 1) * octaves
    for _ in range(6):
        centre, width = rng.uniform(-3, 3), rng.uniform(0.15, 0.5)
        gain_db += rng.normal(0, 3.5) * np.exp(-(((octaves - centre) / width) ** 2))
    return np.clip(gain_db, -30, 20)


def _noise(T: int, gain: Callable[[NDArray[np.float64]], NDArray[np.float64]], rng: Rng) -> Waveform:
    """Gaussian noise `[T]` whose amplitude at the frequencies f (Hz) is `gain(f)`, drawn as a spectrum."""
    n_fft = 1 << (T - 1).bit_length()
    f = np.fft.rfftfreq(n_fft, 1 / SAMPLE_RATE).astype(np.float64)
    parts = rng.standard_normal((2, len(f)), np.float32) * gain(f).astype(np.float32)
    return np.fft.irfft(parts[0] + 1j * parts[1], n_fft)[:T].astype(np.float32)


def _convolve(x: Waveform, h: Waveform) -> Waveform:
    """Linear convolution `[len(x) + len(h) - 1]` by the FFT."""
    L = len(x) + len(h) - 1
    n_fft = 1 << (L - 1).bit_length()
    return np.fft.irfft(np.fft.rfft(x, n_fft) * np.fft.rfft(h, n_fft), n_fft)[:L].astype(np.float32)


# ---- what is put together ----


def _recital(folder: Path, player: Player, pitches: int) -> Iterator[tuple[str, str, str, int]]:
    """Write the notes of one player and give their rows of metadata."""
    group = f"{player.kind}-{player.index}"
    rng = np.random.default_rng([player.seed, _number(player.kind), player.index, 1])
    compass = round(player.traits.lowest) + np.arange(_COMPASS + 1)
    (folder / player.kind).mkdir(exist_ok=True)
    for pitch in np.sort(rng.choice(compass, pitches, replace=False)).tolist():
        note = record(player, play(player, pitch, rng.uniform(1.5, 2.5), rng), rng)
        name = f"{player.kind}/{group}_{pitch:03}.{'flac' if player.index % 2 else 'wav'}"
        write(folder / name, note, SAMPLE_RATE)
        yield name, player.kind, group, pitch


def _phrase(player: Player, rng: Rng) -> Waveform:
    """A tune in the hands of a player, before it meets the room: `[T]`, 3 to 6 s."""
    lowest = round(player.traits.lowest)
    return np.concatenate([play(player, lowest + interval, seconds, rng) for interval, seconds in _tune(rng)])


def _tune(rng: Rng) -> list[tuple[int, float]]:
    """A walk on the major scale from the tonic and back: semitones above the lowest pitch, and seconds."""
    seconds = rng.choice([0.6, 0.9, 1.2], rng.integers(3, 5)).tolist()
    walk = np.clip(np.cumsum(rng.choice([-2, -1, 1, 2, 3], len(seconds) - 1)), -3, 6).tolist()
    intervals = [6 + 12 * (step // 7) + _MAJOR[step % 7] for step in [0, *walk, 0]]
    return list(zip(intervals, [*seconds, 1.2], strict=True))


def _programme(rng: Rng) -> Iterator[str]:
    """Who plays next, without end: all kinds in one order, then all in another; none follows itself."""
    last = ""
    while True:
        order = rng.permutation(list(KINDS)).tolist()
        if order[0] == last:
            order.reverse()
        yield from order
        last = order[-1]


def _number(kind: str) -> int:
    """Place of a kind in KINDS, for seeds."""
    return list(KINDS).index(kind)


def _check_range(name: str, value: int, least: int, most: int = 2**31 - 1) -> None:
    """Refuse a number outside `least` to `most`."""
    if not least <= value <= most:
        raise UserError(name, f"{value} is not from {least} to {most}", "Choose a number in that range.")


def _new_folder(folder: Path | str) -> Path:
    """The folder, made where it is missing; refused where it holds something."""
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    if any(folder.iterdir()):
        raise UserError(folder, "is not empty, wanted a new folder", "Choose another name or empty it.")
    return folder


def _write_rows(path: Path, header: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
    """Write a table with its header."""
    with replacing(path, newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


# fmt: off
KINDS: dict[str, Kind] = {
    #           lowest, rolloff, even, swell, attack, decay, vibrato, breath
    "plucked": Kind(_plucked,
         Traits(43,     0.5,     0.0,  0.0,   0.010,   1.0,   0.0,    0.00),
         Traits(55,     6.0,     1.0,  0.0,   0.010,   6.0,   0.0,    0.40)),
    "mallet": Kind(_struck,
         Traits(46,     0.3,     0.0,  0.0,   0.001,   0.8,   0.0,    0.00),
         Traits(60,     2.0,     1.0,  0.0,   0.010,   5.0,   0.0,    0.40)),
    "flute": Kind(_sustained,
         Traits(52,     2.0,     0.4,  0.0,   0.030,   6.0,   5.0,    0.10),
         Traits(62,     3.2,     1.0,  0.2,   0.150,  40.0,  25.0,    0.60)),
    "reed": Kind(_sustained,
         Traits(46,     0.7,     0.0,  0.0,   0.020,   6.0,   0.0,    0.02),
         Traits(57,     1.7,     0.25, 0.2,   0.120,  40.0,  20.0,    0.25)),
    "brass": Kind(_sustained,
         Traits(44,     0.5,     0.8,  0.4,   0.060,   6.0,   0.0,    0.01),
         Traits(55,     1.2,     1.0,  1.2,   0.250,  40.0,  10.0,    0.12)),
    "bowed": Kind(_sustained,
         Traits(45,     0.8,     0.8,  0.0,   0.120,   6.0,  15.0,    0.05),
         Traits(57,     1.5,     1.0,  0.2,   0.400,  40.0,  45.0,    0.30)),
}
"""The six kinds by name, which is their label."""
# fmt: on

_LN_60_DB = 3 * np.log(10)
_COMPASS = 18  # semitones that a player has above the lowest pitch
_DIRECT = 128  # samples before the direct sound, where the resonances (of zero phase) may ring
_FIRST_GUEST = 1000  # index from which on players are kept for songs
_MAJOR = (0, 2, 4, 5, 7, 9, 11)
_FREE_BAR = np.array([1.0, 2.756, 5.404, 8.933, 13.34])
_TUNED_BAR = np.array([1.0, 4.0, 9.2, 12.0, 16.5])
