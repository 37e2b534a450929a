from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from earmark.clips import ClipTable
from earmark.cutting import Cutting, cut, loud_spans
from earmark.errors import UserError

Tone = Callable[..., np.ndarray]


def table(*rows: tuple[str, float, float, str], root: Path = Path("x")) -> ClipTable:
    frame = pd.DataFrame(rows, columns=["file", "start", "end", "label"])
    return ClipTable(frame, root, tuple(sorted(frame["label"].unique())), False)


NAN = float("nan")


def test_a_song_of_30_s_gives_ten_segments_of_3_s() -> None:
    found = cut(
        table(("a.wav", 0, NAN, "x"), ("b.wav", 0, NAN, "y")),
        np.array([30.01, 29.99]),
        Cutting(segment_seconds=3.0),
    )
    assert (found.frame["file"] == "a.wav").sum() == 10
    assert (found.frame["file"] == "b.wav").sum() == 9
    assert found.frame["start"][:3].tolist() == [0, 3, 6]
    assert (found.frame["end"] - found.frame["start"]).round(9).eq(3).all()


def test_an_excerpt_is_cut_from_its_own_start() -> None:
    found = cut(table(("a.wav", 1.5, 8.0, "x")), np.array([30.0]), Cutting(segment_seconds=3.0))
    assert found.frame[["start", "end"]].to_numpy().tolist() == [[1.5, 4.5], [4.5, 7.5]]


@given(
    seconds=st.lists(st.floats(0.05, 20), min_size=1, max_size=6),
    n=st.integers(1, 300),
    length=st.floats(0.02, 2),
    seed=st.integers(0, 9),
)
def test_windows_lie_in_their_clips_and_no_two_are_one(
    seconds: list[float], n: int, length: float, seed: int
) -> None:
    clips = table(*((f"{i}.wav", 0.0, NAN, "x") for i in range(len(seconds))))
    config = Cutting(windows=n, window_seconds=length)
    if max(seconds) < length:
        with pytest.raises(UserError, match="no clip is as long as"):
            cut(clips, np.array(seconds), config, seed)
        return
    found = cut(clips, np.array(seconds), config, seed).frame
    limit = found["file"].map({f"{i}.wav": s for i, s in enumerate(seconds)})
    assert (found["start"] >= 0).all() and (found["end"] <= limit + 2e-6).all()
    for _, own in found.groupby("file"):
        assert (own["start"].sort_values().diff().dropna() > 0.001).all()
    assert len(found) <= n


def test_classes_get_windows_as_long_as_they_last() -> None:
    clips = table(("a.wav", 0, NAN, "long"), ("b.wav", 0, NAN, "short"))
    found = cut(clips, np.array([90.0, 10.0]), Cutting(windows=4000, window_seconds=0.1))
    assert len(found) == 4000
    assert (found.frame["label"] == "long").mean() == pytest.approx(0.9, abs=0.02)


def test_the_seed_decides_the_windows() -> None:
    clips, config = table(("a.wav", 0, NAN, "x")), Cutting(windows=50, window_seconds=0.1)
    first, again, other = (
        cut(clips, np.array([60.0]), config, seed).frame["start"].tolist() for seed in (1, 1, 2)
    )
    assert first == again != other


def test_loud_stretches_are_found_by_their_envelope(tone: Tone) -> None:
    wave = np.concatenate([np.zeros(8000), tone(440, 1.0, 8000), np.zeros(8000), tone(440, 0.5, 8000)])
    spans = loud_spans(wave.astype(np.float32), 8000, 0.1)
    np.testing.assert_allclose(spans, [(1.0, 2.0), (3.0, 3.5)], atol=0.05)


def test_the_envelope_is_the_rolling_mean_of_pandas(tone: Tone) -> None:
    wave = (tone(100, 1.0, 8000) * np.linspace(0, 1, 8000)).astype(np.float32)
    rolling = pd.Series(np.abs(np.pad(wave, 400))).rolling(800, center=True).mean().to_numpy()[400:-400]
    first = int(np.flatnonzero(rolling > 0.1)[0])
    assert loud_spans(wave, 8000, 0.1)[0][0] * 8000 == pytest.approx(first, abs=2)


def test_silence_is_left_out_of_segments(tmp_path: Path, tone: Tone) -> None:
    wave = np.concatenate([np.full(16000, 1e-5), tone(440, 3.0, 16000), np.full(16000, 1e-5)])
    soundfile.write(tmp_path / "a.wav", wave, 16000)
    config = Cutting(segment_seconds=0.5, silence_threshold=0.05)
    found = cut(table(("a.wav", 0, NAN, "x"), root=tmp_path), np.array([5.0]), config).frame
    assert 0.9 < found["start"].min() < 1.1
    assert 3.4 < found["end"].max() < 4.1


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (Cutting(windows=3), "windows and window_seconds go together"),
        (Cutting(windows=3, window_seconds=1, segment_seconds=1), "wanted one of them"),
        (Cutting(segment_seconds=99), r"no clip is as long as 99 s; the longest stretch has 30 s"),
    ],
)
def test_what_cannot_be_cut_is_refused_in_words(config: Cutting, words: str) -> None:
    with pytest.raises(UserError, match=words):
        cut(table(("a.wav", 0, NAN, "x")), np.array([30.0]), config)


def test_nothing_is_cut_by_default() -> None:
    clips = table(("a.wav", 0, NAN, "x"))
    assert cut(clips, np.array([30.0]), Cutting()) is clips
