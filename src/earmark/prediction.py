"""Run + sound files -> score table: every recording from start to end, in bounded memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from earmark import audio
from earmark.cache import ClipFeatures
from earmark.clips import format_seconds
from earmark.dataset import as_features
from earmark.devices import choose_device, keep_freed_memory, using_threads
from earmark.errors import UserError
from earmark.files import check_place, replacing
from earmark.models import Classifier, ModelSpec
from earmark.models.crops import Crops
from earmark.recording import printable
from earmark.run import load_model, open_run
from earmark.scan import scan
from earmark.tables import RowWriter, counted

if TYPE_CHECKING:
    import pandas as pd

MOST_NAMED = 5
"""Unusable files that are named on the terminal; all are in the table."""

CROPS_A_BATCH = 64
"""Crops that go through the network at once; on a CPU larger batches are no faster."""


@dataclass(frozen=True)
class ClipScores:
    """Scores of one clip of a recording."""

    start: float
    """Start in seconds."""
    end: float
    """End in seconds; NaN where the decoder lost its way."""
    scores: NDArray[np.float32] | None
    """`[n_classes]` in [0, 1]; None where there are none."""
    reason: str = ""
    """Why there are none (a key of `audio.REASONS`)."""


@dataclass(frozen=True)
class Recording:
    """What was found in one sound file."""

    file: str
    """The file as it was named."""
    clips: tuple[ClipScores, ...]
    """Its clips from start to end; one without scores where the file could not be used."""
    classes: tuple[str, ...]
    """Names of the classes, in the model's order."""

    @property
    def duration(self) -> float:
        """Seconds that were heard."""
        return max((clip.end for clip in self.clips if clip.scores is not None), default=0.0)

    @property
    def n_clips(self) -> int:
        """Number of clips with scores."""
        return sum(clip.scores is not None for clip in self.clips)

    @property
    def reason(self) -> str:
        """Why no clip has scores, or why the end of the file could not be heard; empty when all is well."""
        if self.n_clips == 0:
            return next((clip.reason for clip in self.clips), "no_frames")
        return "truncated" if any(clip.reason == "truncated" for clip in self.clips) else ""

    def scores(self) -> NDArray[np.float32] | None:
        """Mean of the clips' scores, `[n_classes]`."""
        known = [clip.scores for clip in self.clips if clip.scores is not None]
        return np.mean(known, axis=0, dtype=np.float32) if known else None


