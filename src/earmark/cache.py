"""Features of whole clips on disk, keyed by content, excerpt and settings: a second training reads no audio.

A store is a folder of `.npy` shards, each the frames of many clips end to end, and one SQLite index. A shard is
written beside its place and renamed, and its clips enter the index last and together; so an interrupted write
leaves, at worst, a file that nothing points to. Two programs may fill one store at once.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xxhash
from numpy.typing import NDArray

from earmark import audio, settings
from earmark.clips import ClipTable
from earmark.devices import keep_freed_memory, using_threads
from earmark.errors import UserError
from earmark.features import FEATURES, Features

FORMAT = 6
"""Raised whenever the arithmetic of decoding or of features changes: entries of another format are not met."""

SHARD_BYTES = 64 * 2**20
"""Frames held back before a shard is written; at most so much work is lost when a program is killed."""

BATCH_SAMPLES = 2**21
"""Samples of one recording that are transformed together: one call for many short clips."""

Key = tuple[str, int, int]
"""Content of the recording, start and end of the clip in microseconds (end -1: the end of the file)."""


@dataclass(frozen=True)
class Entry:
    """What is known of one clip."""

    shard: str = ""
    """Name of the file that holds its frames; empty for a clip that could not be used."""
    offset: int = 0
    """First row of its frames."""
    n_frames: int = 0
    """Number of its frames."""
    sound: str = ""
    """Hash of its waveform: clips that sound the same to the model share it."""
    reason: str = ""
    """Why it could not be used (a key of `audio.REASONS`); empty for a good clip."""


class ClipFeatures(Sequence[NDArray[np.float32]]):
    """Features of the clips of a table, in its order, as views of memory-mapped shards.

    `features[i]` is `[N, F]` (frames first: a crop is one contiguous piece), or `[0, F]` for a clip that could
    not be used; `entries[i].reason` then says why.
    """

    def __init__(self, entries: Sequence[Entry], shards: dict[str, NDArray[np.float32]], n_rows: int) -> None:
        self.entries = list(entries)
        self._shards = shards
        self._empty = np.empty((0, n_rows), np.float32)

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: Any) -> Any:
        entry = self.entries[index]
        if not entry.shard:
            return self._empty
        return self._shards[entry.shard][entry.offset : entry.offset + entry.n_frames]

    @property
    def reasons(self) -> list[str]:
        """Why each clip could not be used; empty for a good one."""
        return [entry.reason for entry in self.entries]

    @property
    def sounds(self) -> list[str]:
        """Hash of each clip's waveform; empty for one that could not be used."""
        return [entry.sound for entry in self.entries]

    @property
    def n_rows(self) -> int:
        """F of the features."""
        return self._empty.shape[1]

    def take(self, indices: NDArray[np.int64]) -> ClipFeatures:
        """The features of some of the clips."""
        return ClipFeatures([self.entries[i] for i in indices], self._shards, self._empty.shape[1])

    def good(self) -> NDArray[np.bool_]:
        """Which clips could be used, `[n]`."""
        return np.array([not entry.reason for entry in self.entries], dtype=bool)


