"""The run folder: what one training leaves, and what every later command takes.

`run.toml` (written first) says that the folder is ours; `model/model.toml` (written last) that training is done.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from earmark import __version__, settings
from earmark.clips import ClipTable, read_clips, write_clips
from earmark.errors import UserError
from earmark.files import alone_in, cannot_write, replacing
from earmark.models import KINDS, Classifier, ModelSpec
from earmark.recipe import Recipe, read_recipe

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 1
"""Format of runs and models; a program reads all up to its own."""


@dataclass(frozen=True)
class RunFacts:
    """What `run.toml` holds: how the training was started, so that it can go on alike."""

    format: int = FORMAT
    """Format of the run."""
    earmark: str = __version__
    """Version that made it."""
    created: str = ""
    """When it was begun, ISO 8601."""
    command: str = ""
    """The command line, or the Python call."""
    device: str = "cpu"
    """Device that it trains on."""
    threads: int = 1
    """Threads of the arithmetic on a CPU."""
    protocol: Literal["grouped", "given", "segments"] = "grouped"
    """How the split was made: groups kept whole, given by the table, or by segment (LEAKS)."""
    sounds: str = ""
    """One hash of all that was heard in training, validation and test."""
    knows_sound: bool = True
    """Whether it was trained on sound; False: on features that were made elsewhere."""
    warnings: tuple[str, ...] = ()
    """What the person was told before training."""


class Run:
    """A run folder.

    Args:
        path: the folder; use `open_run` for one that should exist, `create_run` for a new one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    # -- its files ----------------------------------------------------------------------------------------

    @property
    def facts_path(self) -> Path:
        """`run.toml`."""
        return self.path / "run.toml"

    @property
    def config_path(self) -> Path:
        """`config.toml`: the recipe as used."""
        return self.path / "config.toml"

    @property
    def clips_path(self) -> Path:
        """`clips.csv`: the clips that could be used, with their split."""
        return self.path / "clips.csv"

    @property
    def unusable_path(self) -> Path:
        """`unusable.csv`: the clips that could not be used, with the reason."""
        return self.path / "unusable.csv"

    @property
    def history_path(self) -> Path:
        """`history.csv`: a row an epoch."""
        return self.path / "history.csv"

    @property
    def steps_path(self) -> Path:
        """`steps.csv`: a row an optimiser step."""
        return self.path / "steps.csv"

    @property
    def model_path(self) -> Path:
        """`model/`: the model by itself; the folder can be copied anywhere."""
        return self.path / "model"

    @property
    def checkpoints_path(self) -> Path:
        """`checkpoints/`: what `--resume` needs."""
        return self.path / "checkpoints"

    @property
    def tensorboard_path(self) -> Path:
        """`tb/`: TensorBoard's events."""
        return self.path / "tb"

    @property
    def twin_path(self) -> Path:
        """`grouped/`: the same with whole groups on one side, where this run's split is by segment."""
        return self.path / "grouped"

    # -- what is in them ----------------------------------------------------------------------------------

    @cached_property
    def facts(self) -> RunFacts:
        """How the training was started."""
        return read_facts(self.path)

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe as used."""
        return read_recipe(self.config_path)

    def clips(self) -> ClipTable:
        """The clips that could be used, with their `split`."""
        return read_clips(self.clips_path)

    def move_root(self, root: Path) -> None:
        """Remember that the recordings are below another folder now.

        Raises:
            UserError: there is no such folder.
        """
        write_clips(read_clips(self.clips_path, root), self.clips_path)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep other programs from training into the run, as long as the block lasts.

        Raises:
            UserError: another one does.
        """
        with alone_in(self.path, "another program trains into this run"):
            yield

    def history(self) -> pd.DataFrame:
        """One row an epoch."""
        import pandas as pd

        return pd.read_csv(self.history_path)

    def steps(self) -> pd.DataFrame | None:
        """One row an optimiser step; None where an older version trained."""
        import pandas as pd

        return pd.read_csv(self.steps_path) if self.steps_path.is_file() else None

    @property
    def best_epoch(self) -> int:
        """The epoch whose weights are the model's; 0 where there is no history."""
        rows, monitor = self.history(), self.recipe.training.monitor
        if monitor == "none" or rows["valid_loss"].isna().all():
            order = rows.iloc[::-1]
        elif monitor == "loss":
            order = rows.sort_values("valid_loss", kind="stable")
        else:
            order = rows.sort_values(["valid_macro_f1", "valid_loss"], ascending=[False, True], kind="stable")
        return int(order["epoch"].iloc[0]) if len(order) else 0

    def spec(self) -> ModelSpec:
        """What the model is made of."""
        return _read_spec(self.model_path / "model.toml")

    def metrics(self) -> dict[str, Any]:
        """What an evaluation of the run found, as it wrote it down.

        Raises:
            UserError: it was not evaluated, or the file is damaged.
        """
        place = self.path / "metrics.json"
        try:
            return dict(json.loads(place.read_text("utf-8")))
        except (OSError, ValueError) as error:
            raise UserError(
                place, f"it cannot be read: {error}", f"Write it by: earmark evaluate {self.path}"
            ) from error

    def model(self, device: str = "cpu") -> Classifier:
        """The trained classifier, ready to score."""
        return load_model(self.model_path, device)

    @property
    def is_trained(self) -> bool:
        """Whether training came to its end."""
        return (self.model_path / "model.toml").is_file()

    def write(self, facts: RunFacts, recipe: Recipe, table: ClipTable) -> None:
        """Write what stands fast before the first step; the file that says that this is a run comes last."""
        with replacing(self.config_path) as file:
            file.write(recipe.to_toml())
        write_clips(table, self.clips_path)
        with replacing(self.facts_path) as file:
            file.write(settings.write_toml(settings.table(facts)))


