"""Every format sounds like itself, every excerpt is the slice it claims to be, every refusal says why."""

from __future__ import annotations

import contextlib
import csv
import errno
import math
import os
import pickle
import signal
import socket
import struct
import subprocess
import sys
import tarfile
import threading
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import av
import librosa
import numpy as np
import pytest
import scipy.signal
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from earmark import audio, decoding
from earmark.audio import REASONS, AudioError
from earmark.errors import UserError

T = TypeVar("T")

SNDFILE = {
    "pcm16.wav": ("WAV", "PCM_16", 22050),
    "pcm8.wav": ("WAV", "PCM_U8", 11025),
    "pcm24.wav": ("WAVEX", "PCM_24", 96000),
    "float.wav": ("WAV", "FLOAT", 44101),
    "double.wav": ("WAV", "DOUBLE", 8000),
    "ima.wav": ("WAV", "IMA_ADPCM", 22050),
    "gsm.wav": ("WAV", "GSM610", 8000),
    "rf64.wav": ("RF64", "PCM_16", 22050),
    "w64.w64": ("W64", "PCM_16", 22050),
    "flac.flac": ("FLAC", "PCM_16", 44100),
    "vorbis.ogg": ("OGG", "VORBIS", 44100),
    "opus.opus": ("OGG", "OPUS", 48000),
    "layer3.mp3": ("MP3", "MPEG_LAYER_III", 22050),
    "aiff.aiff": ("AIFF", "PCM_16", 22050),
    "ulaw.au": ("AU", "ULAW", 8000),
    "alac.caf": ("CAF", "ALAC_16", 44100),
}
FFMPEG = {
    "aac.m4a": ("ipod", "aac", 44100),
    "alac.m4a": ("ipod", "alac", 44100),
    "adts.aac": ("adts", "aac", 44100),
    "opus.webm": ("webm", "libopus", 48000),
    "wma.wma": ("asf", "wmav2", 44100),
    "ac3.ac3": ("ac3", "ac3", 48000),
    "wavpack.wv": ("wv", "wavpack", 44100),
}
LOSSLESS = {
    "pcm16.wav",
    "pcm24.wav",
    "float.wav",
    "double.wav",
    "rf64.wav",
    "w64.w64",
    "flac.flac",
    "aiff.aiff",
} | {
    "alac.caf",
    "alac.m4a",
}
ALL = [*SNDFILE, *FFMPEG]


def encode(path: Path, wave: np.ndarray, rate: int, form: str, codec: str, **options: str) -> None:
    """Write float32 `[T]` through one of FFmpeg's encoders."""
    with av.open(str(path), "w", format=form, options=options) as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        stream.bit_rate = 4 * rate if codec == "aac" else 128_000
        context = stream.codec_context
        context.open()
        resampler = av.AudioResampler(
            context.format.name, "mono", rate, frame_size=context.frame_size or 4096
        )
        frame = av.AudioFrame.from_ndarray(wave[None], format="flt", layout="mono")
        frame.sample_rate, frame.pts = rate, 0
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))


def chirp(seconds: float, rate: int) -> np.ndarray:
    """A sweep from 300 Hz up: no two stretches of it are alike."""
    time = np.arange(round(seconds * rate)) / rate
    return (0.4 * scipy.signal.chirp(time, 300, seconds, 1500)).astype(np.float32)


