"""Waveform -> what a network sees of it: waveform, STFT, log-mel or MFCC, before any normalisation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
from msgspec import Meta
from numpy.typing import NDArray
from torch import Tensor, nn

from earmark import settings
from earmark.errors import UserError
from earmark.mel import MelBands, MelScale, mel_edges, mel_filters
from earmark.rounding import Rounding

LN_PER_DB = math.log(10) / 10
"""Natural logarithm of the power that a decibel stands for."""
AMIN = 1e-7  # power added before the logarithm: silence is -70 dB, whatever else is in the clip
AMIN_TOP_DB = 1e-10  # librosa's amin, used with top_db only
TINY = 2.0**-100  # keeps the root of the power differentiable at 0; its own root is exact
BLOCK = {
    "cpu": 2**19,
    "cuda": 2**24,
}  # numbers in the frames worked on at once


@dataclass(frozen=True, kw_only=True)
class Waveform:
    """The waveform itself, for networks that learn their own filters."""


@dataclass(frozen=True, kw_only=True)
class Framing:
    """How a waveform is cut into Hann-windowed frames; shared by STFT, log-mel and MFCC."""

    n_fft: Annotated[int, Meta(ge=2)] = 2048
    """Length of the Fourier transform, in samples; `n_fft // 2 + 1` frequency bins."""
    win_length: Annotated[int, Meta(ge=1)] | None = None
    """Length of the Hann window, in samples, at most n_fft; absent: n_fft."""
    hop_length: Annotated[int, Meta(ge=1)] = 512
    """Step from one frame to the next, in samples."""
    center: bool = True
    """True: frame i is centred on sample `i * hop_length`, zeros beyond both ends (librosa). False: it starts
    there, is win_length long and is zero-padded to n_fft (as librosa only where win_length is n_fft)."""
    pad_end: Annotated[int, Meta(ge=0)] = 0
    """Zeros appended to the waveform before framing, in samples."""
    top_db: Annotated[float, Meta(gt=0)] | None = None
    """Decibels below a clip's own peak at which it is cut off, as `librosa.power_to_db`; absent: a floor
    that is the same for every clip, `10 log10(power + 1e-7)`."""


@dataclass(frozen=True, kw_only=True)
class STFT(Framing):
    """Short-time Fourier transform: n_fft // 2 + 1 rows from 0 Hz to Nyquist."""

    scale: Literal["magnitude", "power", "db"] = "magnitude"
    """What a number is: magnitude, its square, or decibels."""