def check_new(path: Path) -> None:
    """Refuse a place where something is already: a run is never overwritten."""
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UserError(
            path, "this exists already", "Choose another -o, or go on with a broken-off run by --resume."
        )


def create_run(path: Path) -> Run:
    """Make a new, empty run folder."""
    check_new(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error
    return Run(path)


def open_run(path: str | Path, trained: bool = True) -> Run:
    """Open an existing run folder.

    Args:
        path: the folder.
        trained: refuse a run whose training has not come to its end.

    Raises:
        UserError: it is missing, not ours, of a newer version, or not trained.
    """
    run = Run(Path(path))
    if not run.path.exists():
        raise UserError(run.path, "no such run", f"{_runs_beside(run.path)}")
    read_facts(run.path)
    if trained and not run.is_trained:
        raise UserError(
            run.path, "its training has not come to its end", f"Go on with: earmark train --resume {run.path}"
        )
    return run


def read_facts(path: Path) -> RunFacts:
    """Read and check `run.toml`."""
    place = path / "run.toml"
    if not place.is_file():
        raise UserError(
            path, "this is not a run of earmark: it has no run.toml", "Name a folder that training made."
        )
    values = settings.read_toml(place)
    _check_format(values.get("format"), place)
    return settings.convert(RunFacts, values, str(place))


# -- the model by itself ------------------------------------------------------------------------------------


def save_model(model: Classifier, folder: Path) -> None:
    """Write `weights.safetensors` and, last, `model.toml`."""
    from safetensors.torch import save

    weights = {name: value.contiguous() for name, value in model.state_dict().items()}
    with replacing(folder / "weights.safetensors", "wb") as file:
        file.write(save(weights))
    with replacing(folder / "model.toml") as file:
        marks = {"format": FORMAT, "earmark": __version__}
        file.write(settings.write_toml(marks | settings.table(model.spec, KINDS)))


def load_model(folder: Path, device: str = "cpu") -> Classifier:
    """Read a model's folder.

    Raises:
        UserError: missing, damaged, foreign or of a newer version.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load

    spec = _read_spec(folder / "model.toml")
    place = folder / "weights.safetensors"
    try:
        weights = load(place.read_bytes())
        model = Classifier(spec)
        model.load_state_dict(weights)
    except FileNotFoundError as error:
        raise UserError(place, "no such file", "Copy the model folder whole.") from error
    except SafetensorError as error:
        raise UserError(
            place, f"the weights are damaged: {error}", "Copy them again, or train again."
        ) from error
    except RuntimeError as error:
        raise UserError(
            place,
            f"the weights do not belong to the network in model.toml: {_first_line(error).rstrip('.')}",
            "Copy both again; if another version of earmark trained the model, train it anew.",
        ) from error
    # As in training: convolutions are several times quicker with the channels last.
    return model.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload, no-any-return]


def _read_spec(place: Path) -> ModelSpec:
    values = settings.read_toml(place)
    _check_format(values.pop("format", None), place)
    values.pop("earmark", None)
    return settings.convert(ModelSpec, values, str(place), KINDS)


def _check_format(found: object, place: Path) -> None:
    if not isinstance(found, int):
        raise UserError(
            place, f"its format is {found!r}, wanted a number", "This file was not written by earmark."
        )
    if found > FORMAT:
        raise UserError(
            place, f"its format is {found}, this program reads up to {FORMAT}", "Install a newer earmark."
        )


def _runs_beside(path: Path) -> str:
    folder = path.parent
    names = sorted(p.name for p in folder.iterdir() if (p / "run.toml").is_file()) if folder.is_dir() else []
    return (
        f"Runs in {folder}: {', '.join(names[-8:])}." if names else "Train one with: earmark train clips.csv"
    )


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines()[1:]), str(error))
