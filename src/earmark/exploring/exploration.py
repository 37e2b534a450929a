"""A clip table -> what is in it: measured, counted, ranked, mapped; then a folder of page, pictures and tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from earmark.describing import Described, describe_sounds
from earmark.errors import UserError
from earmark.exploring import counting, folder, mapping, ranking
from earmark.exploring.corpus import Corpus, read_corpus
from earmark.exploring.embedding import embed
from earmark.exploring.examples import Example, examples
from earmark.exploring.measuring import Listening, measure
from earmark.exploring.memo import Memo
from earmark.report import percent
from earmark.run import open_run
from earmark.tables import counted

Say = Callable[[str], None]


RATE = 22050
"""Rate in Hz at which clips are described."""


@dataclass(frozen=True)
class Options:
    """How to explore."""

    root: Path | None = None
    """Folder that the table's files are relative to; none: as imported."""
    run: Path | None = None
    """A run whose embeddings lay the map out; none: statistics of the sound do."""
    seed: int = 0
    """Of folds, random columns, the map and which clips can be played."""
    sound_bytes: int = 40_000_000
    """Most bytes of the page that the short sounds of the map take."""
    progress: bool = False
    """Show bars with the time left."""
    command: str = ""
    """What was typed, to stand on the page."""
    say: Say = field(default=lambda text: None)
    """Takes a line for the person who waits."""


@dataclass(frozen=True, eq=False)
class Exploration:
    """What is known of a corpus."""

    name: str
    """What was explored, in a word."""
    corpus: Corpus
    heard: Listening
    counts: counting.Counts
    twins: tuple[counting.Twins, ...]
    notes: tuple[str, ...]
    described: Described
    """What the map was laid out by."""
    ranking: ranking.Ranking
    map: mapping.Map
    examples: tuple[Example, ...]
    options: Options

    @property
    def n_unusable(self) -> int:
        """Clips that could not be used."""
        return int((~self.heard.good()).sum())


def explore(path: Path, out: Path, options: Options | None = None) -> Exploration:
    """Explore a clip table and write the folder `out`: page, pictures and tables.

    Args:
        path: the table.
        out: a new folder, or one that an earlier exploration made.
        options: how.

    Raises:
        UserError: no such table or run, a fault in the table, a folder that holds something else.
    """
    options = options or Options()
    folder.check_folder(out)
    if options.run is not None:
        open_run(options.run)  # before anything is read
    corpus = read_corpus(path, options.root)
    found = look(corpus, options, path.stem)
    folder.write_folder(out, found)
    return found


def look(corpus: Corpus, options: Options, name: str) -> Exploration:
    """All that is to be found, nothing written but the cache."""
    memo, say, progress = Memo(), options.say, options.progress
    say(f"listening to {counted(len(corpus), 'clip')}")
    heard = measure(corpus.table, memo, progress)
    if not heard.good().any():
        _refuse_nothing(corpus, heard)
    say("describing their sound")
    statistics = describe_sounds(corpus.table, RATE, progress=progress)
    described = statistics if options.run is None else embed(corpus.table, options.run, progress)
    counts, same = counting.count(corpus, heard), counting.twins(corpus, heard)
    good = np.flatnonzero(heard.good())
    say("asking what tells the label")
    columns = _columns(corpus, heard, statistics, good)
    ranked = ranking.rank_once(memo, corpus.take(good), columns, options.seed, progress)
    say("laying out the map")
    laid_out = mapping.lay_out(described, memo, options.seed)
    say("drawing a clip of each class")
    shown = tuple(examples(corpus, heard, statistics, memo, progress))
    notes = [*counting.warnings(corpus, heard, counts, same), *_shortcuts(ranked)]
    return Exploration(
        name, corpus, heard, counts, same, tuple(notes), described, ranked, laid_out, shown, options
    )  # fmt: skip


def describe(found: Exploration, out: Path) -> str:
    """What an exploration came to, for a terminal."""
    whole = found.counts.whole
    lines = [
        f"{counted(whole.clips, 'clip')} of {counted(whole.recordings, 'recording')}, "
        f"{whole.seconds / 60:.1f} minutes, {len(found.corpus.classes)} classes"
    ]
    width = max((len(one.name) for one in found.counts.classes), default=0)
    for one in found.counts.classes:
        lines.append(f"  {one.name.ljust(width)}  {one.clips:>6} clips  {one.seconds / 60:>8.1f} min")
    if found.n_unusable:
        lines.append(f"{counted(found.n_unusable, 'clip')} cannot be used: see {out}/tables/unusable.csv")
    if found.twins:
        words = "1 sound occurs" if len(found.twins) == 1 else f"{len(found.twins)} sounds occur"
        lines.append(f"{words} more than once: see {out}/tables/duplicates.csv")
    ranked = found.ranking
    if ranked.ranks:
        luck = f"guessing: {percent(ranked.chance)}, luckiest of random columns: {percent(ranked.luck)}"
        lines.append(f"what tells the label best, alone, in groups held out ({luck}):")
        lines += [f"  {one.name}  {percent(one.score)}" for one in ranked.ranks[:5]]
    lines += [f"note: {note}" for note in found.notes]
    return "\n".join([*lines, f"the page: {out / folder.PAGE}"])


def _columns(
    corpus: Corpus, heard: Listening, statistics: Described, good: np.ndarray
) -> list[ranking.Column]:
    """Everything that may tell the label of the clips that could be used."""
    measures = [heard.measures[i] for i in good]
    columns = ranking.metadata_columns(corpus.take(good))
    columns.append(ranking.Column("format", "file", np.array([one.format for one in measures])))
    for name in ("sample_rate", "channels"):
        columns.append(ranking.Column(name, "file", np.array([str(getattr(one, name)) for one in measures])))
    columns.append(ranking.Column("duration", "file", heard.column("duration")[good]))
    for name in ("peak_db", "rms_db", "clipped", "silent", "dc"):
        columns.append(ranking.Column(name, "level", heard.column(name)[good]))
    for k, name in enumerate(statistics.names):
        columns.append(ranking.Column(name, "sound", statistics.values[good, k]))
    return [column for column in columns if len(np.unique(column.values)) > 1]


def _shortcuts(found: ranking.Ranking) -> list[str]:
    """Columns that say nothing of the sound and yet tell the label better than any luck."""
    return [
        f"{one.name} (a property of the file) alone tells the label of {percent(one.score)} of held-out clips"
        f" (guessing: {percent(found.chance)}): a network may learn it instead of the sound"
        for one in found.ranks
        if one.kind == "file" and one.score > found.luck + 0.05
    ]


def _refuse_nothing(corpus: Corpus, heard: Listening) -> None:
    """An error that counts the reasons where no clip could be used."""
    from earmark import audio

    reasons = [one.reason for one in heard.measures]
    why = ", ".join(f"{reasons.count(reason)} x {audio.REASONS[reason]}" for reason in sorted(set(reasons)))
    raise UserError(
        corpus.table.root, f"none of {len(corpus)} clips can be used: {why}", "Check the root of the table."
    )
