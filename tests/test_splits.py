from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.model_selection import StratifiedGroupKFold

from earmark.clips import ClipTable, regrouped
from earmark.errors import UserError
from earmark.layouts import import_folder
from earmark.leakage import audit, check_classes
from earmark.splits import SplitSettings, assign, crosstab, other_groupings, trained_after_all, units
from earmark.stratify import divide
from rows import clips

SETTINGS = SplitSettings()


def songs(n_songs: int, n_clips: int, n_classes: int = 2) -> ClipTable:
    return clips(
        [f"c{i % n_classes}" for i in range(n_songs) for _ in range(n_clips)],
        group=[f"g{i}" for i in range(n_songs) for _ in range(n_clips)],
    )


def split_of(table: ClipTable) -> NDArray[np.object_]:
    found = table.column("split")
    assert found is not None
    return found


def shares(table: ClipTable) -> dict[str, float]:
    return {name: float(np.mean(split_of(table) == name)) for name in ("train", "valid", "test")}


# -- units --------------------------------------------------------------------------------------------------


def test_a_unit_is_a_recording_unless_a_column_says_more() -> None:
    assert units(clips("xxx", file=["a", "a", "b"])).tolist() == [
        "recording 'a'",
        "recording 'a'",
        "recording 'b'",
    ]
    assert units(clips("xxx", group=["g", "g", "h"])).tolist() == ["group 'g'", "group 'g'", "group 'h'"]


def test_units_are_linked_through_other_clips() -> None:
    table = clips("xxxx", group=["g", "g", "h", "k"], artist=["", "ann", "ann", "bob"])
    assert units(table).tolist() == ["group 'g'", "group 'g'", "artist 'ann'", "artist 'bob'"] or (
        len(set(units(table))) == 2
    )
    assert len(set(units(table)[:3])) == 1


def test_empty_cells_link_nothing() -> None:
    assert len(set(units(clips("xxx", group=["", "", "g"], artist=["", "", ""], fold=["", "", ""])))) == 3


def test_folds_are_units_only_on_request() -> None:
    table = clips("xxxx", fold=["1", "1", "2", "2"])
    assert len(set(units(table))) == 2
    assert len(set(units(table, fold=False))) == 4


@hypothesis_settings(max_examples=60)
@given(st.lists(st.tuples(*[st.sampled_from(["", *"abcdef"])] * 3), min_size=1, max_size=15))
def test_units_are_the_connected_components_of_what_is_shared(rows: list[tuple[str, str, str]]) -> None:
    file = [row[0] or f"own{i}" for i, row in enumerate(rows)]
    group, artist = [row[1] for row in rows], [row[2] for row in rows]
    found = units(clips(["x"] * len(rows), file=file, group=group, artist=artist))
    unit = list(range(len(rows)))
    for _ in rows:
        for i in range(len(rows)):
            for j in range(len(rows)):
                if (
                    file[i] == file[j]
                    or (group[i] and group[i] == group[j])
                    or (artist[i] and artist[i] == artist[j])
                ):
                    unit[i] = unit[j] = min(unit[i], unit[j])
    for i in range(len(rows)):
        for j in range(len(rows)):
            assert (found[i] == found[j]) == (unit[i] == unit[j])


# -- what is promised of every split ------------------------------------------------------------------------


@hypothesis_settings(max_examples=60)
@given(st.data())
def test_no_unit_is_ever_on_two_sides_and_every_clip_has_a_split(data: st.DataObject) -> None:
    n = data.draw(st.integers(6, 60))
    multi_label = data.draw(st.booleans())
    columns = {
        name: data.draw(st.lists(st.sampled_from(values), min_size=n, max_size=n))
        for name, values in (
            ("group", ["", *"abcdefghij"]),
            ("artist", ["", *"uvwxyz"]),
            ("fold", ["", *"1234"]),
        )
        if data.draw(st.booleans())
    }
    if multi_label:
        for name in ("dog", "rain", "wind"):
            marks = st.lists(st.sampled_from(["0", "1", ""]), min_size=n - 2, max_size=n - 2)
            columns[name] = ["1", "0", *data.draw(marks)]
    label = None if multi_label else data.draw(st.lists(st.sampled_from("xyz"), min_size=n, max_size=n))
    table = clips(label, file=[f"{i}" for i in range(n)], **columns)
    seed = data.draw(st.integers(0, 5))
    try:
        done = assign(table, SplitSettings(seed=seed))
    except UserError:
        return
    assert set(split_of(done)) == {"train", "valid", "test"}
    audit(done)
    by_unit = pd.Series(split_of(done)).groupby(units(table, fold=False)).nunique()
    assert by_unit.max() == 1
    assert split_of(assign(table, SplitSettings(seed=seed))).tolist() == split_of(done).tolist()


