"""A folder of trainings that are each done once: what is finished is kept, what was broken off goes on."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from earmark import settings, training
from earmark.clips import ClipTable
from earmark.errors import UserError
from earmark.evaluation import Extent, evaluate
from earmark.files import replacing
from earmark.recipe import Recipe
from earmark.run import Run
from earmark.training import Options, Say

BUSY = "another program works on this experiment"
MARK = "experiment.toml"
"""The file that says what an experiment's folder is, and what it was begun with."""


@dataclass(frozen=True)
class Trial:
    """One training of an experiment."""

    name: str
    """Of its run's folder."""
    table: ClipTable
    recipe: Recipe
    fold: str = ""
    """What it is tested on, in a cross-validation."""


@dataclass(frozen=True)
class Outcome:
    """What became of a trial."""

    trial: Trial
    run: Run | None
    """Trained and evaluated; none where it failed."""
    reason: str = ""
    """Why it failed."""

    @property
    def seconds(self) -> float | None:
        """Time that the epochs took."""
        return None if self.run is None else float(self.run.history()["seconds"].sum())


def begin(folder: Path, kind: str, facts: dict[str, str]) -> None:
    """Make an experiment's folder, or go on with one that was begun with the same.

    Args:
        folder: the place.
        kind: `sweep` or `cv`.
        facts: what must not change while the experiment goes on: a fingerprint by name.

    Raises:
        UserError: something else is there, or it was begun with something else.
    """
    mark = folder / MARK
    if mark.is_file():
        found = settings.read_toml(mark)
        changed = [name for name, value in {"kind": kind, **facts}.items() if found.get(name) != value]
        if changed:
            raise UserError(
                folder,
                f"it was begun with another {' and another '.join(changed)}",
                "Choose another -o, or repeat the command that it was begun with.",
            )
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(folder, "this holds something else than an experiment", "Choose another -o.")
    with replacing(mark) as file:
        file.write(settings.write_toml({"kind": kind, **facts}))


def fingerprint(table: ClipTable) -> str:
    """A hash of a table's cells: another one means other clips."""
    text = table.frame.to_csv(index=False, float_format="%.6f")
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


def carry_out(
    trials: Iterable[Trial | Outcome],
    n_trials: int,
    folder: Path,
    options: Options,
    say: Say,
    told: Callable[[Run], str],
    figures_only: bool = False,
) -> Iterator[Outcome]:
    """Train and evaluate each trial unless that is done; a trial that fails stops no other.

    Args:
        trials: in their order, each asked for when the outcome of the one before has been yielded; an outcome
            stands for a trial that cannot be.
        n_trials: how many there are.
        folder: runs go into `runs/` there.
        options: device, threads and the like.
        say: takes a line for the person who waits: which trial, what came of it, and how long the rest may take.
        told: what to say of a run.
        figures_only: write each one's figures, and no report.
    """
    started, done = time.perf_counter(), 0
    for i, trial in enumerate(trials, start=1):
        place = f"[{i} of {n_trials}]"
        if isinstance(trial, Outcome):
            say(f"{place} {trial.trial.name}: failed: {trial.reason}")
            yield trial
            continue
        run = Run(folder / "runs" / trial.name)
        fresh = not (run.is_trained and _is_evaluated(run))
        if fresh:
            say(f"{place} {trial.name} ...")
        outcome = _carry_out_one(trial, run, options, figures_only)
        done += fresh
        said = f"failed: {outcome.reason}" if outcome.run is None else told(outcome.run)
        left = (time.perf_counter() - started) / done * (n_trials - i) if done else 0.0
        about = f"; about {max(1, round(left / 60))} min left" if fresh and i < n_trials else ""
        say(f"{place} {trial.name}: {said}{'' if fresh else ' (was done already)'}{about}")
        yield outcome


def _carry_out_one(trial: Trial, run: Run, options: Options, figures_only: bool) -> Outcome:
    quiet: Say = lambda line: None  # noqa: E731
    try:
        if not run.is_trained:
            if run.facts_path.is_file():
                training.resume(run.path, options, quiet)
            else:
                if run.path.exists():  # broken off before it said what it is
                    shutil.rmtree(run.path)
                threads = options.threads or _threads_of_the_first(run.path.parent)
                own = dataclasses.replace(options, threads=threads)
                training.train(trial.table, trial.recipe, run.path, own, quiet)
        if not _is_evaluated(run):
            evaluate(run.path, progress=options.progress, extent=Extent(report=not figures_only))
    except UserError as error:
        return Outcome(trial, None, str(error))
    except (
        MemoryError,
        RuntimeError,
    ) as error:  # PyTorch's: no memory, a network that does not fit its input
        why = (str(error).strip() or "no memory").splitlines()[0]
        return Outcome(trial, None, f"{type(error).__name__}: {why}")
    return Outcome(trial, run)


def _threads_of_the_first(runs: Path) -> int | None:
    """What the first training chose: sums over other threads round otherwise, which is no difference of settings."""
    begun = [Run(place.parent).facts for place in runs.glob("*/run.toml")]
    return min(begun, key=lambda facts: facts.created).threads if begun else None


def _is_evaluated(run: Run) -> bool:
    return (run.path / "metrics.json").is_file() and (run.path / "scores.csv").is_file()


def with_split(table: ClipTable, split: Sequence[str]) -> ClipTable:
    """The table with its split as given, and nothing in it that says otherwise."""
    frame = table.frame.drop(columns=["fold", "split"], errors="ignore")
    return dataclasses.replace(table, frame=frame).with_column("split", split)
