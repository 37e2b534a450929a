from __future__ import annotations

import pytest

from earmark.clips import ClipTable, regrouped
from earmark.errors import UserError
from earmark.leakage import audit, check_classes, check_grouping
from earmark.splits import SplitSettings, assign
from rows import clips

# -- nothing on two sides -----------------------------------------------------------------------------------


@pytest.mark.parametrize("column", ["group", "artist"])
def test_a_planted_leak_is_named_with_a_file_from_each_side(column: str) -> None:
    table = clips("xyxyxy", split=["train"] * 3 + ["test"] * 3).with_column(
        column, ["a", "b", "c", "d", "b", ""]
    )
    with pytest.raises(
        UserError, match=rf"{column} 'b' is in train \('0001.wav'\) and in test \('0004.wav'\)\. "
    ):
        audit(table)


def test_a_recording_on_two_sides_is_named_with_its_times() -> None:
    table = clips("xyxy", file=["a", "b", "a", "c"], split=["train", "train", "valid", "test"])
    with pytest.raises(UserError, match=r"recording 'a' is in train \('a'\) and in valid \('a' from 2 s\)"):
        audit(table)


def test_the_same_sound_on_two_sides_is_named() -> None:
    table = clips("xyxy", split=["train", "train", "test", "test"])
    with pytest.raises(
        UserError, match=r"the same sound is in train \('0000.wav'\) and in test \('0003.wav'\)"
    ):
        audit(table, ["h1", None, "", "h1"])
    with pytest.raises(UserError, match="there are 1 more such cases"):
        audit(table, ["h1", "h2", "h2", "h1"])
    audit(table, ["h1", "h1", "h2", None])


def test_empty_cells_do_not_leak() -> None:
    audit(
        clips(
            "xyxy", group=["", "", "", ""], artist=["", "a", "", ""], split=["train", "train", "test", "test"]
        )
    )


# -- classes and groups -------------------------------------------------------------------------------------


def test_a_class_that_a_split_lacks_is_an_error_or_a_warning() -> None:
    def table(*splits: str) -> ClipTable:
        return clips("xxxyyy", split=splits)

    with pytest.raises(
        UserError, match="split 'train': it has no clip of class 'y', so that it cannot be learnt"
    ):
        check_classes(table("train", "valid", "test", "valid", "valid", "test"))
    with pytest.raises(
        UserError, match="split 'test': it has no clip of class 'x', 'y', so that they cannot be tested"
    ):
        check_classes(table(*["train", "valid", "train"] * 2))
    assert check_classes(table(*["train", "valid", "test"] * 2)) == []
    (warning,) = check_classes(table("train", "valid", "test", "train", "train", "test"))
    assert warning == (
        "split 'valid' has no clip of class 'y': what is found on validation clips says nothing of it"
    )


def test_groups_that_were_set_aside_are_not_forgotten() -> None:
    before = clips(
        ["a"] * 12 + ["b"] * 12, group=["p1"] * 12 + ["p2"] * 12, pitch=[str(i % 6) for i in range(24)]
    )
    after = assign(regrouped(before, "pitch"), SplitSettings())
    (warning,) = check_grouping(after)
    assert "'p1', 'p2'" in warning and "not new ones" in warning
    assert (
        check_grouping(assign(before.with_column("group", [str(i) for i in range(24)]), SplitSettings()))
        == []
    )
