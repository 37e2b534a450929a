"""What is found in a corpus: levels and counts by hand, duplicates, an honest ranking, a map, a folder that is ours."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from earmark.cli import main
from earmark.clips import ClipTable, clips_from, write_clips
from earmark.describing import Described
from earmark.errors import UserError
from earmark.exploring import Options, counting, explore, mapping, ranking
from earmark.exploring.corpus import Corpus, read_corpus
from earmark.exploring.measuring import Measures, levels, loudest, measure
from earmark.exploring.memo import Memo, key_of
from earmark.layouts import import_folder
from earmark.tables import TextTable

RATE = 8000


def corpus_of(root: Path, **columns: list[str]) -> Corpus:
    """A corpus of text columns; `file` is made up where it is not given."""
    n = len(next(iter(columns.values())))
    columns.setdefault("file", [f"{i}.wav" for i in range(n)])
    text = TextTable(pd.DataFrame(columns, dtype=object), "test")
    return Corpus(clips_from(text, root))


def csv(folder: Path, *lines: str) -> Path:
    """A table as a person writes it."""
    (folder / "clips.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "clips.csv"


# ---- levels ----


def test_levels_of_a_sine_are_those_of_the_textbook() -> None:
    wave = np.sin(2 * np.pi * 100 * np.arange(RATE) / RATE).astype(np.float32)
    found = levels(0.5 * wave, RATE)
    assert found["peak_db"] == pytest.approx(-6.02, abs=0.01)
    assert found["rms_db"] == pytest.approx(-6.02 - 3.01, abs=0.01)
    assert found["dc"] == pytest.approx(0, abs=1e-6)
    assert (found["clipped"], found["silent"]) == (0, 0)


def test_clipping_silence_and_offset_are_shares() -> None:
    wave = np.zeros(1000, np.float32)
    wave[:250] = 1.0
    found = levels(wave, 1000)
    assert found["clipped"] == 0.25
    assert found["dc"] == 0.25
    assert found["silent"] == pytest.approx(37 / 50), "12.5 of 50 frames have sound"


def test_frames_below_minus_sixty_decibels_are_silent() -> None:
    assert levels(np.full(400, 10 ** (-61 / 20), np.float32), RATE)["silent"] == 1
    assert levels(np.full(400, 10 ** (-59 / 20), np.float32), RATE)["silent"] == 0


def test_the_loudest_stretch_is_where_the_sound_is() -> None:
    wave = np.zeros(1000, np.float32)
    wave[600:650] = 0.5
    found = loudest(wave, 100, 1.0)
    assert len(found) == 100
    assert (found != 0).sum() == 50
    assert loudest(wave, 100, 20.0) is wave


def test_what_was_measured_is_not_read_again(table: ClipTable, monkeypatch: pytest.MonkeyPatch) -> None:
    first = measure(table, Memo())
    monkeypatch.setattr("earmark.audio.read_spans", None)
    again = measure(table, Memo())
    assert again.measures == first.measures
    assert again.snippets([0]) == first.snippets([0])
    assert first.snippets([0])[0][:2] in (b"ID", b"\xff\xfb", b"\xff\xf3", b"\xff\xe3")


def test_a_file_that_changed_is_read_again(table: ClipTable) -> None:
    before = measure(table, Memo()).measures
    soundfile.write(table.paths()[3], np.full(RATE, 0.25), RATE)
    after = measure(table, Memo()).measures
    assert after[3].peak_db == pytest.approx(-12.04, abs=0.01)
    assert [i for i in range(len(table)) if after[i] != before[i]] == [3]


def test_excerpts_of_one_file_are_measured_each(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.repeat([0.1, 0.5, 0.25], RATE), RATE)
    table = read_corpus(
        csv(tmp_path, "file,start,end,label", "a.wav,2,3,x", "a.wav,0,1,x", "a.wav,1,2,y")
    ).table
    found = measure(table, Memo()).column("peak_db")
    np.testing.assert_allclose(found, 20 * np.log10([0.25, 0.1, 0.5]), atol=0.01)


def test_files_that_cannot_be_used_have_their_reason(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "good.wav", np.full(RATE, 0.1), RATE)
    soundfile.write(tmp_path / "silent.wav", np.zeros(RATE), RATE)
    (tmp_path / "empty.wav").write_bytes(b"")
    path = csv(tmp_path, "file,label", "good.wav,a", "silent.wav,a", "empty.wav,b", "gone.wav,b")
    corpus = read_corpus(path)
    heard = measure(corpus.table, Memo())
    assert [one.reason for one in heard.measures] == ["", "silent", "empty", "missing"]
    soundfile.write(tmp_path / "gone.wav", np.full(RATE, 0.1), RATE)
    assert measure(corpus.table, Memo()).measures[3].reason == "", "it has come back"
    assert counting.unusable(corpus, heard)[0] == (1, "nothing but digital silence")


# ---- the table ----


def test_a_table_is_read_whatever_is_labelled_in_it(tmp_path: Path) -> None:
    full = read_corpus(csv(tmp_path, "file,label", "a.wav,x", "b.wav,y"))
    assert (full.classes, full.labels) == (("x", "y"), ["x", "y"])
    part = read_corpus(csv(tmp_path, "file,label", "a.wav,x", "b.wav,"))
    assert (part.classes, part.labels, part.first_class.tolist()) == (("x",), ["x", ""], [0, -1])
    none = read_corpus(csv(tmp_path, "file,place", "a.wav,here", "b.wav,there"))
    assert (none.classes, none.labels, none.metadata) == ((), ["", ""], ["place"])
    many = read_corpus(csv(tmp_path, "file,sax,piano", "a.wav,1,1", "b.wav,0,", "c.wav,0,1"))
    assert (many.classes, many.labels) == (("sax", "piano"), ["sax + piano", "", "piano"])


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["file,label"], "has a header .* but no rows"),
        ([""], "is empty, wanted a header"),
        (["file,label", "a.wav,x", "a.wav,y"], "is in the table already"),
        (["file,sax,piano", *(f"{i}.wav,1,0" for i in range(20)), "z.wav,x,0"], "neither 0, 1 nor empty"),
    ],
)
def test_a_faulty_table_is_refused_in_words(tmp_path: Path, lines: list[str], words: str) -> None:
    with pytest.raises(UserError, match=words):
        read_corpus(csv(tmp_path, *lines))


def test_a_folder_and_a_wrong_path_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match="this is a folder, wanted a clip table. Make one of it: earmark import"
    ):
        read_corpus(tmp_path)
    with pytest.raises(UserError, match="cannot be read: No such file"):
        read_corpus(tmp_path / "none.csv")


# ---- counts ----


def heard_as(**columns: list[object]) -> object:
    """Measures that were not measured, for counting."""
    from earmark.exploring.measuring import Listening

    n = len(next(iter(columns.values())))
    rows = [Measures(**{name: values[i] for name, values in columns.items()}) for i in range(n)]  # type: ignore[arg-type]
    return Listening(rows, [""] * n, Memo())


def test_clips_recordings_groups_and_seconds_are_counted(tmp_path: Path) -> None:
    corpus = corpus_of(
        tmp_path,
        file=["a", "a", "b", "c", "d"],
        start=["0", "1", "0", "0", "0"],
        label=["x", "x", "x", "y", "y"],
        group=["g", "g", "g", "h", "h"],
        split=["train", "train", "train", "test", "test"],
    )
    heard = heard_as(duration=[1.0, 2.0, 3.0, 4.0, np.nan], reason=["", "", "", "", "silent"])
    counts = counting.count(corpus, heard)  # type: ignore[arg-type]
    x, y = counts.classes
    assert (x.name, x.clips, x.recordings, x.groups, x.seconds, x.splits) == ("x", 3, 2, 1, 6.0, (3, 0))
    assert (y.clips, y.unusable, y.seconds, y.splits) == (1, 1, 4.0, (0, 1))
    assert [(one.name, one.clips) for one in counts.groups] == [("g", 3), ("h", 1)]
    assert counts.split_names == ("train", "test")
    frame = counting.frame_of(counts.classes, "class", counts.split_names)
    assert frame.to_dict("list")["seconds"] == [6.0, 4.0]
    assert list(counting.frame_of(counts.groups, "group")) == [
        "group", "clips", "recordings", "groups", "seconds", "unusable",
    ]  # fmt: skip


def test_the_same_sound_is_found_and_contradictions_come_first(tmp_path: Path) -> None:
    corpus = corpus_of(
        tmp_path, label=["x", "x", "y", "x", "x"], split=["train", "train", "train", "test", "train"]
    )
    heard = heard_as(sound=["one", "one", "two", "two", ""], sample_rate=[8000] * 5)
    same = counting.twins(corpus, heard)  # type: ignore[arg-type]
    assert [one.rows for one in same] == [(2, 3), (0, 1)]
    assert (same[0].labels, same[0].splits) == (("x", "y"), ("test", "train"))
    notes = " ".join(counting.warnings(corpus, heard, counting.count(corpus, heard), same))  # type: ignore[arg-type]
    assert "1 of the sounds that occur more than once have different labels" in notes
    assert "are in different splits: they leak" in notes


def test_copies_are_found_by_their_sound_and_not_by_their_name(
    tmp_path: Path, tone: Callable[..., np.ndarray]
) -> None:
    wave = (32767 * tone(seconds=0.5, noise=0.01)).astype(np.int16)
    soundfile.write(tmp_path / "a.wav", wave, 22050)
    soundfile.write(tmp_path / "b.flac", wave, 22050)
    soundfile.write(tmp_path / "c.wav", wave[::-1], 22050)
    corpus = read_corpus(csv(tmp_path, "file,label", "a.wav,x", "b.flac,y", "c.wav,x"))
    same = counting.twins(corpus, measure(corpus.table, Memo()))
    assert [one.rows for one in same] == [(0, 1)]


def test_quartiles_are_numpys(table: ClipTable) -> None:
    corpus, heard = Corpus(table), measure(table, Memo())
    frame = counting.distributions(corpus, heard).set_index(["class", "measure"])
    low = heard.column("rms_db")[corpus.members[:, corpus.classes.index("low")]]
    row = frame.loc[("low", "rms_db")]
    found = row[["min", "q1", "median", "q3", "max"]].astype(float)
    np.testing.assert_allclose(found, np.quantile(low, [0, 0.25, 0.5, 0.75, 1]), atol=1e-5)


# ---- ranking ----


def grouped(tmp_path: Path, n: int = 240, n_groups: int = 40, **more: list[str]) -> Corpus:
    """Clips of three classes in groups of one class each."""
    group = np.arange(n) % n_groups
    return corpus_of(tmp_path, label=[f"c{g % 3}" for g in group], group=[f"g{g}" for g in group], **more)


def number(corpus: Corpus, values: np.ndarray, name: str = "x") -> ranking.Column:
    return ranking.Column(name, "sound", values.astype(np.float64))


def test_a_column_that_says_the_label_is_best_and_noise_is_at_chance(tmp_path: Path) -> None:
    corpus, rng = grouped(tmp_path), np.random.default_rng(0)
    columns = [
        number(corpus, rng.standard_normal(len(corpus)), "noise"),
        number(corpus, corpus.first_class + 0.1 * rng.standard_normal(len(corpus)), "telling"),
        ranking.Column("word", "metadata", np.array(corpus.labels)),
    ]
    found = ranking.rank(corpus, columns)
    scores = {one.name: one.score for one in found.ranks}
    assert scores["telling"] > 0.99
    assert scores["word"] == 1
    assert scores["noise"] < 0.45
    assert found.chance == pytest.approx(1 / 3)
    assert found.ranks[-1].name == "noise"
    assert found.chance < found.luck < 0.7
    assert (found.n_clips, found.n_groups, found.n_classes) == (240, 40, 3)


def test_what_only_tells_the_group_tells_nothing_of_other_groups(tmp_path: Path) -> None:
    corpus, rng = grouped(tmp_path), np.random.default_rng(1)
    groups = pd.factorize(corpus.units)[0]
    columns = [
        number(corpus, rng.permutation(40)[groups], "number of the group"),
        ranking.Column("name of the group", "metadata", np.array([f"n{g}" for g in groups])),
    ]
    found = ranking.rank(corpus, columns)
    by_name = {one.name: one for one in found.ranks}
    assert by_name["number of the group"].score < 0.55, "a random split would reach 1"
    assert by_name["name of the group"].score == pytest.approx(1 / 3)
    assert by_name["name of the group"].unseen == 1


def test_the_order_of_a_table_does_not_tell_the_label(tmp_path: Path) -> None:
    """Names that occur once, sorted by class as imported tables are, must stay at chance together too."""
    labels = sorted(f"c{i % 3}" for i in range(240))
    corpus = corpus_of(tmp_path, label=labels, group=[f"g{i // 4}" for i in range(240)])
    columns = [ranking.Column("name", "metadata", np.array([f"file {i}" for i in range(240)]))]
    found = ranking.rank(corpus, columns)
    assert found.together[0].score < 0.5
    assert found.ranks[0].score == pytest.approx(1 / 3)


def test_groups_are_whole_in_the_folds_and_classes_in_most(tmp_path: Path) -> None:
    corpus = grouped(tmp_path)
    folds = ranking._folds(corpus, np.random.default_rng(0))
    assert pd.DataFrame({"unit": corpus.units, "fold": folds}).groupby("unit")["fold"].nunique().max() == 1
    assert sorted(set(folds)) == list(range(ranking.N_FOLDS))
    assert all(set(corpus.first_class[folds == k]) == {0, 1, 2} for k in range(ranking.N_FOLDS))


def test_balanced_accuracy_is_scikit_learns() -> None:
    from sklearn.metrics import balanced_accuracy_score

    rng = np.random.default_rng(0)
    targets, predicted = rng.integers(0, 4, 200), rng.integers(0, 4, 200)
    wanted = balanced_accuracy_score(targets, predicted)
    assert ranking.balanced_accuracy(targets, predicted) == pytest.approx(wanted)


def test_labels_that_go_together_are_asked_one_by_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    sax = rng.integers(0, 2, 200)
    corpus = corpus_of(tmp_path, sax=[str(x) for x in sax], piano=[["0", "1", ""][i % 3] for i in range(200)])
    found = ranking.rank(corpus, [number(corpus, sax + 0.01 * rng.standard_normal(200))])
    assert found.chance == 0.5
    assert found.ranks[0].score == pytest.approx(0.75, abs=0.08), "all of sax, nothing of piano"
    assert ranking.rank_once(Memo(), corpus, []).n_classes == 2


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"label": ["x"] * 4}, "there is one class alone"),
        ({"label": ["x", "x", "y", "y"], "group": ["g", "g", "h", "h"]}, "fewer than two classes"),
    ],
)
def test_what_cannot_be_held_out_is_not_ranked(
    tmp_path: Path, columns: dict[str, list[str]], words: str
) -> None:
    corpus = corpus_of(tmp_path, **columns)
    found = ranking.rank(corpus, [number(corpus, np.arange(len(corpus)))])
    assert words in found.why_not
    assert found.ranks == ()


def test_a_large_corpus_is_drawn_from_evenly() -> None:
    targets = np.array([0] * 9000 + [1] * 50 + [-1] * 10)
    rows = ranking._drawn(targets, np.random.default_rng(0))
    assert len(rows) == ranking.MOST_CLIPS
    assert (targets[rows] == 1).sum() == 50
    assert (targets[rows] >= 0).all()


def test_what_was_ranked_is_kept_until_something_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = grouped(tmp_path, 60, 20)
    columns = [number(corpus, np.arange(60))]
    first = ranking.rank_once(Memo(), corpus, columns)
    monkeypatch.setattr(ranking, "rank", lambda *args: pytest.fail("ranked again"))
    assert ranking.rank_once(Memo(), corpus, columns) == first
    with pytest.raises(pytest.fail.Exception):
        ranking.rank_once(Memo(), corpus, [number(corpus, np.arange(60)[::-1].copy())])


def test_columns_of_numbers_and_of_words_are_told_apart(tmp_path: Path) -> None:
    corpus = corpus_of(
        tmp_path, label=["x"] * 20, pitch=[str(i) for i in range(19)] + [""], take=["1", "2"] * 10,
        same=["one"] * 20, name=[f"n{i}" for i in range(20)],
    )  # fmt: skip
    found = {column.name: column.values.dtype.kind for column in ranking.metadata_columns(corpus)}
    assert found == {"pitch": "f", "take": "U", "name": "U"}


# ---- the map ----


def described(values: np.ndarray) -> Described:
    return Described(tuple(f"x{i}" for i in range(values.shape[1])), values, "numbers")


def test_clips_that_are_alike_lie_together() -> None:
    rng = np.random.default_rng(0)
    centres = np.repeat(np.eye(3) * 20, 20, axis=0)
    found = mapping.lay_out(described(centres + rng.standard_normal((60, 3))), Memo())
    assert "t-SNE" in found.method
    from sklearn.neighbors import NearestNeighbors

    near = NearestNeighbors(n_neighbors=2).fit(found.places).kneighbors(found.places)[1][:, 1]
    assert (near // 20 == np.arange(60) // 20).mean() > 0.95
    assert np.abs(found.places).max() <= 1 + 1e-9


def test_few_and_many_clips_are_laid_out_by_principal_components(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((8, 4))
    few = mapping.lay_out(described(values), Memo())
    assert "principal components" in few.method
    monkeypatch.setattr(mapping, "MOST_TSNE", 20)
    assert "principal components" in mapping.lay_out(described(rng.standard_normal((30, 4))), Memo()).method
    scaled = (values - values.mean(axis=0)) / values.std(axis=0)
    left, strength, _ = np.linalg.svd(scaled)
    own = np.abs(np.corrcoef(few.places[:, 0], left[:, 0] * strength[0])[0, 1])
    assert own == pytest.approx(1)


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_hardly_any_clips_have_places_too(n: int) -> None:
    values = np.arange(n, dtype=float)[:, None] * np.ones((1, 3))
    found = mapping.lay_out(described(np.concatenate([values, np.full((1, 3), np.nan)])), Memo())
    assert found.places.shape == (n, 2)
    assert np.isfinite(found.places).all()


# ---- the memo ----


def test_nothing_is_kept_of_what_was_broken_off() -> None:
    memo = Memo()

    def broken() -> bytes:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        memo.once("a", broken)
    assert memo.once("a", lambda: b"1") == b"1"
    assert memo.once("a", broken) == b"1"


def test_keys_tell_parts_apart() -> None:
    assert key_of("ab", "c") != key_of("a", "bc")
    assert key_of("a") == key_of("a")


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be kept here"):
        Memo(tmp_path / "file").find(["a"])


# ---- the folder and the command ----


@pytest.fixture(scope="module")
def explored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with sounds of three classes, one copy and one broken file, and what `explore` made of it."""
    folder = tmp_path_factory.mktemp("explored")
    rng = np.random.default_rng(0)
    for label, hertz in (("low", 300.0), ("high", 2500.0)):
        (folder / "sounds" / label).mkdir(parents=True)
        for i in range(8):
            wave = 0.3 * np.sin(2 * np.pi * hertz * (1 + i / 50) * np.arange(RATE) / RATE)
            soundfile.write(
                folder / "sounds" / label / f"{i}.wav", wave + 0.01 * rng.standard_normal(RATE), RATE
            )
    shutil.copy(folder / "sounds" / "low" / "3.wav", folder / "sounds" / "high" / "copy.wav")
    table = import_folder(folder / "sounds").table
    (folder / "sounds" / "low" / "5.wav").write_bytes(b"")
    write_clips(table, folder / "clips.csv")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EARMARK_CACHE", str(folder / "cache"))
        assert main(["explore", str(folder / "clips.csv"), "-o", str(folder / "out"), "--sound-mb", "1"]) == 3
    return folder


