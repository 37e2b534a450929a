"""The made instruments: pitch, partials, peak, seeds; the corpus and the songs as they stand on disk."""

from __future__ import annotations

import csv
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from earmark import synthesis
from earmark.errors import UserError
from earmark.synthesis import (
    KINDS,
    SAMPLE_RATE,
    make_corpus,
    make_guest,
    make_player,
    make_song,
    make_songs,
    play,
    record,
)


@pytest.fixture(scope="module")
def small_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two players a kind, three notes a player."""
    folder = tmp_path_factory.mktemp("corpus") / "notes"
    make_corpus(folder, seed=3, players=2, pitches=3)
    return folder


@pytest.fixture(scope="module")
def song_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("songs")
    make_songs(folder, seed=3, songs=2)
    return folder


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def spectrum(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies (Hz) and magnitudes, finely spaced."""
    n_fft = 1 << 18
    windowed = x * np.hanning(len(x))
    return np.fft.rfftfreq(n_fft, 1 / SAMPLE_RATE), np.abs(np.fft.rfft(windowed, n_fft))


def peak_near(x: np.ndarray, frequency: float, semitones: float = 1.5) -> float:
    """Frequency of the strongest partial within some semitones of `frequency`."""
    f, magnitude = spectrum(x)
    near = np.abs(12 * np.log2(np.maximum(f, 1) / frequency)) < semitones
    return float(f[near][np.argmax(magnitude[near])])


def level_at(x: np.ndarray, frequency: float) -> float:
    """Strength of the partial within a third of a semitone of `frequency`."""
    f, magnitude = spectrum(x)
    return float(magnitude[np.abs(12 * np.log2(np.maximum(f, 1) / frequency)) < 1 / 3].max())


# ---- one note ----


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pitch", [50, 69, 76])
def test_a_note_sounds_at_its_pitch(kind: str, pitch: int) -> None:
    expected = 440 * 2 ** ((pitch - 69) / 12)
    for index in range(4):
        note = play(make_player(kind, index), pitch, 2.0, np.random.default_rng(index))
        cents = 1200 * np.log2(peak_near(note, expected) / expected)
        # A sine that swings by some cents spends most of its time at the two ends of its swing.
        assert abs(cents) < 20 + make_player(kind, index).traits.vibrato


def test_a_string_is_in_tune_to_a_few_cents_although_its_delay_line_is_whole_samples() -> None:
    for pitch in range(45, 74):
        expected = 440 * 2 ** ((pitch - 69) / 12)
        note = play(make_player("plucked", 0), pitch, 2.0, np.random.default_rng(pitch))
        assert abs(1200 * np.log2(peak_near(note, expected) / expected)) < 5, pitch


def test_the_reed_has_weak_even_harmonics_and_the_brass_has_not() -> None:
    def even_over_odd(kind: str) -> float:
        ratios = []
        for index in range(8):
            note = play(make_player(kind, index), 57, 2.0, np.random.default_rng(index))
            ratios.append(level_at(note, 2 * 220) / level_at(note, 3 * 220))
        return float(np.median(ratios))

    assert even_over_odd("reed") < 0.6 < 1.2 < even_over_odd("brass")


def test_the_bar_has_its_second_partial_between_those_of_a_free_and_a_tuned_bar() -> None:
    player = make_player("mallet", 0)
    even = player.traits.even
    note = play(player, 60, 2.0, np.random.default_rng(0))
    f0 = 440 * 2 ** (-9 / 12)
    assert peak_near(note, 3.3 * f0, semitones=4) / f0 == pytest.approx(2.756 + (4 - 2.756) * even, rel=0.01)


@pytest.mark.parametrize("kind", ["plucked", "mallet"])
def test_struck_and_plucked_notes_die_away_and_sustained_ones_last(kind: str) -> None:
    def late_over_early(kind: str) -> float:
        note = play(make_player(kind, 0), 60, 2.0, np.random.default_rng(0))
        part = SAMPLE_RATE // 2
        return float(np.std(note[2 * part : 3 * part]) / np.std(note[:part]))

    assert late_over_early(kind) < 0.4 < late_over_early("flute")


