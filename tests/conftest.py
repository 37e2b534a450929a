"""Sounds that the tests make for themselves; the repository holds no recordings."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
import soundfile
from hypothesis import settings

from earmark.clips import ClipTable
from earmark.features import MFCC, FeatureConfig, LogMel, Waveform
from earmark.layouts import import_folder
from earmark.models import ModelSpec, NetworkConfig
from earmark.models.conv1d import Conv1d
from earmark.models.conv2d import Conv2d
from earmark.models.crnn import CRNN
from earmark.models.crops import Cropping
from earmark.models.dense import Dense
from earmark.models.recurrent import Recurrent
from earmark.models.residual import Residual
from earmark.recipe import Recipe, read_recipe
from earmark.training import Options, train
from headless import find_chromium
from postgres import Cluster, find_postgres, fresh_database

settings.register_profile("untimed", deadline=None)  # a busy machine is no fault of what is tested
settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has a cache of its own: none may live on what another left behind."""
    monkeypatch.setenv("EARMARK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def tone() -> Callable[..., np.ndarray]:
    """A sine of `frequency` Hz: float32 `[T]`, amplitude `level`, with a little seeded noise on request."""

    def make(
        frequency: float = 440.0,
        seconds: float = 1.0,
        rate: int = 22050,
        level: float = 0.5,
        noise: float = 0.0,
        seed: int = 0,
    ) -> np.ndarray:
        time = np.arange(round(seconds * rate)) / rate
        hiss = np.random.default_rng(seed).standard_normal(len(time)) * noise
        return (level * np.sin(2 * np.pi * frequency * time) + hiss).astype(np.float32)

    return make


@pytest.fixture
def corpus(tmp_path: Path, tone: Callable[..., np.ndarray]) -> Path:
    """A folder with two classes of 12 one-second tones each: `low/` around 300 Hz, `high/` around 3 kHz."""
    folder = tmp_path / "corpus"
    for label, base in (("low", 300.0), ("high", 3000.0)):
        (folder / label).mkdir(parents=True)
        for i in range(12):
            wave = tone(base * (1 + i / 50), seconds=1.0, noise=0.02, seed=i, level=0.3)
            soundfile.write(folder / label / f"{label}_{i:02}.wav", wave, 22050)
    return folder


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real recordings that `EARMARK_DATA` names; skips, with the reason, where there is none."""
    folder = os.environ.get("EARMARK_DATA", "")
    if not folder:
        pytest.skip("EARMARK_DATA is not set: no real recordings to test on")
    if not Path(folder).is_dir():
        pytest.fail(f"EARMARK_DATA: no folder {folder!r}")
    return Path(folder)


def lacking(name: str, reason: str) -> NoReturn:
    """Skip for want of a program, with the reason; fail where `EARMARK_REQUIRE` names it, as it does in CI."""
    if name in os.environ.get("EARMARK_REQUIRE", "").split(","):
        pytest.fail(f"EARMARK_REQUIRE names {name}: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium; skips where there is none."""
    return find_chromium() or lacking(
        "chromium", "no Chromium on this machine: the page's script is not tried"
    )


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The address of a PostgreSQL: the one that `EARMARK_POSTGRES` names, else one of its own, thrown away after."""
    if pytest.importorskip("psycopg", reason="psycopg is not installed") and "EARMARK_POSTGRES" in os.environ:
        yield os.environ["EARMARK_POSTGRES"]
        return
    found = find_postgres()
    if found is None:
        lacking("postgres", "no PostgreSQL (initdb) on this machine: labels are tried in SQLite alone")
    with Cluster(found) as cluster:
        yield cluster.url


@pytest.fixture
def postgres(postgres_server: str) -> Iterator[str]:
    """The address of an empty PostgreSQL database."""
    with fresh_database(postgres_server) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database of labels, in SQLite and in PostgreSQL."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres"))
    return f"sqlite:///{tmp_path / 'labels.sqlite'}"


@pytest.fixture(scope="session")
def specs() -> dict[str, ModelSpec]:
    """A small model of each kind of network, without dropout and with crops of varying length where it takes them."""
    mfcc = MFCC(n_fft=512, hop_length=256, n_mels=26, n_mfcc=13)
    logmel = LogMel(n_fft=512, hop_length=256, n_mels=32)
    residual = LogMel(n_fft=1024, hop_length=512, n_mels=64, f_min=30.0)
    conv1d = Conv1d((16, 16), kernels=(31, 15), strides=(4, 3), l2=1e-4, hidden=(16,))
    conv2d = Conv2d((8, 16), pools=(2, 3), pool_padding="same", batch_norm=True, hidden=(16,), hidden_l2=1e-4)
    crnn = CRNN((8, 16), band_pools=(4, 4), frame_pools=(2, 1), width=16)
    exact, free = Cropping(0.6), Cropping(0.6, 0.3)
    return {
        "residual": _spec(22050, Cropping(1.5, 0.75), residual, Residual(statistics=16)),
        "dense": _spec(8000, exact, mfcc, Dense((64, 16), batch_norm=True, l2=1e-3), "bands"),
        "conv1d": _spec(2000, exact, Waveform(), conv1d),
        "conv2d": _spec(8000, exact, mfcc, conv2d, "global"),
        "recurrent": _spec(8000, free, mfcc, Recurrent(width=16, layers=1, bidirectional=True), "bands"),
        "crnn": _spec(8000, free, logmel, crnn, "bands"),
    }


def _spec(
    rate: int,
    cropping: Cropping,
    features: FeatureConfig,
    network: NetworkConfig,
    normalisation: str = "none",
) -> ModelSpec:
    return ModelSpec(
        classes=("high", "low", "middle"),
        task="single-label",
        sample_rate=rate,
        clip_seconds=cropping.seconds,
        cropping=cropping,
        features=features,
        network=network,
        normalisation=normalisation,  # type: ignore[arg-type]
    )


TINY = (
    "training.epochs=6",
    "training.min_steps=6",
    "training.max_steps=60",
    "training.batch_size=8",
    "network.widths=[4, 8]",
    "network.pretrained=false",
    "features.n_mels=16",
    "features.n_fft=512",
    "audio.crop_seconds=0.8",
    "audio.crop_min_seconds=0.5",
    "split.valid_fraction=0.2",
    "training.monitor=macro_f1",
)
"""Changes to the default recipe that make a training take a second, and let validation clips choose the epoch."""


@pytest.fixture
def tiny_settings() -> tuple[str, ...]:
    """What makes the default recipe small."""
    return TINY


@pytest.fixture
def tiny() -> Recipe:
    """The default recipe, made small."""
    return read_recipe("default", TINY)


@pytest.fixture
def table(corpus: Path) -> ClipTable:
    """The tones of `corpus` as a clip table."""
    return import_folder(corpus).table


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A small run that was trained on tones (its own copies), for tests that only read it."""
    folder = tmp_path_factory.mktemp("trained")
    rate = 8000
    for label, base in (("low", 300.0), ("high", 2500.0)):
        (folder / "tones" / label).mkdir(parents=True)
        for i in range(12):
            time = np.arange(rate) / rate
            wave = 0.3 * np.sin(2 * np.pi * base * (1 + i / 50) * time)
            hiss = 0.02 * np.random.default_rng(i).standard_normal(rate)
            soundfile.write(folder / "tones" / label / f"{i:02}.wav", wave + hiss, rate)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EARMARK_CACHE", str(folder / "cache"))
        options = Options(threads=1, command="earmark train")
        recipe = read_recipe("default", [*TINY, "training.epochs=60", "training.max_steps=160"])
        run = train(import_folder(folder / "tones").table, recipe, folder / "run", options, str)
    before = sorted(run.path.rglob("*"))
    yield run.path
    assert sorted(run.path.rglob("*")) == before, "a test wrote into the run that all tests read"