def test_the_folder_holds_page_pictures_and_tables(explored: Path) -> None:
    out = explored / "out"
    assert sorted(p.name for p in out.iterdir()) == ["explore.html", "pictures", "tables"]
    assert sorted(p.stem for p in (out / "tables").iterdir()) == [
        "classes", "clips", "distributions", "duplicates", "formats", "groups", "map", "ranking", "splits", "unusable",
    ]  # fmt: skip
    names = {p.name for p in (out / "pictures").iterdir()}
    views = ("waveform", "spectrum", "stft", "logmel", "mfcc")
    stems = [f"{label}-{view}" for label in ("01-high", "02-low") for view in views]
    stems += ["counts", "distributions", "ranking", "map"]
    assert names == {f"{stem}.{form}" for stem in stems for form in ("png", "svg")}


def test_the_tables_say_what_is_there(explored: Path) -> None:
    def table(name: str) -> pd.DataFrame:
        return pd.read_csv(explored / "out" / "tables" / f"{name}.csv", keep_default_na=False)

    assert table("unusable")[["file", "reason"]].to_numpy().tolist() == [["low/5.wav", "empty"]]
    assert set(table("duplicates")["file"]) == {"high/copy.wav", "low/3.wav"}
    assert dict(zip(table("classes")["class"], table("classes")["clips"], strict=True)) == {
        "high": 9,
        "low": 7,
    }
    assert len(table("clips")) == 17
    assert len(table("map")) == 16
    assert table("formats")["clips"].sum() == 16
    best = table("ranking").iloc[4]
    assert best["balanced_accuracy"] > 0.8
    assert best["chance"] == 0.5