def test_the_high_harmonics_of_the_brass_come_after_the_low_ones() -> None:
    player = make_player("brass", 1)
    rise = round(player.traits.attack * SAMPLE_RATE)
    note = play(player, 57, 2.0, np.random.default_rng(1))

    def early_over_late(harmonic: int) -> float:
        early, late = note[: rise // 2], note[2 * rise : 2 * rise + rise // 2]
        return level_at(early, 220 * harmonic) / level_at(late, 220 * harmonic)

    assert early_over_late(8) < 0.7 * early_over_late(1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_note_is_finite_float32_of_its_length_with_peak_one_and_ends_softly(kind: str) -> None:
    for index in range(3):
        note = play(make_player(kind, index), 64, 0.4, np.random.default_rng(index))
        assert note.dtype == np.float32
        assert note.shape == (round(0.4 * SAMPLE_RATE),)
        assert np.abs(note).max() == pytest.approx(1.0)
        assert np.abs(note[-5:]).max() < 0.01


# ---- player and room ----


def test_a_player_is_the_same_every_time_and_differs_from_all_others() -> None:
    assert make_player("reed", 2, seed=5).traits == make_player("reed", 2, seed=5).traits
    np.testing.assert_array_equal(make_player("reed", 2, seed=5).room, make_player("reed", 2, seed=5).room)
    others = [make_player("reed", 3, 5), make_player("reed", 2, 6), make_player("brass", 2, 5)]
    assert all(other.traits != make_player("reed", 2, 5).traits for other in others)


@pytest.mark.parametrize("kind", KINDS)
def test_traits_lie_within_the_ranges_of_their_kind(kind: str) -> None:
    for index in range(20):
        for name, value in vars(make_player(kind, index).traits).items():
            assert getattr(KINDS[kind].low, name) <= value <= getattr(KINDS[kind].high, name), name


def test_a_recording_keeps_its_onset_its_length_and_room_below_full_scale() -> None:
    click = np.zeros(SAMPLE_RATE, np.float32)
    click[1000] = 1.0
    for index in range(10):
        player = make_player("mallet", index)
        heard = record(player, click, np.random.default_rng(index))
        assert heard.dtype == np.float32
        assert heard.shape == click.shape
        assert np.abs(heard).max() < 0.9
        assert int(np.argmax(np.abs(heard))) == 1000


def test_even_the_loudest_player_does_not_clip() -> None:
    loud = replace(make_player("reed", 0), level_db=6.0)
    heard = record(loud, play(loud, 60, 1.0, np.random.default_rng(0)), np.random.default_rng(0))
    assert 0.85 < np.abs(heard).max() < 0.9


def test_background_noise_is_as_far_below_the_note_as_the_player_says() -> None:
    player = make_player("bowed", 1)
    tone = np.sin(2 * np.pi * 440 * np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE).astype(np.float32)
    heard = record(player, tone, np.random.default_rng(0))
    settled = heard[SAMPLE_RATE:]
    f = np.fft.rfftfreq(len(settled), 1 / SAMPLE_RATE)
    power = np.abs(np.fft.rfft(settled * np.hanning(len(settled)))) ** 2
    near = np.abs(f - 440) < 4
    assert 10 * np.log10(power[near].sum() / power[~near].sum()) == pytest.approx(player.snr_db, abs=1.5)


def test_coloured_noise_falls_as_its_gain_says() -> None:
    noise = synthesis._noise(1 << 17, lambda f: 1 / np.maximum(f, 40), np.random.default_rng(0))
    f, power = np.fft.rfftfreq(len(noise), 1 / SAMPLE_RATE), np.abs(np.fft.rfft(noise)) ** 2
    low, high = (power[(f > edge) & (f < 1.2 * edge)].mean() for edge in (500, 4000))
    assert 10 * np.log10(low / high) == pytest.approx(20 * np.log10(8), abs=0.5)


def test_convolution_is_that_of_numpy() -> None:
    rng = np.random.default_rng(0)
    x, h = rng.standard_normal(424).astype(np.float32), rng.standard_normal(90).astype(np.float32)
    np.testing.assert_allclose(synthesis._convolve(x, h), np.convolve(x, h), atol=1e-4)


# ---- the corpus ----


def test_the_corpus_has_a_row_a_note_and_a_file_a_row(small_corpus: Path) -> None:
    rows = rows_of(small_corpus / "metadata.csv")
    files = {
        p.relative_to(small_corpus).as_posix()
        for p in small_corpus.rglob("*")
        if p.suffix in (".wav", ".flac")
    }
    assert list(rows[0]) == ["path", "label", "group", "pitch"]
    assert {row["path"] for row in rows} == files
    assert len(rows) == len(files) == 6 * 2 * 3
    assert {row["label"] for row in rows} == set(KINDS)
    assert len({row["group"] for row in rows}) == 6 * 2
    assert {p.suffix for p in small_corpus.rglob("*_*")} == {".wav", ".flac"}


def test_a_group_has_one_label_and_no_pitch_twice(small_corpus: Path) -> None:
    rows = rows_of(small_corpus / "metadata.csv")
    assert len({(row["group"], row["label"]) for row in rows}) == len({row["group"] for row in rows})
    assert len({(row["group"], row["pitch"]) for row in rows}) == len(rows)


def test_notes_are_one_and_a_half_to_two_and_a_half_seconds_without_clipping(small_corpus: Path) -> None:
    for row in rows_of(small_corpus / "metadata.csv"):
        x, rate = soundfile.read(small_corpus / row["path"], dtype="float32")
        assert rate == SAMPLE_RATE
        assert x.ndim == 1
        assert 1.5 <= len(x) / rate <= 2.5
        assert 0.02 < np.abs(x).max() < 0.9


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(
    small_corpus: Path, tmp_path: Path
) -> None:
    make_corpus(tmp_path / "again", seed=3, players=2, pitches=3)
    make_corpus(tmp_path / "other", seed=4, players=2, pitches=3)
    metadata = "metadata.csv"
    assert (tmp_path / "again" / metadata).read_bytes() == (small_corpus / metadata).read_bytes()
    for row in rows_of(small_corpus / metadata):
        assert (tmp_path / "again" / row["path"]).read_bytes() == (small_corpus / row["path"]).read_bytes()
    sounds = {(small_corpus / row["path"]).read_bytes() for row in rows_of(small_corpus / metadata)}
    others = {
        (tmp_path / "other" / row["path"]).read_bytes() for row in rows_of(tmp_path / "other" / metadata)
    }
    assert not sounds & others


def test_more_players_leave_the_first_ones_as_they_were(small_corpus: Path, tmp_path: Path) -> None:
    make_corpus(tmp_path / "more", seed=3, players=3, pitches=3)
    for row in rows_of(small_corpus / "metadata.csv"):
        assert (tmp_path / "more" / row["path"]).read_bytes() == (small_corpus / row["path"]).read_bytes()


# ---- the songs ----


def test_a_song_has_a_timeline_that_covers_it_without_gaps(song_folder: Path) -> None:
    for number in (1, 2):
        rows = rows_of(song_folder / f"song_{number}.csv")
        seconds = soundfile.info(song_folder / f"song_{number}.flac").duration
        starts, ends = ([float(row[name]) for row in rows] for name in ("start", "end"))
        assert list(rows[0]) == ["start", "end", "label"]
        assert starts == [0.0, *ends[:-1]]
        assert ends[-1] == pytest.approx(seconds, abs=1e-6)
        assert 30 <= seconds <= 40


def test_a_song_has_every_kind_none_twice_in_a_row_and_phrases_of_three_to_six_seconds() -> None:
    for number in range(6):
        waveform, timeline = make_song(number, seed=1)
        labels = [label for _, _, label in timeline]
        assert set(labels) == set(KINDS)
        assert all(a != b for a, b in pairwise(labels))
        assert all(2.999 <= end - start <= 6.001 for start, end, _ in timeline)
        assert waveform.dtype == np.float32
        assert np.abs(waveform).max() < 0.9


def test_another_number_or_seed_gives_another_song_and_the_same_the_same() -> None:
    song, timeline = make_song(1, seed=1)
    np.testing.assert_array_equal(song, make_song(1, seed=1)[0])
    assert timeline != make_song(2, seed=1)[1]
    assert timeline != make_song(1, seed=2)[1]


def test_songs_are_played_by_strangers_to_the_corpus_and_to_each_other() -> None:
    corpus = {make_player(kind, index).traits for kind in KINDS for index in range(16)}
    guests = [make_guest(kind, number).traits for kind in KINDS for number in (1, 2, 3)]
    assert len(set(guests)) == len(guests)
    assert not corpus & set(guests)


def test_tunes_stay_within_the_compass_and_on_the_scale_and_come_home() -> None:
    for seed in range(50):
        tune = synthesis._tune(np.random.default_rng(seed))
        intervals = [interval for interval, _ in tune]
        assert all(0 <= interval <= 18 for interval in intervals)
        assert {(interval - 6) % 12 for interval in intervals} <= {0, 2, 4, 5, 7, 9, 11}
        assert intervals[0] == intervals[-1] == 6
        assert 2.999 <= sum(seconds for _, seconds in tune) <= 6.001


# ---- bad input ----


def test_a_folder_that_holds_something_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious", encoding="utf-8")
    for make in (make_corpus, make_songs):
        with pytest.raises(UserError, match=r"is not empty.*Choose another name"):
            make(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match=r"notes: cannot be written"):
        make_corpus(tmp_path / "notes")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"players": 0}, "players: 0 is not from 1 to 1000"),
        ({"pitches": 20}, "pitches: 20 is not from 1 to 19"),
        ({"seed": -1}, "seed: -1 is not from 0"),
    ],
)
def test_numbers_out_of_range_are_refused_before_anything_is_written(
    settings: dict[str, int], words: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=words):
        make_corpus(tmp_path / "notes", **settings)
    assert not (tmp_path / "notes").exists()


def test_no_songs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="songs: 0 is not from 1"):
        make_songs(tmp_path / "songs", songs=0)
