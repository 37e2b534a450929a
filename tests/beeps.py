"""Beeps in noise, and small networks of every family that learn to hear them; where the evidence lies is known."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from earmark.explaining.truth import Region
from earmark.features import MFCC, STFT, FeatureConfig, LogMel, Waveform
from earmark.models import Classifier, ModelSpec, NetworkConfig
from earmark.models.conv1d import Conv1d
from earmark.models.conv2d import Conv2d
from earmark.models.crnn import CRNN
from earmark.models.crops import Cropping
from earmark.models.dense import Dense
from earmark.models.recurrent import Recurrent
from earmark.models.residual import Residual

RATE, SECONDS, BEEP = 4000, 1.0, 0.2
PITCH = {1: 1400.0, 2: 500.0}
CLASSES = ("nothing", "high", "low")


def _spec(features: FeatureConfig, network: NetworkConfig, normalisation: str = "global") -> ModelSpec:
    return ModelSpec(
        classes=CLASSES,
        task="single-label",
        sample_rate=RATE,
        clip_seconds=SECONDS,
        cropping=Cropping(SECONDS),
        features=features,
        network=network,
        normalisation=normalisation,  # type: ignore[arg-type]
    )


_MEL = LogMel(n_fft=256, hop_length=128, n_mels=32)
_MFCC = MFCC(n_fft=256, hop_length=128, n_mels=26, n_mfcc=13)
_CONV = Conv2d((8, 16), pools=(2, 2), batch_norm=True)

SPECS = {
    "residual": _spec(_MEL, Residual(widths=(8, 16))),
    "conv2d": _spec(_MEL, _CONV),
    "conv2d on MFCC": _spec(_MFCC, dataclasses.replace(_CONV, pool_padding="same"), "bands"),
    "conv2d on STFT": _spec(STFT(n_fft=256, hop_length=128, scale="db"), _CONV),
    "dense": _spec(_MFCC, Dense((32,), batch_norm=True), "bands"),
    "conv1d": _spec(
        Waveform(),
        Conv1d((16, 16), kernels=(31, 15), strides=(4, 3), pooling="mean", batch_norm=True),
        "none",
    ),
    "recurrent": _spec(_MFCC, Recurrent(width=16, layers=1, pooling="mean"), "bands"),
    "crnn": _spec(_MEL, CRNN((4, 8), band_pools=(4, 4), frame_pools=(2, 1), width=8)),
}
"""A small model of every family, on every kind of features."""


def beeps(n: int, seed: int, varied: bool = False) -> tuple[Tensor, Tensor, list[Region]]:
    """Noise with a high, a low or no beep at any time: waveforms `[n, T]`, classes `[n]`, and where the beep is.

    Args:
        n: how many.
        seed: of all draws.
        varied: noise of any level, with quiet stretches; beeps of any level. So what a mask leaves is nothing new.
    """
    rng, time = np.random.default_rng(seed), np.arange(int(RATE * SECONDS)) / RATE
    waves = 0.06 * rng.standard_normal((n, len(time)))
    if varied:
        waves *= 10 ** rng.uniform(-1.5, 0.1, (n, 1))
        waves = np.stack([_with_holes(wave, rng) for wave in waves])
    classes, regions = rng.integers(0, 3, n), []
    for wave, own in zip(waves, classes.tolist(), strict=True):
        start = rng.uniform(0.05, SECONDS - BEEP - 0.05)
        pitch = PITCH.get(own, 0.0)
        regions.append(Region(start - 0.06, start + BEEP + 0.06, pitch - 200, pitch + 200))
        bell = np.sin(np.pi * np.clip((time - start) / BEEP, 0, 1)) ** 0.5
        level = 0.15 * (10 ** rng.uniform(-0.5, 0.3) if varied else 1.0) if own else 0.0
        wave += level * bell * np.sin(2 * np.pi * pitch * time + rng.uniform(0, 6))
    return torch.tensor(waves, dtype=torch.float32), torch.tensor(classes), regions


def _with_holes(wave: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Noise that is quieter for a while, and in a band."""
    time, hertz = np.arange(len(wave)) / RATE, np.fft.rfftfreq(len(wave), 1 / RATE)
    start, low = rng.uniform(0, 1), rng.uniform(0, RATE / 2)
    quiet = (time > start) & (time < start + rng.uniform(0.1, 0.5))
    weak = (hertz > low) & (hertz < low + rng.uniform(100, 1000))
    holes = np.fft.irfft(np.fft.rfft(wave) * np.where(weak, 10 ** rng.uniform(-3, 0), 1), len(wave))
    return np.asarray(holes * np.where(quiet, 10 ** rng.uniform(-3, 0), 1))


def learn(spec: ModelSpec, steps: int = 160) -> Classifier:
    """A model that was trained on 400 varied clips, in a second or two."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Classifier(spec)
        waves, classes, _ = beeps(400, 1, varied=True)
        with torch.no_grad():
            features = model.features(waves)
        model.normalisation.fit(list(features))
        for layer in model.modules():
            if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
                layer.momentum = 0.1
        optimizer = torch.optim.AdamW(model.parameters(), 1e-2, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=steps)
        model.train()
        for _ in range(steps):
            rows = torch.randint(0, len(classes), (32,))
            loss = F.cross_entropy(model.classify(features[rows]), classes[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return model.eval()