@hypothesis_settings(max_examples=40)
@given(
    st.integers(60, 150),
    st.integers(1, 4),
    st.integers(2, 5),
    st.sampled_from([0.1, 0.2, 0.3, 0.5]),
    st.integers(0, 3),
)
def test_fractions_come_out_near_what_was_asked_in_every_class(
    n_songs: int, n_clips: int, n_classes: int, fraction: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    group = [f"g{i}" for i in range(n_songs) for _ in range(rng.integers(1, n_clips + 1))]
    label = [f"c{int(g[1:]) % n_classes}" for g in group]
    done = assign(clips(label, group=group), SplitSettings(fraction, 0.25, seed))
    counts = crosstab(done)
    assert shares(done)["test"] == pytest.approx(fraction, abs=0.06)
    assert shares(done)["valid"] == pytest.approx(0.25 * (1 - fraction), abs=0.06)
    assert (counts["test"] / counts.sum(axis=1)).to_numpy() == pytest.approx(fraction, abs=0.12)


def test_the_seed_changes_the_split_and_nothing_else_does() -> None:
    table = songs(40, 3)
    first = split_of(assign(table, SETTINGS))
    assert (split_of(assign(table, SETTINGS)) == first).all()
    assert (split_of(assign(table, SplitSettings(seed=1))) != first).any()
    assert len({tuple(split_of(assign(table, SplitSettings(seed=s)))) for s in range(8)}) == 8


def test_every_group_is_tested_on_by_some_seed() -> None:
    rng = np.random.default_rng(0)
    group = [f"g{i}" for i in range(8) for _ in range(rng.integers(8, 14))]
    table = clips(["xy"[i % 2] for i in range(len(group))], group=group)
    tested = {
        g
        for seed in range(60)
        for g in np.array(group)[split_of(assign(table, SplitSettings(seed=seed))) == "test"]
    }
    assert tested == set(group)


def test_small_classes_are_on_every_side() -> None:
    table = clips(["rare"] * 3 + ["common"] * 200)
    for seed in range(10):
        assert crosstab(assign(table, SplitSettings(seed=seed))).loc["rare"].tolist() == [1, 1, 1]


def test_splits_are_spread_as_evenly_as_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    ours, theirs = [], []
    for seed in range(12):
        group = np.repeat(np.arange(60), rng.integers(1, 30, 60))
        target = rng.integers(0, 4, 60)[group] if seed % 2 else rng.integers(0, 4, len(group))
        kfold = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
        test = next(iter(kfold.split(target, target, group)))[1]
        theirs.append(_unevenness(target, np.isin(np.arange(len(target)), test)))
        counts = np.zeros((60, 5), np.int64)
        np.add.at(counts, (group, target), 1)
        counts[:, -1] = counts.sum(axis=1)
        ours.append(_unevenness(target, divide(csr_array(counts), 0.2, np.random.default_rng(seed))[group]))
    assert np.mean(ours) <= np.mean(theirs) * 1.05


def _unevenness(target: NDArray[np.int64], chosen: NDArray[np.bool_]) -> float:
    return float(np.mean([abs(np.mean(chosen[target == k]) - 0.2) for k in range(4)]))


def test_rare_labels_of_many_are_on_every_side() -> None:
    rng = np.random.default_rng(0)
    columns = {"common": ["01"[int(x)] for x in rng.random(300) < 0.5]}
    columns["rare"] = ["1" if i < 10 else "0" for i in range(300)]
    columns["unknown"] = ["1" if i > 280 else "" for i in range(300)]
    counts = crosstab(assign(clips(**columns), SETTINGS))
    assert counts.loc["rare"].tolist() == pytest.approx([6, 2, 2], abs=1)
    assert counts.loc["unknown"].min() >= 2


# -- folds and groups that are asked for --------------------------------------------------------------------


def folded(n_folds: int = 5) -> ClipTable:
    return clips(
        [f"c{i % 3}" for i in range(n_folds * 12)], fold=[f"{i // 12 + 1}" for i in range(n_folds * 12)]
    )


def test_folds_stay_whole_where_there_are_three() -> None:
    done = assign(folded(), SETTINGS)
    assert pd.Series(split_of(done)).groupby(done.column("fold")).nunique().max() == 1
    assert crosstab(done).loc["c0"].tolist() == [12, 4, 4]


def test_two_folds_are_too_few_to_stay_whole() -> None:
    done = assign(folded(2), SETTINGS)
    assert set(split_of(done)) == {"train", "valid", "test"}
    assert pd.Series(split_of(done)).groupby(done.column("fold")).nunique().max() > 1


def test_a_fold_is_tested_on_and_a_fifth_of_the_other_groups_validates() -> None:
    done = assign(folded(), SplitSettings(test_fold="3"))
    fold, split = done.column("fold"), split_of(done)
    assert set(fold[split == "test"]) == {"3"}
    assert set(split[fold == "3"]) == {"test"}
    assert set(fold[split == "valid"]) <= {"1", "2", "4", "5"}
    assert crosstab(done).loc["c0"].tolist() == [13, 3, 4]
    two = assign(folded(2), SplitSettings(test_fold="1"))
    assert set(two.column("fold")[split_of(two) == "valid"]) == {"2"}
    assert crosstab(two).loc["c0"].tolist() == [3, 1, 4]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (SplitSettings(test_fold="9"), "found '9', the table's folds are '1', '2', '3', '4', '5'"),
        (SplitSettings(test_fold=""), "found ''"),
        (SplitSettings(test_group="g1"), "found 'g1', but the table has no column 'group'; it has 'file'"),
        (SplitSettings(test_fold="1", test_group="g1"), "wanted one of them"),
    ],
)  # fmt: skip
def test_what_cannot_be_tested_on_is_refused(settings: SplitSettings, words: str) -> None:
    with pytest.raises(UserError, match=words):
        assign(folded(), settings)