@pytest.fixture(scope="session")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A 3-second chirp in every format that can be written here."""
    folder = tmp_path_factory.mktemp("sounds")
    for name, (form, subtype, rate) in SNDFILE.items():
        soundfile.write(folder / name, chirp(3, rate), rate, format=form, subtype=subtype)
    for name, (form, codec, rate) in FFMPEG.items():
        encode(folder / name, chirp(3, rate), rate, form, codec)
    return folder


def rate_of(name: str) -> int:
    return (SNDFILE.get(name) or FFMPEG[name])[2]


def reason_of(path: Path, **options: float) -> str:
    with pytest.raises(AudioError) as caught:
        audio.read(path, **options)
    assert caught.value.path == path
    assert REASONS[caught.value.reason] in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert str(caught.value).encode()  # no lone surrogates: it can be printed
    return caught.value.reason


# What a file sounds like


@pytest.mark.parametrize("name", ALL)
def test_every_format_sounds_like_what_was_written(sounds: Path, name: str) -> None:
    rate = rate_of(name)
    wave, want = audio.read(sounds / name), chirp(3, rate)
    assert wave.dtype == np.float32
    assert abs(len(wave) - len(want)) < 0.12 * rate
    if name in LOSSLESS:
        np.testing.assert_allclose(wave, want, atol=2**-15)
    spectrum = np.abs(np.fft.rfft(wave))
    peak = np.fft.rfftfreq(len(wave), 1 / rate)[
        np.average(np.arange(len(spectrum)), weights=spectrum**2).astype(int)
    ]
    assert 700 < peak < 1100
    assert abs(np.std(wave) / np.std(want) - 1) < 0.1


@pytest.mark.parametrize("name", ALL)
def test_probe_tells_what_is_decoded(sounds: Path, name: str) -> None:
    info, wave = audio.probe(sounds / name), audio.read(sounds / name)
    assert (info.sample_rate, info.channels) == (rate_of(name), 1)
    assert info.duration == pytest.approx(info.frames / info.sample_rate, abs=1e-4)
    assert abs(info.frames - len(wave)) <= (1024 if info.exact else 0.3 * info.frames)
    assert info.exact == (
        name not in ("layer3.mp3", "adts.aac", "opus.webm", "wma.wma", "ac3.ac3", "wavpack.wv")
    )


def test_the_content_decides_and_not_the_ending(sounds: Path, tmp_path: Path) -> None:
    want = audio.read(sounds / "pcm16.wav")
    for ending in ("mp3", "raw", "vox", "gsm", "flac", "m4a", "txt", "m3u8"):
        path = tmp_path / f"sound.{ending}"
        path.write_bytes((sounds / "pcm16.wav").read_bytes())
        np.testing.assert_array_equal(audio.read(path), want)
    (tmp_path / "sound.wav").write_bytes((sounds / "aac.m4a").read_bytes())
    assert audio.probe(tmp_path / "sound.wav").format == "AAC"
    (tmp_path / "noise.raw").write_bytes(np.random.default_rng(0).integers(1, 100, 5000, np.uint8).tobytes())
    assert reason_of(tmp_path / "noise.raw") == "not_audio"


@pytest.mark.parametrize("name", ["flac.flac", "vorbis.ogg", "layer3.mp3", "pcm24.wav", "float.wav"])
@pytest.mark.parametrize("rate", [16000, 22050])
@pytest.mark.filterwarnings("ignore:.*removal in Python 3.13:DeprecationWarning")  # librosa's own
def test_a_file_reads_as_librosa_loads_it(sounds: Path, tmp_path: Path, name: str, rate: int) -> None:
    form, subtype, native = SNDFILE[name]
    left = chirp(2.3, native)
    path = tmp_path / name
    soundfile.write(path, np.stack([left, left[::-1]], axis=1), native, format=form, subtype=subtype)
    ours, theirs = audio.read(path, rate), librosa.load(path, sr=rate)[0]
    assert abs(len(ours) - len(theirs)) <= 1  # librosa rounds lengths up
    common = min(len(ours), len(theirs))
    np.testing.assert_allclose(ours[:common], theirs[:common], atol=1e-6)


@pytest.mark.parametrize(
    ("form", "endian"),
    [("WAV", "LITTLE"), ("WAV", "BIG"), ("WAVEX", "LITTLE"), ("RF64", "LITTLE"), ("W64", "LITTLE")],
)
def test_every_16_bit_sample_becomes_the_number_that_libsndfile_gives(
    tmp_path: Path, form: str, endian: str
) -> None:
    path, samples = tmp_path / "all.wav", np.arange(-(2**15), 2**15).astype(np.int16)
    soundfile.write(path, samples, 8000, "PCM_16", endian, form)
    assert np.array_equal(audio.read(path), soundfile.read(path, dtype="float32")[0])


@pytest.mark.parametrize("channels", [1, 2, 3, 6])
def test_channels_are_mixed_to_their_mean(tmp_path: Path, channels: int) -> None:
    waves = np.random.default_rng(0).uniform(-0.5, 0.5, (4000, channels)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", waves, 8000, subtype="FLOAT")
    np.testing.assert_allclose(audio.read(tmp_path / "a.wav"), waves.mean(axis=1), atol=1e-7)
    late = audio.read(tmp_path / "a.wav", start=0.10125)
    np.testing.assert_array_equal(late, audio.read(tmp_path / "a.wav")[810:])


@pytest.mark.parametrize("resampler", audio.RESAMPLERS)
def test_both_resamplers_keep_a_tone_and_give_the_same_length(
    tone: Callable[..., np.ndarray], resampler: str
) -> None:
    for native, rate in ((44100, 22050), (8000, 22050), (11127, 16000)):
        wave = audio.resample(tone(440, 1.0, native), native, rate, resampler)
        want = tone(440, 1.0, rate)
        assert wave.dtype == np.float32
        assert len(wave) == int(native * rate / native + 0.5)
        np.testing.assert_allclose(wave[2000:-2000], want[2000:-2000], atol=2e-3)
    with pytest.raises(ValueError, match="'sox' is unknown; there are soxr, fourier"):
        audio.resample(tone(), 22050, 8000, "sox")


def test_the_fourier_resampler_is_scipys_on_the_excerpt(sounds: Path) -> None:
    native = audio.read(sounds / "flac.flac", start=0.5, end=1.5)
    ours = audio.read(sounds / "flac.flac", 16000, 0.5, 1.5, resampler="fourier")
    np.testing.assert_allclose(ours, scipy.signal.resample(native, 16000), atol=1e-6)


# Excerpts


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=st.floats(0, 2.8), length=st.floats(0.02, 3))
def test_an_excerpt_is_the_slice_of_the_whole(sounds: Path, name: str, start: float, length: float) -> None:
    rate, whole = rate_of(name), audio.read(sounds / name)
    want = whole[round(start * rate) : round((start + length) * rate)]
    np.testing.assert_allclose(audio.read(sounds / name, start=start, end=start + length), want, atol=1e-6)


@pytest.mark.parametrize("name", ["flac.flac", "layer3.mp3", "gsm.wav", "adts.aac", "aac.m4a"])
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(spans=st.lists(st.tuples(st.floats(0, 3.3), st.floats(0.005, 1.5) | st.none()), max_size=6))
def test_spans_in_one_pass_equal_reads_one_by_one(
    sounds: Path, name: str, spans: list[tuple[float, float | None]]
) -> None:
    asked = sorted([(start, length and start + length) for start, length in spans], key=lambda span: span[0])
    for (start, end), got in zip(asked, audio.read_spans(sounds / name, asked, 16000), strict=True):
        assert got[0] == start
        assert got[1] == end or (end is None and math.isnan(got[1]))
        if isinstance(got[2], AudioError):
            assert got[2].__traceback__ is None
            assert (
                reason_of(sounds / name, start=start, end=math.nan if end is None else end) == got[2].reason
            )
        else:
            np.testing.assert_allclose(got[2], audio.read(sounds / name, 16000, start, end), atol=1e-6)


def test_spans_must_ascend_and_be_possible(sounds: Path) -> None:
    with pytest.raises(ValueError, match="must ascend"):
        list(audio.read_spans(sounds / "flac.flac", [(1.0, 2.0), (0.5, 1.0)], None))
    for start, end in ((-1.0, 1.0), (1.0, 1.0), (math.nan, 1.0)):
        with pytest.raises(ValueError, match="an excerpt must"):
            audio.read(sounds / "flac.flac", start=start, end=end)


@pytest.mark.parametrize("rate", [16000, 44100])
def test_excerpts_from_the_last_page_of_an_ogg_file_are_in_their_place(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "a.ogg", chirp(30, rate), rate, format="OGG", subtype="VORBIS")
    whole = audio.read(tmp_path / "a.ogg")
    for start in (5.0, 20.0, 26.0, 28.0, 29.0, 29.9):
        excerpt = audio.read(tmp_path / "a.ogg", start=start)
        np.testing.assert_allclose(excerpt, whole[round(start * rate) :], atol=1e-6)


@pytest.mark.parametrize("codec", ["aac", "alac"])
def test_a_far_excerpt_of_a_long_m4a_is_found_by_its_clock(tmp_path: Path, codec: str) -> None:
    rate, path = 8000, tmp_path / "long.m4a"
    wave = chirp(300, rate)
    encode(path, wave, rate, "ipod", codec)
    whole = audio.read(path)
    for start in (121.0, 233.333, 298.9):
        excerpt = audio.read(path, start=start, end=start + 1)
        np.testing.assert_array_equal(excerpt, whole[round(start * rate) : round((start + 1) * rate)])
    spans = list(audio.read_spans(path, [(130.0, 131.0), (290.0, 291.0)], None))
    np.testing.assert_array_equal(spans[1][2], whole[290 * rate : 291 * rate])
    assert reason_of(path, start=450.0) == "outside"


# Sliding


@pytest.fixture(scope="session")
def ramp(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """A file of `n` frames at 1 kHz whose samples tell their own position."""
    folder = tmp_path_factory.mktemp("ramps")

    def make(n: int) -> Path:
        path = folder / f"{n}.wav"
        if not path.exists():
            soundfile.write(path, (np.arange(n) + 1) / 4096, 1000, subtype="FLOAT")
        return path

    return make


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(n=st.integers(10, 4000), clip=st.integers(20, 1500), hop=st.floats(0.1, 1.0), ms=st.booleans())
def test_sliding_covers_a_file_from_start_to_end(
    ramp: Callable[[int], Path], n: int, clip: int, hop: float, ms: bool
) -> None:
    clip_seconds, hop_seconds = clip / 1000, max(1, round(hop * clip)) / 1000 if ms else hop * clip / 1000
    heard, ends = np.zeros(n, bool), []
    clips = list(audio.slide(ramp(n), clip_seconds, hop_seconds, None))
    for start, end, wave in clips:
        assert not isinstance(wave, AudioError)
        first, last = round(start * 1000), round(end * 1000)
        np.testing.assert_array_equal(wave, (np.arange(first, last) + 1).astype(np.float32) / 4096)
        np.testing.assert_array_equal(wave, audio.read(ramp(n), start=start, end=end))
        heard[first:last] = True
        ends.append(last)
    assert heard[: n - 1].all()  # a rest of 1 ms, here one sample, is left
    assert ends[-1] >= n - 1
    assert len(set(ends)) == len(ends)  # no clip within another
    lengths = {len(wave) for _, _, wave in clips[:-1]}
    assert all(abs(length - clip) <= 1 for length in lengths)
    assert len(clips[-1][2]) >= min(n, clip // 2)


@pytest.mark.parametrize(
    ("n", "clip", "hop", "want"),
    [
        (1000, 0.5, 0.5, [(0, 0.5), (0.5, 1.0)]),
        (1200, 0.5, 0.5, [(0, 0.5), (0.5, 1.0), (0.7, 1.2)]),
        (1250, 0.5, 0.5, [(0, 0.5), (0.5, 1.0), (1.0, 1.25)]),
        (300, 0.5, 0.25, [(0, 0.3)]),
        (20, 0.5, 0.25, [(0, 0.02)]),
        (500, 0.5, 0.25, [(0, 0.5)]),
        (2100, 0.5, 1.0, [(0, 0.5), (1.0, 1.5), (1.6, 2.1)]),
        (1900, 0.5, 1.0, [(0, 0.5), (1.0, 1.5)]),
    ],
)
def test_the_rest_at_the_end_becomes_a_whole_clip_where_it_is_short(
    ramp: Callable[[int], Path], n: int, clip: float, hop: float, want: list[tuple[float, float]]
) -> None:
    got = [(start, end) for start, end, _ in audio.slide(ramp(n), clip, hop, None)]
    np.testing.assert_allclose(got, want, atol=1e-9)


@pytest.mark.parametrize("name", ["vorbis.ogg", "layer3.mp3", "adts.aac", "opus.webm"])
def test_a_clip_of_a_slide_is_what_read_gives(sounds: Path, name: str) -> None:
    for start, end, wave in audio.slide(sounds / name, 0.7, 0.35, 16000):
        np.testing.assert_allclose(wave, audio.read(sounds / name, 16000, start, end), atol=1e-6)


def test_a_silent_clip_inside_has_its_reason_and_the_others_stand(tmp_path: Path) -> None:
    wave = np.concatenate([chirp(1, 8000), np.zeros(8000, np.float32), chirp(1, 8000)])
    wave[20000] = np.nan
    soundfile.write(tmp_path / "a.wav", wave, 8000, subtype="FLOAT")
    got = [getattr(wave, "reason", "") for _, _, wave in audio.slide(tmp_path / "a.wav", 0.5, 0.5, None)]
    assert got == ["", "", "silent", "silent", "", "not_finite"]


def test_clips_that_overlap_share_no_memory(sounds: Path) -> None:
    spans = audio.read_spans(sounds / "pcm16.wav", [(0.5, 2.0), (0.6, 1.0)], None)
    (_, _, first), (_, _, second) = spans
    assert not np.shares_memory(first, second)


def test_sliding_refuses_steps_that_lead_nowhere(sounds: Path) -> None:
    for clip, hop in ((0.001, 1.0), (1.0, 0.0), (math.nan, 1.0)):
        with pytest.raises(ValueError, match=r"a clip must have 0\.01 s or more and the hop must be above 0"):
            next(audio.slide(sounds / "flac.flac", clip, hop, None))


def test_a_long_file_slides_in_the_memory_of_a_short_one(tmp_path: Path) -> None:
    def peak(minutes: int) -> int:
        path = tmp_path / f"{minutes}.flac"
        with soundfile.SoundFile(path, "w", 16000, 1) as file:
            for _ in range(minutes):
                file.write(np.tile([0.25, -0.25], 480000))
        tracemalloc.start()
        assert sum(1 for _ in audio.slide(path, 5.0, 2.5, 8000)) == minutes * 24 - 1
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(20) < 1.2 * peak(2) < 10e6


# Damage


def cut(path: Path, source: Path, share: float) -> Path:
    data = source.read_bytes()
    path.write_bytes(data[: round(share * len(data))])
    return path


def starts_of(path: Path) -> list[tuple[float, str]]:
    return [(end, getattr(wave, "reason", "")) for _, end, wave in audio.slide(path, 0.5, 0.5, None)]


def test_a_flac_cut_in_half_is_truncated_and_its_first_half_stands(sounds: Path, tmp_path: Path) -> None:
    path = cut(tmp_path / "half.flac", sounds / "flac.flac", 0.5)
    with pytest.raises(
        AudioError, match=r"breaks off before its end \(at 1\.\d\d s: .*lost sync\).*Copy it again"
    ):
        audio.read(path)
    clips = list(audio.slide(path, 0.5, 0.5, None))
    heard = np.concatenate([wave for _, _, wave in clips if not isinstance(wave, AudioError)])
    whole = audio.read(sounds / "flac.flac")
    np.testing.assert_array_equal(clips[0][2], whole[:22050])
    assert len(heard) > 0.4 * len(whole)
    start, end, error = clips[-1]
    assert isinstance(error, AudioError)
    assert error.reason == "truncated"
    assert start == clips[-2][1]
    assert math.isnan(end)
    np.testing.assert_array_equal(audio.read(path, start=0.2, end=0.9), whole[8820:39690])
    assert reason_of(path, start=1.0, end=2.0) == "truncated"
    assert reason_of(path, start=2.5, end=2.9) == "truncated"


def test_an_m4a_cut_in_half_is_truncated(tmp_path: Path) -> None:
    encode(tmp_path / "whole.m4a", chirp(4, 16000), 16000, "ipod", "aac", movflags="faststart")
    path = cut(tmp_path / "half.m4a", tmp_path / "whole.m4a", 0.6)
    assert reason_of(path) == "truncated"
    *before, last = starts_of(path)
    assert len(before) >= 3
    assert last[1] == "truncated"


def test_the_length_of_an_mp3_is_an_estimate_so_what_is_there_is_read(sounds: Path, tmp_path: Path) -> None:
    wave = audio.read(cut(tmp_path / "half.mp3", sounds / "layer3.mp3", 0.5))
    assert 0.4 * 3 * 22050 < len(wave) < 0.6 * 3 * 22050


def zeroed(path: Path, source: Path) -> Path:
    data = bytearray(source.read_bytes())
    third = len(data) // 3
    data[third : 2 * third] = bytes(third)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", ["flac.flac", "layer3.mp3"])
def test_a_hole_in_the_middle_is_truncated_where_it_begins(sounds: Path, tmp_path: Path, name: str) -> None:
    path = zeroed(tmp_path / name, sounds / name)
    assert reason_of(path) == "truncated"
    *before, last = starts_of(path)
    assert before
    assert all(reason == "" for _, reason in before)
    assert last[1] == "truncated"


def with_total(path: Path, source: Path, total: int) -> Path:
    """A FLAC file whose header claims `total` frames."""
    data = bytearray(source.read_bytes())
    packed = int.from_bytes(data[18:26], "big") >> 36 << 36 | total
    data[18:26] = packed.to_bytes(8, "big")
    path.write_bytes(data)
    return path


def test_claims_of_a_header_take_no_memory(sounds: Path, tmp_path: Path) -> None:
    path = with_total(tmp_path / "claims.flac", sounds / "flac.flac", 36_000 * 44100)
    tracemalloc.start()
    assert audio.probe(path).duration == 36_000
    assert starts_of(path)[-1][1] == "truncated"
    with pytest.raises(AudioError, match=r"3\.00 s of the 36000\.00 s that its header claims"):
        audio.read(path)
    assert reason_of(path, start=20_000.0, end=20_001.0) == "truncated"
    assert tracemalloc.get_traced_memory()[1] < 40e6
    tracemalloc.stop()


def test_a_stream_that_does_not_say_its_length_is_counted(sounds: Path, tmp_path: Path) -> None:
    path = with_total(tmp_path / "stream.flac", sounds / "flac.flac", 0)
    np.testing.assert_array_equal(audio.read(path), audio.read(sounds / "flac.flac"))
    assert audio.probe(path) == audio.probe(sounds / "flac.flac")
    encode(tmp_path / "live.webm", chirp(3, 48000), 48000, "webm", "libopus", live="1")
    info = audio.probe(tmp_path / "live.webm")
    assert info.exact
    assert info.frames == len(audio.read(tmp_path / "live.webm"))


def test_a_recorder_that_lost_power_left_samples_that_are_read(sounds: Path, tmp_path: Path) -> None:
    data = bytearray((sounds / "pcm16.wav").read_bytes())
    data[40:44] = bytes(4)  # the length of the data chunk
    (tmp_path / "lost.wav").write_bytes(data)
    np.testing.assert_array_equal(audio.read(tmp_path / "lost.wav"), audio.read(sounds / "pcm16.wav"))


RIFF_DATA, AIFF_SOUND = slice(40, 44), slice(42, 46)  # where soundfile writes the length of the samples


@pytest.mark.parametrize("name", ["pcm16.wav", "pcm24.wav", "float.wav", "rf64.wav", "aiff.aiff"])
def test_a_wav_whose_copy_broke_off_is_truncated_and_what_is_there_stands(
    sounds: Path, tmp_path: Path, name: str
) -> None:
    path, rate, whole = cut(tmp_path / name, sounds / name, 0.5), rate_of(name), audio.read(sounds / name)
    with pytest.raises(AudioError, match=r"1\.(49|50) s of the 3\.00 s that its header claims\)\. Copy it"):
        audio.read(path)
    assert audio.probe(path).frames == pytest.approx(3 * rate, abs=8)
    *before, (start, end, error) = audio.slide(path, 0.5, 0.5, None)
    assert isinstance(error, AudioError)
    assert error.reason == "truncated"
    assert start == pytest.approx(1.5, abs=0.01)
    assert math.isnan(end)
    heard = np.concatenate([wave for _, _, wave in before if not isinstance(wave, AudioError)])
    np.testing.assert_array_equal(heard[:rate], whole[:rate])
    excerpt = audio.read(path, start=0.2, end=1.4)
    np.testing.assert_array_equal(excerpt, whole[round(0.2 * rate) : round(1.4 * rate)])
    assert reason_of(path, start=1.0, end=2.0) == "truncated"
    assert reason_of(path, start=2.0, end=2.5) == "truncated"


def test_50_ms_that_lack_at_the_end_of_a_wav_are_forgiven(sounds: Path, tmp_path: Path) -> None:
    data = (sounds / "pcm16.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(data[: -2 * 1100])
    assert len(audio.read(tmp_path / "a.wav")) == 66150 - 1100
    (tmp_path / "a.wav").write_bytes(data[: -2 * 1200])
    assert reason_of(tmp_path / "a.wav") == "truncated"


@pytest.mark.parametrize(
    "length", [0, 0x7F000000, 0x7FFFF000, 0x7FFFFFFF, 0x80000024, 0xFFFFFFDB, 0xFFFFFFFF]
)
def test_a_header_written_before_the_length_was_known_claims_nothing(
    sounds: Path, tmp_path: Path, length: int
) -> None:
    for name, where, order in (("pcm16.wav", RIFF_DATA, "<I"), ("aiff.aiff", AIFF_SOUND, ">I")):
        data = bytearray((sounds / name).read_bytes())
        assert struct.unpack(order, data[where])[0] - 2 * 66150 in (0, 8)
        data[where] = struct.pack(order, length)
        (tmp_path / name).write_bytes(data)
        if length or name == "pcm16.wav":
            np.testing.assert_array_equal(audio.read(tmp_path / name), audio.read(sounds / name))


def test_a_length_of_gigabytes_takes_no_memory_and_long_notes_before_it_hide_nothing(
    sounds: Path, tmp_path: Path
) -> None:
    data = (sounds / "pcm16.wav").read_bytes()
    notes = struct.pack("<4sI4s4sI", b"LIST", 9012, b"INFO", b"ICMT", 9000) + 1800 * b"text\n"
    path = tmp_path / "a.wav"
    path.write_bytes(data[:36] + notes + b"data" + struct.pack("<I", 3_000_000_000) + data[44:])
    tracemalloc.start()
    assert reason_of(path) == "truncated"
    assert starts_of(path)[-1][1] == "truncated"
    assert tracemalloc.get_traced_memory()[1] < 40e6
    tracemalloc.stop()


# Reasons


def wav(path: Path, samples: np.ndarray, rate: int = 8000, subtype: str = "FLOAT") -> Path:
    soundfile.write(path, samples, rate, format="WAV", subtype=subtype)
    return path


def test_samples_that_cannot_be_used_say_so(tmp_path: Path, tone: Callable[..., np.ndarray]) -> None:
    good, path = tone(440, 1.0, 8000), tmp_path / "a.wav"
    for value in (np.nan, np.inf, -np.inf):
        spoilt = good.copy()
        spoilt[[5, 600]] = value
        wav(path, np.stack([spoilt, good], axis=1))
        with pytest.raises(AudioError, match=r"not numbers, NaN or infinite \(2 of 8000\)\. Export it again"):
            audio.read(path)
    with pytest.raises(AudioError, match=r"far outside -1 to 1 \(up to 3\.28e\+04\)\. Scale it"):
        audio.read(wav(path, good / 0.5 * 32768))
    assert audio.read(wav(path, good * 16)).max() == pytest.approx(8, rel=1e-3)  # over full scale: no offence
    with pytest.raises(AudioError, match=r"digital silence \(no sample above 0 in 1\.00 s\)\. Leave it out"):
        audio.read(wav(path, good * 0))
    assert reason_of(wav(path, np.full(8000, 1e-40))) == "silent"
    assert audio.read(wav(path, np.resize([2**-15, -(2**-15)], 8000))).any()  # the last bit of 16 is sound
    with pytest.raises(AudioError, match=r"shorter than 10 ms \(79 samples at 8000 Hz\)"):
        audio.read(wav(path, good[:79]))
    assert len(audio.read(wav(path, good[:80]))) == 80
    assert reason_of(wav(path, good), start=0.5, end=0.501) == "too_short"


def test_channels_that_cancel_each_other_are_told_from_silence(
    tmp_path: Path, tone: Callable[..., np.ndarray]
) -> None:
    x = tone(100, 1.0, 8000)  # zero at every 10 ms
    none, half = np.zeros_like(x), np.repeat([1, 0], 4000).astype(np.float32)
    cancelled = r"silence \(in the mix to mono, where its channels cancel each other .*keep one of them"
    path = wav(tmp_path / "a.wav", np.stack([x, -x], axis=1))
    with pytest.raises(AudioError, match=cancelled) as caught:
        audio.read(path)
    assert caught.value.reason == "silent"
    with pytest.raises(AudioError, match=cancelled):
        audio.read(wav(path, np.stack([none, x, -x], axis=1)), start=0.40125, end=0.6)
    path = wav(path, np.stack([x, -x * half], axis=1) * np.append(half, none)[:8000, None])
    with pytest.raises(AudioError, match=r"silence \(no sample above 0 in 0\.50 s"):
        audio.read(path, start=0.5)
    songs = [(x, x), (x, -x), (none, none), (x, x)]
    wav(path, np.concatenate([np.stack(song, axis=1) for song in songs]))
    spans = [(0.0, 4.0), (1.0, 2.0), (1.5, 2.5), (2.0, 3.0)]
    details = [getattr(wave, "detail", "")[:10] for _, _, wave in audio.read_spans(path, spans, None)]
    assert details == ["", "in the mix", "in the mix", "no sample "]
    details = [getattr(wave, "detail", "")[:10] for _, _, wave in audio.slide(path, 0.5, 0.7, 8000)]
    assert details == ["", "", "in the mix", "no sample ", "", ""]


def test_an_excerpt_beyond_the_end_says_where_the_end_is(sounds: Path) -> None:
    with pytest.raises(
        AudioError, match=r"beyond the end of the file \(it starts at 7\.00 s, the file has 3\.00 s"
    ):
        audio.read(sounds / "pcm16.wav", start=7.0, end=8.0)
    for name in ALL:
        assert reason_of(sounds / name, start=7.0) == "outside"
    assert len(audio.read(sounds / "pcm16.wav", start=2.5, end=9.0)) == 11025


@pytest.mark.parametrize(
    ("content", "reason", "words"),
    [
        (b"", "empty", "0 bytes"),
        (b"dear diary", "not_audio", r"found text that begins 'dear diary'; libsndfile: .*; FFmpeg: "),
        (b"<!DOCTYPE html><html>404</html>", "not_audio", "found a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "not_audio", "Git LFS pointer.*git lfs pull"),
        (b"\x89PNG\r\n\x1a\n" + bytes(60), "not_audio", "found a PNG picture"),
        (bytes(65536), "not_audio", "nothing but zero bytes"),
        (b"\x00\x01\x02\x03\xfe\xfd\x00\x00", "not_audio", "bytes that begin 00 01 02 03"),
        (b"#EXTM3U\nhttp://127.0.0.1:9/a.mp3\n", "not_audio", "found a playlist"),
        (b"ffconcat version 1.0\nfile '/etc/passwd'\n", "not_audio", "found text"),
        (
            b"RIFF\x24\0\0\0WAVEfmt ",
            "unreadable",
            r"No 'data' chunk marker; FFmpeg: .*ffmpeg -i FILE new.wav",
        ),
        (b"fLaC" + bytes(100), "unreadable", "libsndfile: "),
        (b"ID3\x04\0\0\0\0\0\x10" + bytes(64), "unreadable", "libsndfile: "),
    ],
)
def test_a_file_that_is_no_sound_says_what_it_is(
    tmp_path: Path, content: bytes, reason: str, words: str
) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    for use in (audio.read, audio.probe, lambda p: list(audio.slide(p, 1, 1, None))):
        with pytest.raises(AudioError, match=words) as caught:
            use(path)
        assert caught.value.reason == reason
        assert str(path) in str(caught.value)


def test_a_playlist_is_never_followed_to_other_files(
    sounds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("secret.wav").write_bytes((sounds / "pcm16.wav").read_bytes())
    Path("list.wav").write_text("ffconcat version 1.0\nfile secret.wav\n")
    with open("list.wav", "rb") as file, av.open(file) as followed:
        assert followed.format.name == "concat"  # what FFmpeg would do
    assert reason_of(Path("list.wav")) == "not_audio"


def test_a_header_without_sound_and_an_absurd_rate_say_so(tmp_path: Path) -> None:
    assert reason_of(wav(tmp_path / "a.wav", np.zeros(0))) == "no_frames"
    for rate in (1, 99, 1_000_001):
        wav(tmp_path / "a.wav", chirp(0.1, 8000), 8000)
        data = bytearray((tmp_path / "a.wav").read_bytes())
        data[24:28] = struct.pack("<I", rate)
        (tmp_path / "a.wav").write_bytes(data)
        with pytest.raises(AudioError, match=f"its header says {rate} Hz, 100 to 1000000 Hz were wanted"):
            audio.read(tmp_path / "a.wav")
    data[22:24] = b"\xff\xff"
    (tmp_path / "a.wav").write_bytes(data)
    assert reason_of(tmp_path / "a.wav") == "unreadable"


def test_every_reason_has_words_and_a_remedy_and_travels_between_processes() -> None:
    for reason in REASONS:
        error = AudioError(Path("a.wav"), reason, "some detail")
        assert error.remedy.endswith(".")
        copy = pickle.loads(pickle.dumps(error))
        assert (str(copy), copy.path, copy.reason, copy.detail) == (
            str(error),
            error.path,
            reason,
            "some detail",
        )
    assert issubclass(AudioError, UserError)


# The file system


def test_names_of_all_kinds_are_read(sounds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = [
        "-rf.wav",
        "new\nline.wav",
        "tab\t%s*?.wav",
        "x" * 240 + ".wav",
        "音楽🎷.m4a",
        "noextension",
        "CON.wav",
    ]
    for name in [*names, *([os.fsdecode(b"latin1_\xe9.m4a")] if os.name == "posix" else [])]:
        for source in ("pcm16.wav", "aac.m4a"):
            Path(name).write_bytes((sounds / source).read_bytes())
            np.testing.assert_array_equal(audio.read(name), audio.read(sounds / source))
        Path(name).write_bytes(b"no sound")
        assert reason_of(Path(name)) == "not_audio"


def test_paths_that_lead_to_no_file_say_so(tmp_path: Path, sounds: Path) -> None:
    assert reason_of(tmp_path / "nowhere.wav") == "missing"
    assert reason_of(tmp_path / "zero\0byte.wav") == "missing"
    assert reason_of(tmp_path / ("x" * 300)) == "missing"
    (tmp_path / "folder.wav").mkdir()
    assert reason_of(tmp_path / "folder.wav") == "folder"
    (tmp_path / "file.wav").write_bytes(b"x")
    assert reason_of(tmp_path / "file.wav" / "inside.wav") == "missing"
    (tmp_path / "dangling.wav").symlink_to("nowhere.wav")
    (tmp_path / "loop.wav").symlink_to("loop.wav")
    assert reason_of(tmp_path / "dangling.wav") == "missing"
    with pytest.raises(AudioError, match=r"no such file \(Too many levels of symbolic links\)"):
        audio.read(tmp_path / "loop.wav")
    (tmp_path / "good.wav").symlink_to(sounds / "pcm16.wav")
    assert len(audio.read(tmp_path / "good.wav")) == 66150


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_a_socket_or_a_device_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    paths = [tmp_path / "pipe.wav", Path("/dev/null"), Path("/dev/zero")]
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "s.wav"))
        paths.append(tmp_path / "s.wav")
        found: list[str] = []
        worker = threading.Thread(target=lambda: found.extend(reason_of(path) for path in paths), daemon=True)
        worker.start()
        worker.join(20)
    assert found == ["not_file"] * len(paths)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no Unix permissions here")
def test_a_file_that_must_not_be_read_says_so(sounds: Path, tmp_path: Path) -> None:
    path = tmp_path / "secret.wav"
    path.write_bytes((sounds / "pcm16.wav").read_bytes())
    path.chmod(0)
    root = os.geteuid() == 0  # who may read everything
    if root:
        os.seteuid(65534)
    try:
        assert reason_of(path) == "permission"
    finally:
        if root:
            os.seteuid(0)


# The terminal, threads


def test_nothing_reaches_the_terminal(
    sounds: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    noisy = zeroed(tmp_path / "hole.mp3", sounds / "layer3.mp3")
    with pytest.raises(soundfile.LibsndfileError):
        soundfile.read(noisy)
    assert "resync" in capfd.readouterr().err  # what there is to hide
    reason_of(noisy)
    starts_of(noisy)
    for name in FFMPEG:
        cut(tmp_path / name, sounds / name, 0.7)
        starts_of(tmp_path / name) if name != "aac.m4a" and name != "alac.m4a" else reason_of(tmp_path / name)
    audio.encode_mp3(chirp(0.5, 22050), 22050)
    assert capfd.readouterr() == ("", "")
    with pytest.raises(soundfile.LibsndfileError):
        soundfile.read(noisy)
    assert "resync" in capfd.readouterr().err  # C's stderr is given back


def test_many_threads_read_at_once_and_in_silence(
    sounds: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    noisy = zeroed(tmp_path / "hole.mp3", sounds / "layer3.mp3")
    names = [name for name in ALL for _ in range(4)]
    want = {name: audio.read(sounds / name, 16000) for name in ALL}
    with ThreadPoolExecutor(8) as pool:
        bad = [pool.submit(starts_of, noisy) for _ in range(40)]
        for name, wave in zip(
            names, pool.map(lambda name: audio.read(sounds / name, 16000), names), strict=True
        ):
            np.testing.assert_array_equal(wave, want[name])
    assert len({tuple(one.result()) for one in bad}) == 1
    assert capfd.readouterr() == ("", "")


def pressing_ctrl_c(body: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """What becomes of a process that does `body` for ever when someone presses Ctrl-C again and again."""
    code = f"""
