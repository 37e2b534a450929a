"""A clip as a spectrum that a mask can keep parts of: kept = istft(mask * stft(clip)), with the original phase."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

SECONDS = 0.046
"""Length of a frame, about; a power of two in samples."""
OVERLAP = 4
"""Frames that cover one sample."""
N_GUESSES = 3
"""Steps towards a share of the energy; what is left of the way is gone by keeping places in part."""
JITTER = 1e-6
"""Of a map's range: what parts places that a map holds for equal."""


class Spectrum:
    """The short-time spectrum of one clip; masks `[B, F, N]` in [0, 1] on it give waveforms `[B, T]`.

    Args:
        waveform: `[T]`.
        sample_rate: in Hz.

    Attributes:
        values: complex `[F, N]`; a mask of ones gives the waveform back.
        energy: `[F, N]`, energy of each place; they sum to 1 (of silence: to 0).
    """

    def __init__(self, waveform: Tensor, sample_rate: int) -> None:
        self.waveform, self.sample_rate = waveform, sample_rate
        self.n_fft = 2 ** max(4, round(math.log2(SECONDS * sample_rate)))
        self.hop_length = self.n_fft // OVERLAP
        self.window = torch.hann_window(self.n_fft, dtype=waveform.dtype, device=waveform.device)
        n_frames = -(-len(waveform) // self.hop_length) + 1
        half = self.n_fft // 2
        padded = F.pad(waveform, (half, (n_frames - 1) * self.hop_length + half - len(waveform)))
        frames = padded.unfold(0, self.n_fft, self.hop_length) * self.window
        self.values = torch.fft.rfft(frames).T
        self._weight = self._overlapped(self.window.square().expand(1, n_frames, -1)).clamp_min(1e-8)
        power = self.values.abs().square()
        self.energy = power / power.sum().clamp_min(1e-30)

    @property
    def shape(self) -> tuple[int, int]:
        """Bins and frames, `(F, N)`."""
        return self.values.shape[0], self.values.shape[1]

    @property
    def seconds(self) -> float:
        """Length of the clip."""
        return len(self.waveform) / self.sample_rate

    def times(self) -> Tensor:
        """Middle of each frame in seconds, `[N]`."""
        return torch.arange(self.shape[1]).mul(self.hop_length).div(self.sample_rate)

    def frequencies(self) -> Tensor:
        """Each bin in Hz, `[F]`."""
        return torch.arange(self.shape[0]).mul(self.sample_rate).div(self.n_fft)

    def keep(self, mask: Tensor) -> Tensor:
        """What masks `[B, F, N]` keep of the clip: waveforms `[B, T]`; differentiable in the mask."""
        frames = torch.fft.irfft(mask.transpose(1, 2) * self.values.T, n=self.n_fft)
        return self._overlapped(frames * self.window) / self._weight

    def _overlapped(self, frames: Tensor) -> Tensor:
        """Frames `[B, N, n_fft]` added where they overlap, without the margins: `[B, T]`."""
        pieces = frames.unflatten(2, (OVERLAP, self.hop_length))
        total = sum(F.pad(pieces[:, :, i].flatten(1), _beside(i, self.hop_length)) for i in range(OVERLAP))
        half = self.n_fft // 2
        return total[:, half : half + len(self.waveform)]  # type: ignore[index]

    def share(self, kept: Tensor) -> Tensor:
        """Energy of waveforms `[..., T]` as a share of the clip's own, `[...]`."""
        return kept.square().sum(dim=-1) / self.waveform.square().sum().clamp_min(1e-30)


def _beside(i: int, hop_length: int) -> tuple[int, int]:
    """Zeros before and after the i-th quarters of all frames."""
    return i * hop_length, (OVERLAP - 1 - i) * hop_length


def strongest(spectrum: Spectrum, importance: Tensor, share: float, seed: int = 0) -> Tensor:
    """The mask `[F, N]` that keeps the most important places, as many as hold this share of the energy.

    The waveform that it keeps has the share exactly, but for rounding: the last places are kept in part.

    Args:
        spectrum: of the clip.
        importance: `[F, N]`; places that are equal are taken in an order drawn at random, in patches.
        share: of the clip's energy, in [0, 1].
        seed: of that order.
    """
    return above(spectrum, energy_rank(spectrum, importance, seed), share)


def energy_rank(spectrum: Spectrum, importance: Tensor, seed: int = 0) -> Tensor:
    """For each place `[F, N]` the share of the energy that is in more important places, and half its own."""
    span = float(importance.max() - importance.min()) or 1.0
    patches = random_map(spectrum, torch.Generator().manual_seed(seed)).to(importance)
    keys = (importance.double() + JITTER * span * patches).flatten()
    order = torch.from_numpy(np.argsort(-keys.cpu().numpy())).to(keys.device)
    energy = spectrum.energy.flatten()[order].double()
    rank = torch.empty_like(energy)
    rank[order] = energy.cumsum(0) - energy / 2
    return rank.view(spectrum.shape)


def above(spectrum: Spectrum, rank: Tensor, share: float) -> Tensor:
    """The mask of `strongest`, from the `energy_rank` of a map."""
    low, high, guess = 0.0, 1.0, share
    # A mask of single places keeps less than their energy in the spectrum, so the rank's own share is a guess.
    for _ in range(N_GUESSES):
        found = float(spectrum.share(spectrum.keep((rank <= guess).to(spectrum.window)[None]))[0])
        low, high = (guess, high) if found < share else (low, guess)
        beyond = 1.05 if found < share else 0.95  # so that the next guess lies on the other side
        guess = min(max(guess * beyond * share / max(found, 1e-9), low), high)
    inner, outer = ((rank <= edge).to(spectrum.window) for edge in (low, high))
    a, b = spectrum.keep(torch.stack([inner, outer - inner])).double()
    return inner + _part(a, b, share * float(spectrum.waveform.double().square().sum())) * (outer - inner)


def _part(a: Tensor, b: Tensor, energy: float) -> float:
    """The p in [0, 1] at which a + p b has this energy."""
    square, linear, rest = float(b @ b), 2 * float(a @ b), float(a @ a) - energy
    if square <= 0:
        return 0.0
    root = math.sqrt(max(0.0, linear * linear - 4 * square * rest))
    return min(1.0, max(0.0, (root - linear) / (2 * square)))


def random_map(spectrum: Spectrum, generator: torch.Generator) -> Tensor:
    """A map `[F, N]` in [0, 1] that knows nothing: smooth patches of a tenth of a second to a second."""
    seconds = 0.1 * 10 ** float(torch.rand((), generator=generator))
    rows = int(torch.randint(6, 25, (), generator=generator))
    columns = max(2, round(spectrum.seconds / seconds) + 1)
    return Patches(spectrum, rows, columns).spread(torch.rand(rows, columns, generator=generator))


class Patches:
    """A coarse grid over a clip's spectrum, even in time and in mel; in between it is interpolated.

    Args:
        spectrum: of the clip.
        rows: points in frequency.
        columns: points in time.
    """

    def __init__(self, spectrum: Spectrum, rows: int, columns: int) -> None:
        mels = mel(spectrum.frequencies())
        self.rows = _tents(mels / mels[-1] * (rows - 1), rows).to(spectrum.waveform)
        frames = torch.arange(spectrum.shape[1]) / max(1, spectrum.shape[1] - 1)
        self.columns = _tents(frames * (columns - 1), columns).to(spectrum.waveform)

    @property
    def shape(self) -> tuple[int, int]:
        """Points in frequency and in time."""
        return self.rows.shape[1], self.columns.shape[1]

    def spread(self, grid: Tensor) -> Tensor:
        """Values `[..., rows, columns]` of the grid on all places `[..., F, N]`."""
        return self.rows @ grid.to(self.rows) @ self.columns.T

    def gather(self, places: Tensor) -> Tensor:
        """Sums of values `[..., F, N]` about each point of the grid, `[..., rows, columns]`."""
        return self.rows.T @ places @ self.columns


def mel(frequencies: Tensor) -> Tensor:
    """Hz on the mel scale of O'Shaughnessy (1987)."""
    return 2595 * torch.log10(1 + frequencies / 700)


def _tents(places: Tensor, n: int) -> Tensor:
    """Weights `[len(places), n]` of linear interpolation between whole numbers 0 to n - 1; rows sum to 1."""
    return F.relu(1 - (places[:, None] - torch.arange(n)).abs())