def test_a_group_across_folds_is_refused_by_the_audit() -> None:
    table = folded().with_column("group", ["roamer" if i in (0, 59) else f"g{i}" for i in range(60)])
    done = assign(table, SplitSettings(test_fold="5"))
    with pytest.raises(UserError, match=r"group 'roamer' is in .* \('0000.wav'\) and in test \('0059.wav'\)"):
        audit(done)


def test_a_group_is_tested_on_and_a_fifth_of_the_others_validates() -> None:
    table = clips([f"c{i % 2}" for i in range(110)], group=[f"g{i // 10}" for i in range(110)])
    done = assign(table, SplitSettings(test_group="g4"))
    group, split = done.column("group"), split_of(done)
    assert set(group[split == "test"]) == {"g4"}
    assert len(set(group[split == "valid"])) == 2
    with pytest.raises(UserError, match=r"found 'g44', the table's groups are 'g0', 'g1'.*Did you mean 'g4'"):
        assign(table, SplitSettings(test_group="g44"))


def test_the_whole_unit_of_a_group_is_tested_on() -> None:
    label, group, artist = "xyxyxyxy", "aabbccdd", ["u", "u", "u", "u", "v", "v", "w", "w"]
    done = assign(clips(label, group=group, artist=artist), SplitSettings(test_group="a"))
    assert set(done.column("group")[split_of(done) == "test"]) == {"a", "b"}


# -- a split that is given ----------------------------------------------------------------------------------


def test_a_given_split_is_obeyed_in_other_words_too() -> None:
    given = ["Train", "training", "val", "dev", " TEST", "testing"]
    done = assign(clips("xyxyxy", split=given), SETTINGS)
    assert split_of(done).tolist() == ["train", "train", "valid", "valid", "test", "test"]


def test_a_fifth_of_the_training_groups_validates_where_none_is_given() -> None:
    table = songs(50, 2).with_column("split", ["test" if i < 20 else "train" for i in range(100)])
    done = assign(table, SETTINGS)
    assert (split_of(done)[:20] == "test").all()
    assert crosstab(done).sum().tolist() == [64, 16, 20]
    audit(done)


@pytest.mark.parametrize(
    ("split", "words"),
    [
        (["train", "test", "eval"], "'0002.wav': found 'eval', wanted train, valid or test"),
        (["train", "test", ""], "'0002.wav': found ''"),
        (["train", "valid", "train"], "no clip says 'test'; found 'train', 'valid'"),
        (["test", "valid", "test"], "no clip says 'train'"),
    ],
)
def test_a_given_split_that_is_none_is_refused(split: list[str], words: str) -> None:
    with pytest.raises(UserError, match=f"column 'split'.*{words}"):
        assign(clips("xxx", split=split), SETTINGS)


@pytest.mark.parametrize("settings", [SplitSettings(test_fold="1"), SplitSettings(test_group="g")])
def test_a_given_split_and_a_wish_for_another_contradict(settings: SplitSettings) -> None:
    with pytest.raises(UserError, match="the table has a column 'split', which is obeyed"):
        assign(clips("xy", split=["train", "test"], fold=["1", "2"], group=["g", "h"]), settings)


# -- too little to divide -----------------------------------------------------------------------------------


def test_a_class_with_one_group_is_refused_with_what_else_to_group_by() -> None:
    label = ["cello"] * 12 + ["tuba"] * 12
    table = clips(label, group=label, pitch=[str(i % 4) for i in range(24)], take=[str(i) for i in range(24)])
    assert other_groupings(table) == ["pitch"]
    words = "class 'cello': all its clips belong to group 'cello'.*with 'tuba'.*--group pitch.*not new ones"
    with pytest.raises(UserError, match=words):
        assign(table, SETTINGS)
    audit(assign(regrouped(table, "pitch"), SETTINGS))