import os, signal, sys, threading
import numpy as np
from earmark import audio, decoding
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
caught = 0
def work():
    {body}
work()
for i in range(40):
    try:
        threading.Timer(0.004 + i / 7000, os.kill, (os.getpid(), signal.SIGINT)).start()
        for _ in range(3000):
            work()
        sys.exit("lost")
    except KeyboardInterrupt:
        caught += 1
print(caught)
"""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, timeout=100
    )


@pytest.mark.skipif(os.name == "nt", reason="no process can press Ctrl-C for itself alone")
@pytest.mark.parametrize(
    "body",
    [
        "audio.encode_mp3(np.sin(np.arange(66150, dtype=np.float32)), 22050)",
        "audio.read(sys.argv[1])",
        "audio.read(sys.argv[2])",
        "decoding._BY_DESCRIPTOR = False; audio.read(sys.argv[1])",
        "decoding._BY_DESCRIPTOR = False; audio.read(sys.argv[2])",
    ],
)
def test_ctrl_c_is_never_lost_in_a_callback(sounds: Path, body: str) -> None:
    done = pressing_ctrl_c(body, sounds / "flac.flac", sounds / "adts.aac")
    assert (done.returncode, done.stdout, done.stderr) == (0, "40\n", "")


def test_ctrl_c_is_held_while_ffmpeg_runs_python_within(
    sounds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = []

    def forgetful(self: decoding.FFmpegDecoder) -> object:
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        decoded.append(frame := next(self._frames, None))
        return frame

    monkeypatch.setattr(decoding.FFmpegDecoder, "_next_frame", forgetful)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            audio.read(sounds / "adts.aac")
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(decoded) == 1  # nor is it held for long: the file is not read to its end


@pytest.mark.parametrize("name", ALL)
def test_without_descriptors_as_on_windows_every_format_reads_the_same(
    sounds: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    want = audio.read(sounds / name), audio.read(sounds / name, start=1.5)
    monkeypatch.setattr(decoding, "_BY_DESCRIPTOR", False)
    np.testing.assert_array_equal(audio.read(sounds / name), want[0])
    np.testing.assert_array_equal(audio.read(sounds / name, start=1.5), want[1])


@pytest.mark.skipif(not hasattr(os, "pread"), reason="descriptors are not read here")
def test_a_disk_that_fails_on_the_way_is_no_end(sounds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "pread", fail)  # where FFmpeg stopped
    with pytest.raises(AudioError, match=r"breaks off before its end .*Input/output error"):
        audio.read(sounds / "adts.aac")


def test_a_damaged_file_that_sends_ffmpeg_far_beyond_its_end_prints_nothing(
    sounds: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = bytearray((sounds / "wma.wma").read_bytes())
    data[47] = 78  # the high byte of an object's size
    (tmp_path / "a.wma").write_bytes(data)
    assert reason_of(tmp_path / "a.wma") == "unreadable"
    assert capfd.readouterr() == ("", "")


def test_damage_of_every_kind_ends_in_a_reason_or_in_sound_and_in_silence(
    sounds: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    draw, path = np.random.default_rng(0), tmp_path / "damaged"
    for name in ALL * 6:
        data = np.frombuffer((sounds / name).read_bytes(), np.uint8).copy()
        reach = len(data) if draw.random() < 0.5 else 600
        where = draw.integers(0, reach, draw.choice([1, 3, 8]))
        data[where] = draw.integers(0, 256, len(where))
        path.write_bytes(data.tobytes())
        outcome(path)
    assert capfd.readouterr() == ("", "")


# Writing


@pytest.mark.parametrize("ending", ["wav", "flac", "WAV"])
def test_what_is_written_reads_back(tmp_path: Path, ending: str) -> None:
    path, wave = tmp_path / f"{'x' * 200}.{ending}", chirp(1, 22050)
    audio.write(path, np.append(wave, np.float32(3)), 22050)
    np.testing.assert_allclose(audio.read(path), np.append(wave, 1), atol=2**-15)
    assert soundfile.info(path).subtype == "PCM_16"
    assert list(tmp_path.iterdir()) == [path]


def test_writing_another_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot write '\.mp3'\. Choose a name that ends in \.wav or \.flac"):
        audio.write(tmp_path / "a.mp3", chirp(1, 8000), 8000)
    (tmp_path / "folder.wav").mkdir()
    with pytest.raises(UserError, match="cannot be written"):
        audio.write(tmp_path / "folder.wav", chirp(1, 8000), 8000)


@pytest.mark.parametrize(("rate", "becomes"), [(22050, 22050), (11127, 12000), (96000, 48000), (4000, 8000)])
def test_an_mp3_for_the_page_plays(tmp_path: Path, rate: int, becomes: int) -> None:
    (tmp_path / "a.mp3").write_bytes(audio.encode_mp3(chirp(1, rate), rate))
    info = audio.probe(tmp_path / "a.mp3")
    assert (info.format, info.sample_rate) == ("MP3", becomes)
    assert info.duration == pytest.approx(1, abs=0.1)


# Real recordings

DECODED_BY_FFMPEG = "(no libsndfile decoder)", "WMA", "Speex", "raw AAC (ADTS)"
SILENT_THOUGH_WHOLE = {"real/tinytag/riff_extra_zero.wav", "real/taglib/duplicate_tags.wav"}


def outcome(path: Path) -> str:
    """'ok', or the reason why `path` could not be read; what slides out of it must agree."""
    clips, slid = attempt(lambda: [wave for _, _, wave in audio.slide(path, 2.0, 1.0, 22050)])
    wave, found = attempt(lambda: audio.read(path, 22050))
    if clips is None:
        assert slid == found
        return found
    for clip in clips:
        assert isinstance(clip, AudioError) or np.isfinite(clip).all()
    reasons = [clip.reason for clip in clips if isinstance(clip, AudioError)]
    assert (found in reasons) if wave is None else np.isfinite(wave).all() and "truncated" not in reasons
    return found


def attempt(use: Callable[[], T]) -> tuple[T | None, str]:
    try:
        return use(), "ok"
    except AudioError as error:
        return None, error.reason


def test_broken_files_end_as_expected(
    real_data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with tarfile.open(real_data / "broken.tar") as archive:
        archive.extractall(tmp_path, filter="fully_trusted")  # links that lead nowhere are part of it
    (table,) = tmp_path.rglob("broken.csv")
    rows = list(csv.DictReader(table.read_text("utf-8").splitlines()))
    assert len(rows) > 150
    wrong = []
    for row in rows:
        name = row["path"].replace("\\n", "\n").replace("\\t", "\t").replace("\\xe9", "\udce9")
        if name == "content/one_hour_silence.flac":
            assert {wave.reason for _, _, wave in audio.slide(table.parent / name, 30, 30, 22050)} == {
                "silent"
            }
            continue
        found, expected = outcome(table.parent / name), row["expected"]
        if expected == "ok" and name not in SILENT_THOUGH_WHOLE and found != "ok":
            wrong.append((name, expected, found))
        if (
            expected in ("reject", "skip")
            and found == "ok"
            and not any(w in row["what"] for w in DECODED_BY_FFMPEG)
        ):
            wrong.append((name, expected, found))
    assert not wrong
    assert capfd.readouterr() == ("", "")


def test_long_files_are_as_long_as_their_list_says(real_data: Path) -> None:
    folder = real_data / "long_files"
    for row in csv.DictReader((folder / "metadata.csv").read_text("utf-8").splitlines()):
        path, seconds = folder / row["path"], float(row["seconds"])
        info = audio.probe(path)
        assert (info.sample_rate, info.channels, info.format) == (
            int(row["rate"]),
            int(row["channels"]),
            row["format"],
        )
        assert info.duration == pytest.approx(seconds, abs=0.1)
        last = 0.0
        for start, end, wave in audio.slide(path, 10.0, 5.0, 22050):
            assert start <= last
            last = end
            assert isinstance(wave, AudioError) or len(wave) <= 220500
        assert last == pytest.approx(seconds, abs=0.1)
        middle = audio.read(path, None, seconds / 2, seconds / 2 + 1)
        whole = audio.read(path)
        first = round(seconds / 2 * info.sample_rate)
        np.testing.assert_allclose(middle, whole[first : first + len(middle)], atol=1e-6)


def test_float32_is_written_as_it_is_and_only_to_wav(tmp_path: Path) -> None:
    wave = np.linspace(-3, 3, 4000, dtype=np.float32)
    audio.write(tmp_path / "loud.wav", wave, 400, float32=True)
    np.testing.assert_array_equal(audio.read(tmp_path / "loud.wav"), wave)
    with pytest.raises(UserError, match=r"cannot write '.flac'. Choose a name that ends in .wav"):
        audio.write(tmp_path / "loud.flac", wave, 400, float32=True)
    assert not (tmp_path / "loud.flac").exists()