def test_a_second_call_takes_the_place_of_the_first(
    explored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    shutil.copytree(explored / "out", out)
    (out / "pictures" / "03-gone-mfcc.png").write_bytes(b"")
    (out / "my notes.txt").write_text("mine")
    shutil.copytree(explored / "cache", tmp_path / "cache")
    assert main(["explore", str(explored / "clips.csv"), "-o", str(out)]) == 3
    assert sorted(p.name for p in out.iterdir()) == ["explore.html", "my notes.txt", "pictures", "tables"]
    assert not (out / "pictures" / "03-gone-mfcc.png").exists()
    said = capsys.readouterr().out
    assert "16 clips of 16 recordings" in said
    assert "1 clip cannot be used" in said
    assert "1 sound occurs more than once" in said


@pytest.mark.parametrize("what", ["a file", "other things", "another page"])
def test_a_folder_of_somebody_else_is_left_alone(explored: Path, tmp_path: Path, what: str) -> None:
    out = tmp_path / "out"
    if what == "a file":
        out.write_text("mine")
    else:
        out.mkdir()
        (out / ("explore.html" if what == "another page" else "thesis.txt")).write_text("<html>mine")
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    with pytest.raises(UserError, match="wanted a folder|something else|not a file that earmark wrote"):
        explore(explored / "clips.csv", out)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("at", ["measure", "rank_once", "render"])
def test_ctrl_c_leaves_nothing_half_written(
    explored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    def interrupted(*args: object, **named: object) -> None:
        raise KeyboardInterrupt

    place = {"measure": "exploration.measure", "rank_once": "ranking.rank_once", "render": "folder.render"}[
        at
    ]
    shutil.copytree(explored / "cache", tmp_path / "cache")
    shutil.copytree(explored / "out", tmp_path / "old")
    before = (tmp_path / "old" / "explore.html").stat().st_mtime_ns
    monkeypatch.setattr(f"earmark.exploring.{place}", interrupted)
    for out in (tmp_path / "new", tmp_path / "old"):
        assert main(["explore", str(explored / "clips.csv"), "-o", str(out)]) == 130
    assert not (tmp_path / "new").exists()
    assert (tmp_path / "old" / "explore.html").stat().st_mtime_ns == before
    assert len(list((tmp_path / "old").iterdir())) == 3


def test_a_table_without_a_usable_clip_is_refused_with_the_reasons(tmp_path: Path) -> None:
    path = csv(tmp_path, "file,label", "a.wav,x", "b.wav,y")
    with pytest.raises(UserError, match="none of 2 clips can be used: 2 x there is no such file"):
        explore(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("header", "cells"), [("file", ""), ("file,label", ",x"), ("file,loud,long", ",1,0"), ("file,label", ",")]
)
def test_tables_with_no_or_one_or_many_labels_are_explored(tmp_path: Path, header: str, cells: str) -> None:
    for i in range(3):
        soundfile.write(tmp_path / f"{i}.wav", 0.1 * np.random.default_rng(i).standard_normal(4000), RATE)
    path = csv(tmp_path, header, *(f"{i}.wav{cells}" for i in range(3)))
    found = explore(path, tmp_path / "out")
    assert found.ranking.why_not
    assert len(found.examples) == 1
    assert "Not measured" in (tmp_path / "out" / "explore.html").read_text("utf-8")


def test_a_run_lays_the_map_out(trained: Path, tmp_path: Path) -> None:
    from earmark.exploring.embedding import embed
    from earmark.run import open_run

    table = open_run(trained).clips()
    found = embed(table, trained)
    assert found.values.shape == (len(table), open_run(trained).model().head.in_features)
    assert np.isfinite(found.values).all()
    high = np.array([label == "high" for label in table.column("label")])  # type: ignore[union-attr]
    apart = np.linalg.norm(found.values[high].mean(axis=0) - found.values[~high].mean(axis=0))
    assert apart > found.values[high].std(axis=0).max()
    with pytest.raises(UserError, match="no such run"):
        embed(table, tmp_path / "none")


def test_options_have_the_defaults_of_the_command() -> None:
    from earmark.cli import build_parser

    args = build_parser().parse_args(["explore", "clips.csv"])
    assert (args.seed, args.sound_mb * 1e6) == (Options().seed, Options().sound_bytes)
    with pytest.raises(SystemExit):
        build_parser().parse_args(["explore", "clips.csv", "--sound-mb", "-1"])


def test_real_recordings_are_told_apart_by_their_sound_and_not_by_their_files(
    real_data: Path, tmp_path: Path
) -> None:
    table = import_folder(real_data / "esc10").table
    corpus = Corpus(table)
    heard = measure(table, Memo())
    assert heard.good().all()
    found = ranking.rank(corpus, [*ranking.metadata_columns(corpus), number(corpus, heard.column("silent"))])
    scores = {one.name: one.score for one in found.ranks}
    assert scores["x"] > 0.2 > found.chance
    assert scores["source"] == pytest.approx(0.1)
