"""How much there is of what: clips, recordings, groups and time a class, split and group; which clips are alike."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from earmark import audio
from earmark.clips import KEY, format_seconds
from earmark.exploring.corpus import Corpus
from earmark.exploring.measuring import NUMBERS, Listening

UNLABELLED = "(no label)"


@dataclass(frozen=True)
class Count:
    """How much one class, split or group holds; of good clips but for `unusable`."""

    name: str
    clips: int
    recordings: int
    groups: int
    seconds: float
    unusable: int = 0
    splits: tuple[int, ...] = ()
    """Clips in each split, in the order of `Counts.split_names`."""


@dataclass(frozen=True)
class Counts:
    """How much there is of what."""

    whole: Count
    classes: tuple[Count, ...]
    """The commonest first; clips with several labels are in several."""
    splits: tuple[Count, ...]
    groups: tuple[Count, ...]
    """The largest first."""
    split_names: tuple[str, ...]


@dataclass(frozen=True)
class Twins:
    """Clips that are the same sound, sample by sample."""

    rows: tuple[int, ...]
    labels: tuple[str, ...]
    """The labels that they have; more than one is a contradiction."""
    splits: tuple[str, ...]
    """The splits that they are in; more than one leaks."""


def count(corpus: Corpus, heard: Listening) -> Counts:
    """Count the clips of a corpus by class, split and group."""
    good, seconds = heard.good(), np.nan_to_num(heard.column("duration"))
    split, group = corpus.table.column("split"), corpus.table.column("group")
    names = tuple(sorted(set(split) - {""}, key=_usual)) if split is not None else ()
    tally = _Tally(corpus, good, seconds, names)
    members = [(name, corpus.members[:, k]) for k, name in enumerate(corpus.classes)]
    nobody = corpus.first_class < 0
    if corpus.classes and nobody.any():
        members.append((UNLABELLED, nobody))
    return Counts(
        tally.of("all", np.ones(len(corpus), bool)),
        tuple(
            sorted((tally.of(name, rows) for name, rows in members), key=lambda one: (-one.clips, one.name))
        ),
        tuple(tally.of(name, split == name) for name in names),
        tuple(sorted(_by_cell(tally, group), key=lambda one: (-one.clips, one.name))),
        names,
    )


def twins(corpus: Corpus, heard: Listening) -> tuple[Twins, ...]:
    """Clips that share their sound, those with different labels or splits first."""
    rows: dict[str, list[int]] = {}
    for i, one in enumerate(heard.measures):
        if one.sound:
            rows.setdefault(one.sound, []).append(i)
    split = corpus.table.column("split")
    found = [
        Twins(
            tuple(same),
            tuple(sorted({corpus.labels[i] for i in same})),
            tuple(sorted({str(split[i]) for i in same})) if split is not None else (),
        )
        for same in rows.values()
        if len(same) > 1
    ]
    return tuple(
        sorted(found, key=lambda one: (-len(one.labels), -len(one.splits), -len(one.rows), one.rows))
    )


def warnings(corpus: Corpus, heard: Listening, counts: Counts, same: tuple[Twins, ...]) -> list[str]:
    """What to bear in mind before training, in words."""
    found = []
    rates = {one.sample_rate for one in heard.measures if not one.reason}
    if not corpus.classes:
        found.append("no clip is labelled: what depends on classes is left out")
    elif len(corpus.classes) == 1:
        found.append("there is one class alone: nothing can be told apart; add sounds of another")
    largest = [one.clips for one in counts.classes if one.name != UNLABELLED]
    if len(largest) > 1 and max(largest) > 10 * max(1, min(largest)):
        found.append(f"the classes are uneven: from {min(largest):,} to {max(largest):,} clips")
    contradicting = sum(len(one.labels) > 1 for one in same)
    if contradicting:
        found.append(f"{contradicting:,} of the sounds that occur more than once have different labels")
    across = sum(len(one.splits) > 1 for one in same)
    if across:
        found.append(f"{across:,} of the sounds that occur more than once are in different splits: they leak")
    if len(rates) > 1:
        words = ", ".join(f"{rate:,} Hz" for rate in sorted(rates)[:8])
        found.append(f"recordings have {len(rates)} sample rates ({words}): see whether they tell the label")
    clipped = float((heard.column("clipped") > 0.001).sum())
    if clipped > 0.05 * max(1, len(corpus)):
        found.append(
            f"{clipped:,.0f} clips have more than 0.1 % of their samples at full scale: they are clipped"
        )
    return found


def frame_of(counts: Iterable[Count], what: str, split_names: tuple[str, ...] = ()) -> pd.DataFrame:
    """Counts as a table, a row each."""
    rows = [
        [one.name, one.clips, one.recordings, one.groups, round(one.seconds, 3), one.unusable, *one.splits]
        for one in counts
    ]
    columns = [what, "clips", "recordings", "groups", "seconds", "unusable", *split_names]
    return pd.DataFrame([row[: len(columns)] for row in rows], columns=columns)


def frame_of_clips(corpus: Corpus, heard: Listening) -> pd.DataFrame:
    """Every clip with what was measured: a row each, in the order of the table."""
    key = corpus.table.frame[list(KEY)].copy()
    for name in KEY[1:]:
        key[name] = [format_seconds(value) for value in key[name]]
    measured = pd.DataFrame([vars(one) for one in heard.measures])
    return pd.concat([key.assign(label=corpus.labels), measured.round(6)], axis=1)


def frame_of_twins(corpus: Corpus, same: tuple[Twins, ...]) -> pd.DataFrame:
    """Clips that share their sound; those with the same number are alike."""
    split = corpus.table.column("split")
    rows = [
        [number, *place_of(corpus, i), corpus.labels[i], "" if split is None else split[i]]
        for number, one in enumerate(same, 1)
        for i in one.rows
    ]
    return pd.DataFrame(rows, columns=["sound", *KEY, "label", "split"])


def distributions(corpus: Corpus, heard: Listening) -> pd.DataFrame:
    """Quartiles of every measure by class: columns class, measure, clips, min, q1, median, q3, max."""
    rows = []
    good = heard.good()
    for name, chosen in by_class(corpus):
        for measure in NUMBERS:
            values = heard.column(measure)[chosen & good]
            if len(values):
                found = np.quantile(values, [0, 0.25, 0.5, 0.75, 1]).round(6).tolist()
                rows.append([name, measure, len(values), *found])
    return pd.DataFrame(rows, columns=["class", "measure", "clips", "min", "q1", "median", "q3", "max"])


def formats(corpus: Corpus, heard: Listening) -> pd.DataFrame:
    """Clips by class, sample rate, channels and format of the file."""
    rows = [
        [name, one.sample_rate, one.channels, one.format]
        for name, chosen in by_class(corpus)
        for i in np.flatnonzero(chosen & heard.good())
        for one in [heard.measures[i]]
    ]
    frame = pd.DataFrame(rows, columns=["class", "sample_rate", "channels", "format"])
    return frame.value_counts(sort=False).rename("clips").reset_index()


def by_class(corpus: Corpus) -> list[tuple[str, NDArray[np.bool_]]]:
    """Each class with its clips `[n]`, then those without a label."""
    found = [(name, corpus.members[:, k]) for k, name in enumerate(corpus.classes)]
    nobody = corpus.first_class < 0
    return [*found, (UNLABELLED, nobody)] if nobody.any() else found


def place_of(corpus: Corpus, row: int) -> tuple[str, str, str]:
    """File, start and end of a clip, as tables have them."""
    found = corpus.table.frame.iloc[row]
    return str(found["file"]), format_seconds(float(found["start"])), format_seconds(float(found["end"]))


def unusable(corpus: Corpus, heard: Listening) -> list[tuple[int, str]]:
    """Rows that could not be used, and why, in words."""
    return [(i, audio.REASONS[one.reason]) for i, one in enumerate(heard.measures) if one.reason]


class _Tally:
    """Counts the clips of a mask."""

    def __init__(
        self, corpus: Corpus, good: NDArray[np.bool_], seconds: NDArray[np.float64], names: tuple[str, ...]
    ) -> None:
        self._good, self._seconds, self._names = good, seconds, names
        self._files = corpus.table.frame["file"].to_numpy()
        self._units, self._split = corpus.units, corpus.table.column("split")

    def of(self, name: str, chosen: NDArray[np.bool_]) -> Count:
        """How much a mask of clips, `[n]`, holds."""
        return self.of_rows(name, np.flatnonzero(chosen))

    def of_rows(self, name: str, rows: NDArray[np.int64]) -> Count:
        """How much some rows hold."""
        used = rows[self._good[rows]]
        split = None if self._split is None else self._split[used]
        return Count(
            name,
            len(used),
            len(set(self._files[used])),
            len(set(self._units[used])),
            float(self._seconds[used].sum()),
            len(rows) - len(used),
            () if split is None else tuple(int((split == one).sum()) for one in self._names),
        )


def _by_cell(tally: _Tally, cells: NDArray[np.object_] | None) -> list[Count]:
    """A count for each value of a column of many."""
    if cells is None:
        return []
    codes, names = pd.factorize(cells)
    order = np.argsort(codes, kind="stable")
    rows = np.split(order, np.cumsum(np.bincount(codes))[:-1])
    return [tally.of_rows(str(name), row) for name, row in zip(names, rows, strict=True) if name != ""]


def _usual(name: str) -> tuple[int, str]:
    """Train before valid before test, then the others."""
    return {"train": 0, "valid": 1, "test": 2}.get(name.casefold(), 3), name