def cache_folder() -> Path:
    """Where features are kept: `EARMARK_CACHE`, else `earmark` in the user's cache folder."""
    named = os.environ.get("EARMARK_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(named) if named else Path(base) / "earmark"


class FeatureStore:
    """The features of one setting: looks up what is known, computes what is missing.

    Args:
        features: turns waveforms into features.
        resampler: how recordings are brought to the features' rate.
        folder: the cache; none: `cache_folder()`.
    """

    def __init__(self, features: Features, resampler: str = "soxr", folder: Path | None = None) -> None:
        self.features = features
        self.resampler = resampler
        self.folder = folder or cache_folder()
        self.key = self._settings_key()
        self._n_rows = len(features.floor)

    def collect(self, table: ClipTable, progress: bool = False) -> ClipFeatures:
        """Features of every clip of a table; those that are not in the store are computed first.

        Raises:
            UserError: the cache cannot be written (no space, no permission).
        """
        try:
            with contextlib.closing(self._connect()) as index:
                keys, reasons = self._keys(index, table)
                known = self._known(index)
                missing = [i for i, key in enumerate(keys) if key is not None and key not in known]
                if missing:
                    self._compute(index, table.take(np.array(missing)), [keys[i] for i in missing], progress)  # type: ignore[misc]
                    known = self._known(index)
        except (sqlite3.DatabaseError, OSError) as error:
            raise self._refusal(error) from error
        entries = [
            known[key] if key is not None else Entry(reason=why)
            for key, why in zip(keys, reasons, strict=True)
        ]
        names = sorted({entry.shard for entry in entries if entry.shard})
        return ClipFeatures(entries, {name: self._open_shard(name) for name in names}, self._n_rows)

    def insert(self, table: ClipTable, path: Path, values: Sequence[NDArray[np.float32]]) -> None:
        """Put features that were made elsewhere into the store, as those of the clips of one file.

        Args:
            table: clips of the file.
            path: the file; its content is remembered, whatever it is.
            values: features `[N, F]` of each clip.
        """
        try:
            with contextlib.closing(self._connect()) as index:
                row = _row_to_remember(path)
                with index:
                    index.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", row)
                keys, _ = self._keys(index, table)
                known = self._known(index)
                pending = [
                    (key, np.ascontiguousarray(one, np.float32), _digest(np.ascontiguousarray(one).data), "")
                    for key, one in zip(keys, values, strict=True)
                    if key is not None and key not in known
                ]
                self._write(index, pending)
        except (sqlite3.DatabaseError, OSError) as error:
            raise self._refusal(error) from error

    def _settings_key(self) -> str:
        config = self.features.config
        described = {
            "format": FORMAT,
            "kind": settings.kind_of(FEATURES, config),
            "features": settings.table(config),
            "sample_rate": self.features.sample_rate,
            "resampler": self.resampler,
        }
        return _digest(json.dumps(described, sort_keys=True).encode())

    # -- what is known ------------------------------------------------------------------------------------

    def _connect(self) -> sqlite3.Connection:
        (self.folder / self.key).mkdir(parents=True, exist_ok=True)
        index = sqlite3.connect(self.folder / "index.db", timeout=60)
        index.execute("PRAGMA journal_mode=WAL")
        index.execute(
            "CREATE TABLE IF NOT EXISTS files (path BLOB PRIMARY KEY, size INTEGER, mtime INTEGER, content TEXT)"
        )
        index.execute(
            "CREATE TABLE IF NOT EXISTS clips (settings TEXT, content TEXT, start INTEGER, end INTEGER, shard TEXT,"
            " offset INTEGER, n_frames INTEGER, sound TEXT, reason TEXT,"
            " PRIMARY KEY (settings, content, start, end)) WITHOUT ROWID"
        )
        return index

    def _keys(self, index: sqlite3.Connection, table: ClipTable) -> tuple[list[Key | None], list[str]]:
        """Key of each clip, or None with the reason where its recording cannot be opened at all."""
        paths = table.paths()
        remembered = {
            row[0]: row[1:] for row in index.execute("SELECT path, size, mtime, content FROM files")
        }
        contents = {path: (_recalled(path, remembered), "") for path in dict.fromkeys(paths)}
        unknown = [path for path, (content, _) in contents.items() if not content]
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            found = list(_bounded(pool, _content, unknown))
        contents |= {
            path: (content, reason) for path, (content, reason, _) in zip(unknown, found, strict=True)
        }
        with index:
            fresh = [row for _, _, row in found if row]
            index.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", fresh)
        starts = np.round(table.frame["start"].to_numpy(float) * 1e6).astype(np.int64)
        ends = np.round(np.nan_to_num(table.frame["end"].to_numpy(float), nan=-1e-6) * 1e6).astype(np.int64)
        keys = [
            (contents[path][0], start, end) if contents[path][0] else None
            for path, start, end in zip(paths, starts.tolist(), ends.tolist(), strict=True)
        ]
        return keys, [contents[path][1] for path in paths]

    def _known(self, index: sqlite3.Connection) -> dict[Key, Entry]:
        rows = index.execute(
            "SELECT content, start, end, shard, offset, n_frames, sound, reason FROM clips WHERE settings = ?",
            (self.key,),
        )
        entries = {(row[0], row[1], row[2]): Entry(*row[3:]) for row in rows}
        whole = {shard for shard in {e.shard for e in entries.values()} if shard and self._is_whole(shard)}
        return {key: entry for key, entry in entries.items() if not entry.shard or entry.shard in whole}

    def _is_whole(self, shard: str) -> bool:
        try:
            return self._open_shard(shard).shape[1:] == (self._n_rows,)
        except (OSError, ValueError):
            return False

    def _open_shard(self, shard: str) -> NDArray[np.float32]:
        return np.load(self.folder / self.key / shard, mmap_mode="r")  # type: ignore[no-any-return]

    # -- what is missing ----------------------------------------------------------------------------------

    def _compute(
        self, index: sqlite3.Connection, table: ClipTable, keys: Sequence[Key], progress: bool
    ) -> None:
        """Decode and transform the clips of a table, a recording at a time, and put them into the store."""
        pending: list[tuple[Key, NDArray[np.float32], str, str]] = []
        size = 0
        for key, values, sound, reason in self._computed(table, keys, progress):
            pending.append((key, values, sound, reason))
            size += values.nbytes
            if size >= SHARD_BYTES:
                self._write(index, pending)
                pending, size = [], 0
        self._write(index, pending)

    def _computed(
        self, table: ClipTable, keys: Sequence[Key], progress: bool
    ) -> Iterator[tuple[Key, NDArray[np.float32], str, str]]:
        from tqdm import tqdm

        by_file: dict[Path, list[int]] = {}
        for i, path in enumerate(table.paths()):
            by_file.setdefault(path, []).append(i)
        bar = tqdm(total=len(keys), desc="features", unit="clip", disable=not progress, leave=False)
        pool = ThreadPoolExecutor(os.cpu_count() or 1)
        keep_freed_memory()
        with using_threads(1), bar, pool:  # many files at once beat many threads a file
            work = partial(self._recording, spans=_spans(table))
            for rows in _bounded(pool, work, by_file.items()):
                for i, values, sound, reason in rows:
                    bar.update()
                    yield keys[i], values, sound, reason

    def _recording(
        self, item: tuple[Path, list[int]], spans: Sequence[tuple[float, float | None]]
    ) -> list[tuple[int, NDArray[np.float32], str, str]]:
        path, clips = item
        order = sorted(clips, key=lambda i: spans[i][0])
        cut = audio.read_spans(path, [spans[i] for i in order], self.features.sample_rate, self.resampler)
        rows = [row for batch in _batches(clip for _, _, clip in cut) for row in self._transform(batch)]
        return [(i, *row) for i, row in zip(order, rows, strict=True)]

    @torch.inference_mode()
    def _transform(
        self, batch: list[NDArray[np.float32]] | audio.AudioError
    ) -> list[tuple[NDArray[np.float32], str, str]]:
        """Features, hash and reason of clips of one length, or of one that could not be read."""
        if isinstance(batch, audio.AudioError):
            return [(np.empty((0, self._n_rows), np.float32), "", batch.reason)]
        features = self.features(torch.from_numpy(np.stack(batch)))
        frames = features.reshape(len(batch), self._n_rows, -1).transpose(1, 2).numpy()
        return [
            (np.ascontiguousarray(one), _digest(waveform.data), "")
            for one, waveform in zip(frames, batch, strict=True)
        ]

    def _write(
        self, index: sqlite3.Connection, pending: Sequence[tuple[Key, NDArray[np.float32], str, str]]
    ) -> None:
        shard = f"{uuid.uuid4().hex}.npy"
        place = self.folder / self.key / shard
        frames = [values for _, values, _, reason in pending if not reason]
        if frames:
            neighbour = place.with_suffix(".part")
            try:
                with neighbour.open("wb") as file:
                    np.save(file, np.concatenate(frames))
                neighbour.replace(place)
            finally:
                neighbour.unlink(missing_ok=True)
        offsets = np.cumsum([0, *(len(values) for _, values, _, _ in pending)]).tolist()
        rows = [
            (self.key, *key, "" if reason else shard, offset, len(values), sound, reason)
            for (key, values, sound, reason), offset in zip(pending, offsets, strict=False)
        ]
        with index:
            index.executemany("INSERT OR REPLACE INTO clips VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def _refusal(self, error: Exception) -> UserError:
        return UserError(
            self.folder,
            f"features cannot be kept here: {error}",
            "Free some space or make the folder writable, or name another one by the variable EARMARK_CACHE.",
        )


def _recalled(path: Path, remembered: dict[bytes, tuple[int, int, str]]) -> str:
    """Hash of a file's bytes, if it has been seen and has not changed since; else nothing."""
    try:
        found = path.stat()
        size, mtime, content = remembered.get(os.fsencode(path.resolve()), (-1, -1, ""))
    except OSError:
        return ""
    return content if (size, mtime) == (found.st_size, found.st_mtime_ns) else ""


def _content(path: Path) -> tuple[str, str, tuple[bytes, int, int, str] | None]:
    """Hash of a file's bytes, or the reason why there is none; and the row to remember."""
    try:
        path.stat()  # tells a file that is not there from one that cannot be read
        audio.probe(path)  # refuses folders, pipes and the like in words, before anything is read
        row = _row_to_remember(path)
        return row[3], "", row
    except audio.AudioError as error:
        return "", error.reason, None
    except FileNotFoundError:
        return "", "missing", None
    except OSError:
        return "", "unreadable", None


def _row_to_remember(path: Path) -> tuple[bytes, int, int, str]:
    """A file's resolved name, size, time and the hash of its bytes."""
    found = path.stat()
    with path.open("rb") as file:
        content = hashlib.file_digest(file, xxhash.xxh3_128).hexdigest()
    return os.fsencode(path.resolve()), found.st_size, found.st_mtime_ns, content


def _spans(table: ClipTable) -> list[tuple[float, float | None]]:
    starts = table.frame["start"].to_numpy(float).tolist()
    ends = table.frame["end"].to_numpy(float).tolist()
    return [(start, None if end != end else end) for start, end in zip(starts, ends, strict=True)]


def _batches(
    clips: Iterator[NDArray[np.float32] | audio.AudioError],
) -> Iterator[list[NDArray[np.float32]] | audio.AudioError]:
    """Neighbours of one length together, as far as BATCH_SAMPLES go, and what could not be read on its own."""
    batch: list[NDArray[np.float32]] = []
    for clip in clips:
        alike = not isinstance(clip, audio.AudioError) and batch and len(clip) == len(batch[0])
        if batch and not (alike and len(batch[0]) * len(batch) < BATCH_SAMPLES):
            yield batch
            batch = []
        if isinstance(clip, audio.AudioError):
            yield clip
        else:
            batch.append(clip)
    if batch:
        yield batch


def _bounded(
    pool: ThreadPoolExecutor, work: Callable[[Any], Any], items: Any, ahead: int = 8
) -> Iterator[Any]:
    """Results of `work` over items in order, with at most `ahead` items started before they are asked for."""
    running = []
    for item in items:
        running.append(pool.submit(work, item))
        if len(running) >= ahead:
            yield running.pop(0).result()
    for future in running:
        yield future.result()


def _digest(data: bytes | memoryview) -> str:
    """A hash against chance, not against malice: 10 times as quick as those that stand both."""
    return xxhash.xxh3_128(data).hexdigest()