def test_a_class_with_one_recording_is_refused() -> None:
    with pytest.raises(UserError, match=r"class 'y': all its clips belong to recording 'b'"):
        assign(clips("xxxxyy", file=["a", "c", "d", "e", "b", "b"]), SETTINGS)


def test_two_groups_cannot_fill_three_splits() -> None:
    table = clips("xyxyxy", group="aaabbb")
    with pytest.raises(
        UserError, match=r"train, valid, test need whole recordings.*only 2 to divide: group 'a', group 'b'"
    ):
        assign(table, SETTINGS)
    with pytest.raises(UserError, match=r"train, valid need whole recordings.*only 1 to divide: group 'b'"):
        assign(table, SplitSettings(test_group="a"))


def test_two_recordings_a_class_leave_nothing_to_validate_on() -> None:
    with pytest.raises(UserError, match=r"train, valid need .*three of each class"):
        assign(clips("xxyy"), SETTINGS)


def test_three_recordings_a_class_are_one_a_split() -> None:
    assert crosstab(assign(clips("xxxyyy"), SETTINGS)).to_numpy().tolist() == [[1, 1, 1]] * 2


# -- classes ------------------------------------------------------------------------------------------------


def test_the_crosstab_counts_clips() -> None:
    counts = crosstab(clips("xyyx", split=["train", "train", "test", "valid"]))
    assert counts.to_dict("index") == {
        "x": {"train": 1, "valid": 1, "test": 0},
        "y": {"train": 1, "valid": 0, "test": 1},
    }
    many = crosstab(clips(dog=["1", "1", "0"], rain=["", "1", "0"], split=["train", "test", "test"]))
    assert many.to_numpy().tolist() == [[1, 0, 1], [0, 0, 1]]


# -- real recordings ----------------------------------------------------------------------------------------


def real(folder: Path, group: str | None = None) -> ClipTable:
    return import_folder(folder, "metadata", group).table


@pytest.mark.parametrize(
    ("name", "group"), [("esc10", None), ("fsdd", None), ("drums_cc0", None), ("instruments_cc0", "pitch")]
)
def test_real_corpora_are_split_without_leak(real_data: Path, name: str, group: str | None) -> None:
    table = real(real_data / name, group)
    for seed in range(3):
        done = assign(table, SplitSettings(seed=seed))
        audit(done)
        assert check_classes(done) == []
        assert shares(done)["test"] == pytest.approx(0.2, abs=0.14)


def test_esc10_is_tested_on_its_first_fold(real_data: Path) -> None:
    done = assign(real(real_data / "esc10"), SplitSettings(test_fold="1"))
    audit(done)
    assert crosstab(done)["test"].tolist() == [8] * 10
    assert set(done.column("fold")[split_of(done) == "test"]) == {"1"}


def test_fsdd_is_tested_on_one_speaker(real_data: Path) -> None:
    done = assign(real(real_data / "fsdd"), SplitSettings(test_group="jackson"))
    audit(done)
    assert crosstab(done).to_numpy().tolist() == [[26, 13, 13]] * 10


def test_one_player_a_class_is_said(real_data: Path) -> None:
    table = real(real_data / "instruments_cc0")
    words = "all its clips belong to group 'weresax'.*--group pitch"
    with pytest.raises(UserError, match=words):
        assign(table, SETTINGS)


def test_without_a_share_for_validation_all_other_clips_train() -> None:
    table = clips(["a", "b"] * 10)
    for protocol in ("grouped", "segments"):
        split = assign(table, SplitSettings(valid_fraction=0, protocol=protocol)).frame["split"]
        assert set(split) == {"train", "test"}


def test_without_a_share_for_validation_given_clips_train_too_but_for_relatives_of_the_test() -> None:
    given = clips("xyxyxy", group="aabbcd", split=["training", "train", "val", "valid", "test", "test"])
    none = SplitSettings(valid_fraction=0)
    done = assign(given, none)
    assert split_of(done).tolist() == ["train"] * 4 + ["test"] * 2
    assert trained_after_all(given, done).tolist() == [False, False, True, True, False, False]
    assert split_of(assign(done, none)).tolist() == split_of(done).tolist()

    related = given.with_column("artist", ["", "", "", "z", "z", ""])  # the group b is of whom d tests
    done = assign(related, none)
    assert split_of(done).tolist() == ["train", "train", "valid", "valid", "test", "test"]
    assert not trained_after_all(related, done).any()

    by_segment = assign(related, SplitSettings(valid_fraction=0, protocol="segments"))
    assert split_of(by_segment).tolist() == ["train"] * 4 + ["test"] * 2
    assert not trained_after_all(clips("xyxyxy"), by_segment).any()