class Predictor:
    """A trained model that labels sound files.

    Args:
        model: the classifier.
        hop_seconds: step from one clip to the next; none: the length of a clip.
    """

    def __init__(self, model: Classifier, hop_seconds: float | None = None) -> None:
        self.model = model.eval()
        self.hop_seconds = model.spec.clip_seconds if hop_seconds is None else hop_seconds
        if not 0 < self.hop_seconds <= model.spec.clip_seconds:
            raise UserError(
                "hop",
                f"found {self.hop_seconds:g} s, wanted more than 0 and at most a clip ({model.spec.clip_seconds:g} s)",
                "A hop of half a clip hears everything twice.",
            )

    def predict(self, files: str | Path | Iterable[str | Path]) -> pd.DataFrame:
        """Score table of sound files and folders: `file, start, end, reason`, then a column a class.

        A file that cannot be used is one row with its reason and no scores.
        """
        import pandas as pd

        named = [files] if isinstance(files, str | Path) else list(files)
        rows = [row for recording in self.recordings(find_files(named)) for row in score_rows(recording)]
        frame = pd.DataFrame(rows, columns=["file", "start", "end", "reason", *self.model.spec.classes])
        numbers = [name for name in frame.columns if name not in ("file", "reason")]
        return frame.assign(**{name: pd.to_numeric(frame[name]) for name in numbers})

    def recordings(
        self, files: Iterable[Path], heard: Callable[[float], object] = lambda seconds: None
    ) -> Iterator[Recording]:
        """What is found in each file, in order; `heard` is told the seconds that were gone through."""
        for file in files:
            clips, until = [], 0.0
            for clip in self._clips(file):
                clips.append(clip)
                if clip.end > until:
                    heard(clip.end - until)
                    until = clip.end
            yield Recording(str(file), tuple(clips), self.model.spec.classes)

    def _clips(self, file: Path) -> Iterator[ClipScores]:
        spec = self.model.spec
        try:
            waveforms = audio.slide(
                file, spec.clip_seconds, self.hop_seconds, spec.sample_rate, spec.resampler
            )
            for start, end, waveform in waveforms:
                if isinstance(waveform, audio.AudioError):
                    yield ClipScores(start, end, None, waveform.reason)
                else:
                    yield ClipScores(start, end, self._score(waveform))
        except audio.AudioError as error:
            yield ClipScores(0.0, 0.0, None, error.reason)

    @torch.inference_mode()
    def _score(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        device = next(self.model.parameters()).device
        scores = self.model.scores(torch.from_numpy(waveform)[None].to(device))[0]
        # A copy: torch's own memory, kept for each of many clips, would leave holes that nothing else fits into.
        return scores.cpu().numpy().copy()


def load(path: str | Path, device: str = "cpu", hop_seconds: float | None = None) -> Predictor:
    """A predictor of a run folder, or of a model folder by itself.

    Raises:
        UserError: missing, foreign, damaged or of a newer version.
    """
    folder = Path(path)
    if (folder / "model.toml").is_file():
        return Predictor(load_model(folder, device), hop_seconds)
    run = open_run(folder)
    if not run.facts.knows_sound:
        raise UserError(
            folder,
            "it was trained on features alone, so no sound is known, nor how features are made of it",
            "Train on the recordings themselves to label new ones.",
        )
    return Predictor(run.model(device), hop_seconds)


def find_files(named: Iterable[str | Path]) -> list[Path]:
    """Sound files of what was named: a file is always tried, a folder is scanned.

    A name of nothing stays, so that it is reported as missing with the others done; not when all are so.

    Raises:
        UserError: no path that was named exists, a folder without sound, an empty name.
    """
    files: list[Path] = []
    names = list(named)
    if not all(map(str, names)):
        raise UserError("file", "found an empty name, wanted a path", "Name a file or a folder.")
    if not any(os.path.lexists(name) for name in names):
        raise UserError(", ".join(map(str, names)), "no such file or folder", "Check the path.")
    for one in map(Path, names):
        if one.is_dir():
            found = scan(one).files
            if not found:
                raise UserError(
                    one, "there are no sound files in this folder", "Name a folder that holds recordings."
                )
            files.extend(found)
        else:
            files.append(one)
    return list(dict.fromkeys(files))


@torch.inference_mode()
def score_clips(model: Classifier, clips: ClipFeatures) -> NDArray[np.float32]:
    """Scores `[n, n_classes]` of clips by their cached features; a row of NaN where a clip could not be used."""
    model.eval()
    device = next(model.parameters()).device
    scores = np.full((len(clips), len(model.spec.classes)), np.nan, np.float32)
    for batch in _batches(model, clips):
        together = torch.cat([crops.values for _, crops in batch]).to(device)
        found = model.probabilities(model.classify(together)).float().cpu()
        for (i, crops), own in zip(batch, found.split([len(crops) for _, crops in batch]), strict=True):
            scores[i] = crops.mean(own).numpy()
    return scores


def _batches(model: Classifier, clips: ClipFeatures) -> Iterator[list[tuple[int, Crops]]]:
    """Clips with their crops, about `CROPS_A_BATCH` crops together."""
    batch: list[tuple[int, Crops]] = []
    for i in np.flatnonzero(clips.good()).tolist():
        features = as_features(np.array(clips[i])[None], model.one_dimensional)[0]
        batch.append((i, model.crops(features)))
        if sum(len(crops) for _, crops in batch) >= CROPS_A_BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


# -- from a command ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PredictOptions:
    """How to predict."""

    hop_seconds: float | None = None
    """Step from one clip to the next; none: the length of a clip."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `mps`."""
    threads: int | None = None
    """Threads on a CPU; none: as torch chooses."""
    overwrite: bool = False
    """Write over existing tables."""
    progress: bool = False
    """Show a bar with the time left."""


def predict_files(
    path: Path, named: Iterable[str | Path], out: Path, options: PredictOptions | None = None
) -> Tally:
    """Label files and folders by a run, and write `out` and the table of recordings beside it.

    Raises:
        UserError: a run or path that is not there, tables that exist already.
    """
    options = options or PredictOptions()
    for place in (out, recordings_path(out)):
        check_place(place, options.overwrite, b"file,")
    predictor = load(path, choose_device(options.device), options.hop_seconds)
    files = find_files(named)
    keep_freed_memory()
    with using_threads(options.threads), _bar(files, options.progress) as heard:
        return write_predictions(predictor.recordings(files, heard), predictor.model.spec, out)


def describe(tally: Tally, out: Path) -> str:
    """What a prediction came to, in words."""
    heard = f"{tally.seconds / 60:.1f} minutes" if tally.seconds >= 60 else f"{tally.seconds:.1f} s"
    lines = [f"{counted(tally.n_files, 'file')}, {heard}, {counted(tally.n_clips, 'clip')} with scores"]
    if tally.n_unusable:
        lines.append(f"{tally.n_unusable} could not be used, or not to the end (see the column reason):")
        lines += [f"  {printable(file)}: {audio.REASONS[reason]}" for file, reason in tally.unusable]
        lines += ["  ..."] if tally.n_unusable > len(tally.unusable) else []
    return "\n".join([*lines, f"wrote {out} (a row a clip) and {recordings_path(out)} (a row a file)"])


@contextmanager
def _bar(files: list[Path], progress: bool) -> Iterator[Callable[[float], object]]:
    """A bar that counts seconds of sound."""
    from tqdm import tqdm

    total = sum(map(_claimed_seconds, files)) if progress else None
    layout = "{l_bar}{bar}| {n:.0f}/{total:.0f} s of sound [{elapsed}<{remaining}]"
    with tqdm(total=total, disable=not progress, leave=False, bar_format=layout) as bar:
        yield bar.update


def _claimed_seconds(file: Path) -> float:
    try:
        return audio.probe(file).duration
    except audio.AudioError:
        return 0.0


# -- tables -------------------------------------------------------------------------------------------------

RECORDING_COLUMNS = ("file", "duration", "label", "score", "n_clips", "reason")


@dataclass(frozen=True)
class Tally:
    """What a prediction came to, for the person who waits."""

    n_files: int = 0
    """Files that were tried."""
    n_clips: int = 0
    """Clips that got scores."""
    seconds: float = 0.0
    """Duration of what was heard."""
    n_unusable: int = 0
    """Files of which a part or all could not be used."""
    unusable: tuple[tuple[str, str], ...] = ()
    """The first of them, with the reason."""

    def plus(self, recording: Recording) -> Tally:
        """The tally with one more recording."""
        return Tally(
            self.n_files + 1,
            self.n_clips + recording.n_clips,
            self.seconds + recording.duration,
            self.n_unusable + bool(recording.reason),
            (*self.unusable, (recording.file, recording.reason))[:MOST_NAMED]
            if recording.reason
            else self.unusable,
        )


def write_predictions(recordings: Iterable[Recording], spec: ModelSpec, out: Path) -> Tally:
    """Write `out` (a row a clip) and its `.recordings.csv` (a row a file), a recording at a time.

    When the work is broken off by Ctrl-C, both tables hold the recordings that were finished.
    """
    tally = Tally()
    broken_off = None
    with _writer(out) as clips, _writer(recordings_path(out)) as files:
        clips.writerow(["file", "start", "end", "reason", *spec.classes])
        files.writerow(RECORDING_COLUMNS)
        try:
            for recording in recordings:
                clips.writerows(score_rows(recording))
                files.writerow(_recording_row(recording, spec))
                tally = tally.plus(recording)
        except KeyboardInterrupt as error:
            if not tally.n_files:
                raise  # and no table is written
            broken_off = error
    if broken_off is not None:
        raise broken_off
    return tally


def recordings_path(out: Path) -> Path:
    """Where the table of recordings goes beside the table of clips: `out.csv` -> `out.recordings.csv`."""
    return out.with_name(f"{out.stem}.recordings.csv")


def score_rows(recording: Recording) -> list[list[object]]:
    """Rows of the score table: `file, start, end, reason`, then one score a class (empty where there is none)."""
    return [
        [
            recording.file,
            format_seconds(clip.start),
            format_seconds(clip.end),
            clip.reason,
            *_cells(clip, recording),
        ]
        for clip in recording.clips
    ]


def labels_of(scores: NDArray[np.float32], spec: ModelSpec) -> str:
    """The label that scores `[n_classes]` stand for; several, joined by `|`, or none, in a multi-label model."""
    if spec.task != "multi-label":
        return spec.classes[int(np.argmax(scores))]
    thresholds = spec.thresholds or (0.5,) * len(spec.classes)
    return "|".join(
        name for name, score, least in zip(spec.classes, scores, thresholds, strict=True) if score >= least
    )


def _cells(clip: ClipScores, recording: Recording) -> list[str]:
    if clip.scores is None:
        return [""] * len(recording.classes)
    return [f"{score:.6f}" for score in clip.scores]


def _recording_row(recording: Recording, spec: ModelSpec) -> list[object]:
    scores = recording.scores()
    found = ["", ""] if scores is None else [labels_of(scores, spec), f"{scores.max():.6f}"]
    return [recording.file, format_seconds(recording.duration), *found, recording.n_clips, recording.reason]


@contextmanager
def _writer(path: Path) -> Iterator[RowWriter]:
    with replacing(path, newline="", errors="surrogateescape") as file:
        yield RowWriter(file)