@dataclass(frozen=True, kw_only=True)
class LogMel(Framing):
    """Power in mel bands, in decibels."""

    n_mels: Annotated[int, Meta(ge=1)] = 128
    """Number of mel bands."""
    f_min: Annotated[float, Meta(ge=0)] = 0.0
    """Lower edge of the lowest band, in Hz."""
    f_max: Annotated[float, Meta(gt=0)] | None = None
    """Upper edge of the highest band, in Hz; absent: half the sample rate."""
    mel_scale: MelScale = "slaney"
    """slaney: linear to 1 kHz, bands of equal area (librosa's default); htk: `2595 log10(1 + f / 700)`,
    peaks of 1 (librosa's with norm=None)."""

    def edges(self, sample_rate: int) -> NDArray[np.float64]:
        """Edges of the bands `[n_mels + 2]` in Hz, at this sample rate (Hz); see `mel_edges`."""
        f_max = sample_rate / 2 if self.f_max is None else self.f_max
        return mel_edges(self.n_mels, self.f_min, f_max, self.mel_scale)

    def filters(self, sample_rate: int) -> NDArray[np.float64]:
        """Filters on power `[n_mels, n_fft // 2 + 1]`, at this sample rate (Hz); see `mel_filters`."""
        bins = np.arange(self.n_fft // 2 + 1) * sample_rate / self.n_fft
        return mel_filters(self.edges(sample_rate), bins, self.mel_scale)


@dataclass(frozen=True, kw_only=True)
class MFCC(LogMel):
    """Mel-frequency cepstral coefficients: the orthonormal DCT-II of the log-mel bands."""

    n_mfcc: Annotated[int, Meta(ge=1)] = 20
    """Number of coefficients kept, from the 0th (level) on; at most n_mels."""


FeatureConfig = Waveform | STFT | LogMel | MFCC
FEATURES: dict[str, type[FeatureConfig]] = {
    "waveform": Waveform,
    "stft": STFT,
    "logmel": LogMel,
    "mfcc": MFCC,
}


class Features(nn.Module):
    """Waveform -> features, unnormalised: unfold, rfft, mel filters on their own bins; no `torch.stft`.

    Works in blocks of frames, so that hours of sound need little memory beyond the features themselves
    (MFCC with top_db: and their log-mel). Differentiable in the waveform; float32 under autocast. The
    buffers follow from the settings and are not saved.

    Equal to librosa within 5e-4 (dB; of magnitudes and powers: of the largest in the clip). For that, frames in which
    rounding could show in decibels are transformed in double precision, those of a spectrogram in decibels always; not
    on a GPU nor in an exported graph, where log-mels err by up to 3e-3 dB in recordings. Beside a lone loud tone, whose
    rounding gathers in a few bins, a band near the floor may err by 1e-3 dB: seen in one band of one frame, 5.3e-4 dB,
    on a processor without AVX-512.

    Args:
        config: which features, and their settings.
        sample_rate: of the waveforms, in Hz.

    Attributes:
        frame_rate: frames a second (of waveforms: samples a second).
        floor: `[F]`, what digital silence gives (with top_db: silence on its own); pads short clips.

    Shape:
        `[B, T]` -> `[B, 1, F, N]`; of `Waveform`: `[B, T]` -> `[B, 1, T]`.

    Raises:
        UserError: impossible settings, see `check_features`.
    """

    window: Tensor
    dct: Tensor
    floor: Tensor

    def __init__(self, config: FeatureConfig, sample_rate: int) -> None:
        super().__init__()
        check_features(config, sample_rate)
        self.config = config
        self.sample_rate = sample_rate
        self.frame_rate = float(sample_rate)
        if not isinstance(config, Waveform):
            self.frame_rate = sample_rate / config.hop_length
            self.win_length = config.win_length or config.n_fft
            self.exact_window = torch.hann_window(
                self.win_length, dtype=torch.float64
            )  # never leaves the processor
            self.register_buffer("window", self.exact_window.float(), persistent=False)
        if isinstance(config, LogMel):
            filters = config.filters(sample_rate)
            self.mel = MelBands(filters)
            amin = AMIN if config.top_db is None else AMIN_TOP_DB
            is_mfcc = isinstance(config, MFCC)
            self.rounding = Rounding(filters, config.n_fft, amin, config.top_db, summed=is_mfcc)
        if isinstance(config, MFCC):
            self.exact_dct = dct_matrix(config.n_mels, config.n_mfcc)  # never leaves the processor
            self.register_buffer("dct", self.exact_dct.float(), persistent=False)
        self.register_buffer("floor", _floor(config), persistent=False)
        self._n_rows = config.n_mels if isinstance(config, LogMel) and config.top_db else len(self.floor)

    def forward(self, waveform: Tensor) -> Tensor:
        """Features of waveforms `[B, T]` in [-1, 1]; a waveform shorter than a frame gives one frame."""
        if isinstance(self.config, Waveform):
            return waveform.unsqueeze(1)
        with torch.autocast(waveform.device.type, enabled=False):
            rows = self._framewise(waveform.to(self.window.dtype), self.config)
            if self.config.top_db is not None:
                rows = self._coefficients(_cut_below_peak(rows, self.config.top_db))
        return rows.transpose(1, 2).unsqueeze(1)

    def n_frames(self, n_samples: int) -> int:
        """Number of frames `N` (of waveforms: samples) that n_samples samples give; at least 1."""
        c = self.config
        if isinstance(c, Waveform):
            return n_samples
        beyond_first = n_samples + c.pad_end - (c.n_fft % 2 if c.center else self.win_length)
        return 1 + max(0, beyond_first) // c.hop_length

    def frames_in(self, seconds: float) -> int:
        """Number of frames `N` that this many seconds of sound give; at least 1."""
        return self.n_frames(round(seconds * self.sample_rate))

    def shape(self, n_samples: int) -> tuple[int, ...]:
        """`(C, F, N)`, of waveforms `(C, T)`, that n_samples samples give."""
        n = self.n_frames(n_samples)
        return (1, n) if isinstance(self.config, Waveform) else (1, len(self.floor), n)

    def frequencies(self) -> NDArray[np.float64] | None:
        """Centres `[F]` of the bins or mel bands in Hz; None where rows are no frequencies."""
        if isinstance(self.config, STFT):
            return np.arange(self.config.n_fft // 2 + 1) * self.sample_rate / self.config.n_fft
        if isinstance(self.config, LogMel) and not isinstance(self.config, MFCC):
            return self.config.edges(self.sample_rate)[1:-1]
        return None

    def _framewise(self, waveform: Tensor, c: Framing) -> Tensor:
        """`[B, T]` -> `[B, N, F]` block by block; with top_db short of the steps that need the whole clip."""
        n_clips, n = waveform.shape[0], self.n_frames(waveform.shape[1])
        room = max(1, BLOCK.get(waveform.device.type, BLOCK["cpu"]) // c.n_fft)
        if torch.compiler.is_compiling() or 0 < n_clips * n <= room:  # an exported graph is one block
            frames = self._frames(waveform, c, 0, n)
            rows, doubtful = self._rows(frames, c)
            return self._mended(rows, [doubtful], [_of_all(frames, doubtful)], c) if len(doubtful) else rows
        step = math.ceil(n / max(1, round(n / room)))
        clips_at_once = max(1, round(room / step))  # in fuller blocks threads wait for fewer calls
        out = waveform.new_empty(n_clips, n, self._n_rows)
        places: list[Tensor] = []  # in out, of frames that are put aside for a block of their own
        aside: list[Tensor] = []
        is_hard = False  # what most frames of the last block were, those of the next will be
        for clip in range(0, n_clips, clips_at_once):
            clips = slice(clip, clip + clips_at_once)
            for first in range(0, n, step):
                frames = self._frames(waveform[clips], c, first, min(first + step, n), exact=is_hard)
                out[clips, first : first + step], doubtful = self._rows(frames, c)
                if len(doubtful) and not is_hard:
                    places.append(doubtful + (clip * n + first))  # a block is whole clips or a stretch of one
                    aside.append(_of_all(frames, doubtful))
                is_hard = 2 * len(doubtful) > frames.shape[0] * frames.shape[1]
                if sum(map(len, places)) > room:
                    out, places, aside = self._mended(out, places, aside, c), [], []
        return self._mended(out, places, aside, c) if places else out

    def _mended(self, rows: Tensor, places: list[Tensor], frames: list[Tensor], c: Framing) -> Tensor:
        """Rows `[B, n, F]`, those at some places of all B n anew from their frames, in double precision."""
        exact, _ = self._rows(torch.cat(frames)[None].double(), c)
        return rows.flatten(0, 1).index_copy_(0, torch.cat(places), exact[0]).view_as(rows)

    def _frames(self, waveform: Tensor, c: Framing, first: int, last: int, exact: bool = False) -> Tensor:
        """Frames first to last - 1 of `[B, T]`: a view `[B, n, win_length]`, zeros beyond both ends; exact: float64."""
        # A centred frame has its window in the middle. The zeros around it are left out here and come back
        # behind it in the rfft, which turns the phases; nobody looks at those.
        lead = c.n_fft // 2 - (c.n_fft - self.win_length) // 2 if c.center else 0
        start = first * c.hop_length - lead
        stop = (last - 1) * c.hop_length - lead + self.win_length
        piece = waveform[:, max(0, start) : stop]
        if exact:
            piece = piece.double()
        before = max(0, -start)
        after = stop - start - before - piece.shape[1]
        if before or after:
            piece = nn.functional.pad(piece, (before, after))
        return piece.unfold(1, self.win_length, c.hop_length)

    def _rows(self, frames: Tensor, c: Framing) -> tuple[Tensor, Tensor]:
        """Frames `[B, n, win_length]` -> `[B, n, F]`; with top_db the decibels, uncut and before any DCT.

        And the numbers `[k]` of the frames, of all B n, that need double precision, whether they have it or not.
        """
        power, doubtful = self._power(frames, c)
        if isinstance(c, STFT) and c.scale == "power":
            return power, doubtful
        if isinstance(c, STFT) and c.scale == "magnitude":
            return power.clamp_min(TINY).sqrt() - math.sqrt(TINY), doubtful
        if c.top_db is not None:
            return power.clamp_min(AMIN_TOP_DB).log10().mul_(10), doubtful
        return self._coefficients(power.add_(AMIN).log10().mul_(10)), doubtful

    def _power(self, frames: Tensor, c: Framing) -> tuple[Tensor, Tensor]:
        """Frames -> power in bins or bands, in the precision of the frames; and which of them need double precision."""
        as_it_comes = (
            self.window.dtype != torch.float32 or frames.device.type != "cpu" or torch.compiler.is_compiling()
        )
        none = torch.empty(0, dtype=torch.int64)
        if isinstance(c, STFT):
            is_exact = c.scale == "db" and not as_it_comes
            return self._spectrum(frames * (self.exact_window if is_exact else self.window), c), none
        is_exact = frames.dtype == torch.float64 and not as_it_comes
        spectrum = self._spectrum(frames * (self.exact_window if is_exact else self.window), c)
        power: Tensor = self.mel(spectrum)
        if as_it_comes:
            return power, none
        return power, self.rounding.in_doubt(power.detach(), spectrum.detach().sum(dim=-1))

    def _spectrum(self, windowed: Tensor, c: Framing) -> Tensor:
        """Windowed frames `[B, n, win_length]` -> power of their bins, transformed in their precision."""
        transformed = torch.fft.rfft(windowed, n=c.n_fft)
        squares = torch.view_as_real(transformed).to(self.window.dtype).square_()
        return squares[..., 0] + squares[..., 1]

    def _coefficients(self, decibels: Tensor) -> Tensor:
        """Log-mel `[B, n, n_mels]` -> MFCC `[B, n, n_mfcc]`; anything else as it is."""
        if not isinstance(self.config, MFCC):
            return decibels
        if decibels.device.type != "cpu" or torch.compiler.is_compiling():
            return nn.functional.linear(decibels, self.dct)
        coefficients = nn.functional.linear(decibels.double(), self.exact_dct)
        return coefficients.to(decibels.dtype)


def dct_matrix(n_mels: int, n_mfcc: int) -> Tensor:
    """The first n_mfcc rows of the orthonormal DCT-II: float64 `[n_mfcc, n_mels]`."""
    k, m = torch.arange(n_mfcc, dtype=torch.float64)[:, None], torch.arange(n_mels, dtype=torch.float64)
    dct = torch.cos(math.pi * k * (2 * m + 1) / (2 * n_mels)) * math.sqrt(2 / n_mels)
    dct[0] /= math.sqrt(2)
    return dct


def _of_all(frames: Tensor, chosen: Tensor) -> Tensor:
    """Some of all frames of all clips: `[B, n, win_length]` and their numbers `[k]` -> `[k, win_length]`."""
    if len(frames) == 1:
        return frames[0].index_select(0, chosen)
    return frames[chosen // frames.shape[1], chosen % frames.shape[1]]


def _floor(config: FeatureConfig) -> Tensor:
    """What digital silence gives, row by row: `[F]`."""
    if isinstance(config, Waveform):
        return torch.zeros(1)
    silence = 10 * torch.tensor(AMIN if config.top_db is None else AMIN_TOP_DB).log10()
    if isinstance(config, STFT):
        return torch.full((config.n_fft // 2 + 1,), float(silence) if config.scale == "db" else 0.0)
    if not isinstance(config, MFCC):
        return torch.full((config.n_mels,), float(silence))
    floor = torch.zeros(config.n_mfcc)
    floor[0] = silence * math.sqrt(config.n_mels)
    return floor


def sounding(features: Tensor, floor: Tensor) -> Tensor:
    """Frames that are not digital silence: bool `[..., 1, N]` of features `[..., F, N]` with their floor `[F]`.

    With `top_db` silence is no number of its own, and every frame of a clip with sound counts as sound.
    """
    rounding = 1e-5 * floor.abs().max()
    return ((features - floor[:, None]).abs() > rounding).any(dim=-2, keepdim=True)


def _cut_below_peak(decibels: Tensor, top_db: float) -> Tensor:
    """Raises what is more than top_db below its own clip's peak to that level; `[B, N, F]`."""
    return decibels.maximum(decibels.amax(dim=(1, 2), keepdim=True) - top_db)


def check_features(config: FeatureConfig, sample_rate: int) -> None:
    """Refuses settings that cannot be, at this sample rate (Hz).

    Raises:
        UserError: a value outside its range, win_length > n_fft, top_db without decibels, f_min >= f_max,
            f_max above Nyquist, mel bands so narrow that no bin falls in them, n_mfcc > n_mels.
    """
    settings.check(config, "features")
    if sample_rate < 1:
        raise UserError("sample_rate", f"found {sample_rate}, wanted a positive number of Hz")
    if isinstance(config, Waveform):
        return
    if config.win_length is not None and config.win_length > config.n_fft:
        problem = f"found {config.win_length}, wanted at most n_fft ({config.n_fft})"
        raise UserError("features.win_length", problem, "Lower win_length or raise n_fft.")
    if isinstance(config, STFT) and config.top_db is not None and config.scale != "db":
        problem = f'found {config.top_db} with scale "{config.scale}", wanted scale "db"'
        raise UserError("features.top_db", problem, 'Remove top_db or set scale = "db".')
    if isinstance(config, LogMel):
        _check_mel(config, sample_rate)
    if isinstance(config, MFCC) and config.n_mfcc > config.n_mels:
        problem = f"found {config.n_mfcc}, wanted at most n_mels ({config.n_mels})"
        raise UserError("features.n_mfcc", problem, "Lower n_mfcc or raise n_mels.")


def _check_mel(config: LogMel, sample_rate: int) -> None:
    """Refuses bands that are not there: beyond Nyquist, upside down, or between two bins."""
    nyquist = sample_rate / 2
    if config.f_max is not None and not config.f_max <= nyquist:
        problem = f"found {config.f_max:g} Hz, wanted at most half the sample rate, {nyquist:g} Hz"
        raise UserError(
            "features.f_max", problem, "Lower f_max, or remove it: absent, it is half the sample rate."
        )
    f_max = nyquist if config.f_max is None else config.f_max
    if not config.f_min < f_max:
        raise UserError(
            "features.f_min",
            f"found {config.f_min:g} Hz, wanted less than f_max ({f_max:g} Hz)",
            "Lower f_min.",
        )
    empty = np.flatnonzero(~config.filters(sample_rate).any(axis=1))
    if len(empty):
        spacing = sample_rate / config.n_fft
        problem = (
            f"found {config.n_mels}, wanted bands that each hold a frequency bin, but {len(empty)} hold none "
            f"(the first is number {empty[0]}; bins are {spacing:.1f} Hz apart)"
        )
        raise UserError(
            "features.n_mels",
            problem,
            f"Lower n_mels from {config.n_mels}, or raise n_fft from {config.n_fft}.",
        )
