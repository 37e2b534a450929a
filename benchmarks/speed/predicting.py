"""Prediction: the GTZAN network against the plain PyTorch that a tutorial writes, clip after clip, on one thread."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import librosa
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from benchmarks.speed.bench import Bench
from benchmarks.speed.features import librosa_mfcc
from benchmarks.speed.measuring import Case, Comparison, Goal, Row, Side, measure, timed
from benchmarks.speed.sounds import write_sound
from benchmarks.speed.steps import without_dropout
from earmark.cache import ClipFeatures, Entry
from earmark.devices import using_threads
from earmark.models import Classifier
from earmark.plan import sketch_spec
from earmark.prediction import load, score_clips
from earmark.run import save_model

RATE, SECONDS = 22050, 3.0


def rows(bench: Bench) -> Iterator[Row]:
    """From features in memory, and from a sound file."""
    folder = bench.empty_folder("prediction")
    model = load(write_model(folder / "model")).model
    plain = plain_network(model)
    with using_threads(1):
        yield from measure(of_features(model, plain, bench), bench)
        yield from measure(of_a_file(folder, plain, bench), bench)


def write_model(folder: Path, recipe: str = "gtzan-mfcc-cnn", n_classes: int = 10) -> Path:
    """A model folder with random weights: prediction takes the same time whatever they are."""
    torch.manual_seed(0)
    save_model(Classifier(sketch_spec(without_dropout(recipe), n_classes)), folder)
    return folder


def of_features(model: Classifier, plain: nn.Module, bench: Bench) -> Case:
    """MFCC in memory -> scores."""
    n, frames = bench.count(400, 8), model.crop_frames
    values = np.random.default_rng(0).standard_normal((n, frames, 13), dtype=np.float32)
    entries = [Entry("all", i * frames, frames) for i in range(n)]
    clips = ClipFeatures(entries, {"all": values.reshape(-1, 13)}, 13)

    @torch.no_grad()
    def naive() -> NDArray[np.float32]:
        found = [plain(torch.from_numpy(clip.T.copy())[None, None]).softmax(dim=1)[0] for clip in values]
        return torch.stack(found).numpy()

    np.testing.assert_allclose(score_clips(model, clips), naive(), atol=1e-4)  # the same network
    sides: dict[str, Side] = {
        "earmark.prediction.score_clips": timed(lambda: score_clips(model, clips)),
        "plain eager PyTorch": timed(naive),
    }
    ours, theirs = sides
    comparisons = (Comparison(ours, theirs, goal=Goal(1.8, 4)),)
    return Case(
        f"scores of {n} clips of 3 s by gtzan-mfcc-cnn, MFCC in memory", sides, comparisons, bench.rounds
    )


def of_a_file(folder: Path, plain: nn.Module, bench: Bench) -> Case:
    """A recording -> scores of its clips."""
    seconds = bench.amount(300, 6)
    path = write_sound(folder / "song.wav", seconds, 44100, channels=2)
    predictor = load(folder / "model")

    def ours() -> NDArray[np.float32]:
        (recording,) = predictor.recordings([path])
        return np.stack([clip.scores for clip in recording.clips if clip.scores is not None])

    @torch.no_grad()
    def naive() -> NDArray[np.float32]:
        signal, _ = librosa.load(path, sr=RATE)
        length, found = round(SECONDS * RATE), []
        for start in range(0, len(signal) - length + 1, length):
            mfcc = librosa_mfcc(signal[start : start + length])
            found.append(plain(torch.from_numpy(mfcc)[None, None]).softmax(dim=1)[0])
        return torch.stack(found).numpy()

    assert abs(len(ours()) - len(naive())) <= 1
    sides: dict[str, Side] = {
        "earmark.load(...).recordings": timed(ours),
        "librosa and plain eager PyTorch": timed(naive),
    }
    us, them = sides
    what = f"scores of a WAV file of {seconds:.0f} s (44,100 Hz, stereo) by gtzan-mfcc-cnn"
    return Case(what, sides, (Comparison(us, them),), bench.rounds)


class PlainNetwork(nn.Module):
    """The network as a tutorial writes it, one line after another."""

    def __init__(self) -> None:
        super().__init__()
        kernels, filters = (3, 3, 2, 1), (1, 256, 128, 64, 32)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(n_in, n_out, k) for n_in, n_out, k in zip(filters, filters[1:], kernels, strict=False)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(n, eps=1e-3) for n in filters[1:])
        self.dense = nn.LazyLinear(64)
        self.head = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of MFCC `[B, 1, 13, N]`."""
        for convolution, norm, pool in zip(self.convolutions, self.norms, (2, 3, 3, 2), strict=True):
            x = norm(same_pool(F.relu(convolution(x)), pool))
        return self.head(F.relu(self.dense(x.flatten(1))))  # type: ignore[no-any-return]


def same_pool(x: torch.Tensor, size: int) -> torch.Tensor:
    """Max-pooling by two, padded as Keras's `same`."""
    totals = [max((-(-length // 2) - 1) * 2 + size - length, 0) for length in x.shape[2:]]
    (top, left), (bottom, right) = [t // 2 for t in totals], [t - t // 2 for t in totals]
    return F.max_pool2d(F.pad(x, (left, right, top, bottom), value=float("-inf")), size, 2)


@torch.no_grad()
def plain_network(model: Classifier) -> PlainNetwork:
    """The plain network with the weights of ours, layer by layer."""
    plain = PlainNetwork().eval()
    plain(torch.zeros(1, *model.features.shape(round(SECONDS * RATE))))
    for kind in (nn.Conv2d, nn.BatchNorm2d, nn.Linear):
        ours = [layer for layer in model.modules() if isinstance(layer, kind)]
        theirs = [layer for layer in plain.modules() if isinstance(layer, kind)]
        for mine, other in zip(ours, theirs, strict=True):
            other.load_state_dict(mine.state_dict())
    return plain
