"""The same clips trained with many settings; validation clips choose among them, the test split never does."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from earmark import protocols, runcharts, settings
from earmark.clips import ClipTable
from earmark.errors import UserError
from earmark.evaluation import evaluate
from earmark.experiments.trials import BUSY, Outcome, Trial, begin, carry_out, fingerprint
from earmark.files import alone_in, replacing
from earmark.intervals import Interval
from earmark.models import KINDS
from earmark.recipe import Recipe, parse_recipe
from earmark.report import percent, span
from earmark.run import Run
from earmark.tables import aligned, counted
from earmark.training import Options, Say

if TYPE_CHECKING:
    import optuna

VALID_FRACTION = 0.2
"""Set aside to choose by, where the recipe sets nothing aside."""


@dataclass(frozen=True)
class Over:
    """One setting and the values that it takes."""

    key: str
    """Such as `network.filters`."""
    values: tuple[object, ...]
    """As TOML has them; none in a range."""
    low: float | None = None
    high: float | None = None
    """Of a range, for a search: `1e-4..1e-2`."""


@dataclass(frozen=True)
class Swept:
    """What a sweep found."""

    folder: Path
    n_failed: int
    text: str
    """The table, the best setting by validation, and what its test figure is worth, for a terminal."""


def read_over(text: str) -> Over:
    """Read `key=value,value,...`, or `key=low..high`; values are TOML, or else words.

    Raises:
        UserError: no key, no value, or a range that is none.
    """
    key, equals, values = text.partition("=")
    if not equals or not key.strip() or not values.strip():
        raise UserError(
            f"--over {text}", "wanted key=value,value,...", "For example --over network.dropout=0.1,0.2,0.4."
        )
    ends = re.fullmatch(r"\s*([-+.\deE]+?)\.\.([-+.\deE]+)\s*", values)
    if ends:
        try:
            low, high = _number(ends[1]), _number(ends[2])
        except ValueError:
            low = high = float("nan")
        if not low < high:
            raise UserError(f"--over {text}", "wanted low..high", "For example 1e-4..1e-2.")
        return Over(key.strip(), (), low, high)
    found = [_value(part) for part in _parts(values)]
    if not found or "" in found:
        raise UserError(f"--over {text}", "found an empty value", "Give values with commas between them.")
    each = {settings.write_value(value): value for value in found}
    return Over(key.strip(), tuple(each.values()))


def _number(text: str) -> float:
    """A whole number stays one."""
    try:
        return int(text)
    except ValueError:
        return float(text)


def _changed(recipe: Recipe, way: dict[str, object]) -> Recipe | str:
    """The recipe with some settings changed, or why that cannot be. An unknown key is refused at once."""
    values = settings.table(recipe, KINDS)
    for key, value in way.items():
        values = settings.with_setting(values, f"{key}={settings.write_value(value)}")
    try:
        return parse_recipe(values, "--over")
    except UserError as error:
        if "there is no setting" in error.problem:
            raise
        return str(error)


def _parts(text: str) -> list[str]:
    """What stands between commas that are in no brackets and no quotes."""
    parts, depth, quote = [""], 0, ""
    for c in text:
        if quote or c in "\"'":
            quote = "" if c == quote else quote or c
        depth += 0 if quote else (c in "[{") - (c in "]}")
        if c == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += c
    return [part.strip() for part in parts]


def _value(text: str) -> object:
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text


def sweep(
    table: ClipTable,
    recipe: Recipe,
    overs: Sequence[Over],
    folder: Path,
    options: Options,
    say: Say,
    n_trials: int | None = None,
) -> Swept:
    """Train each combination of settings once; write `sweep.csv`, `sweep.png` and `sweep.svg` after each.

    Args:
        table: labelled clips.
        recipe: what the settings are changed in.
        overs: the settings; all combinations of their values, or what a search draws.
        folder: a new place, or that of the same sweep, which then goes on.
        options: device, threads and the like.
        say: takes a line for the person who waits.
        n_trials: of a search by Optuna; none: the grid.

    Raises:
        UserError: no setting, an unknown one, one of the split, a range without a search, no trial that ended well.
    """
    _check(overs)
    if not recipe.split.valid_fraction:
        say(
            f"{VALID_FRACTION:.0%} of the clips that are not tested, or those that the table gives for validation, "
            "are set aside: they choose the setting."
        )
        split = dataclasses.replace(recipe.split, valid_fraction=VALID_FRACTION)
        recipe = dataclasses.replace(recipe, split=split)
    for over in overs:
        _changed(recipe, {over.key: over.values[0] if over.values else over.low})
    if n_trials is None:
        list(_grid(overs))  # a range is refused before anything is made
    begin(folder, "sweep", {"clips": fingerprint(table), "recipe": recipe.to_toml()})
    found: dict[str, Outcome] = {}
    labels: dict[str, dict[str, object]] = {}
    ways = _searched(overs, n_trials, recipe, found) if n_trials else _grid(overs)
    n = n_trials or len(list(_grid(overs)))
    say(f"{counted(n, 'training')} over {', '.join(over.key for over in overs)}")
    trials = (trial_of(table, recipe, way, labels) for way in ways)
    with alone_in(folder, BUSY):
        for outcome in carry_out(trials, n, folder, options, say, _told, figures_only=True):
            found[outcome.trial.name] = outcome
            _write(folder, list(found.values()), labels)
    outcomes = list(found.values())
    if len(outcomes) < n:
        say(f"{counted(n - len(outcomes), 'training')} had been drawn before, and stands in the table once")
    if not any(one.run for one in outcomes):
        raise UserError(
            folder, f"no training ended well: {outcomes[0].reason.rstrip('.')}", "Change the settings."
        )
    best = _ordered(outcomes)[0].run
    assert best is not None
    twin = protocols.train_twin(best, options, say)
    if twin or not (best.path / "report.html").is_file():
        evaluate(
            best.path
        )  # with its report; where it leaks, that has the figure with whole groups beside it
    _write(folder, outcomes, labels)
    return Swept(folder, sum(one.run is None for one in outcomes), _text(outcomes, labels))


def _check(overs: Sequence[Over]) -> None:
    """Refuse what would compare settings on different clips, and a key that is named twice."""
    if not overs:
        raise UserError("--over", "no setting is named", "For example --over network.dropout=0.1,0.2,0.4.")
    keys = [over.key for over in overs]
    for key in keys:
        if key.split(".")[0] == "split":
            raise UserError(
                f"--over {key}",
                "it changes which clips are tested and which choose, so that figures are not of the same clips",
                "Fix it by --set; for figures over many splits: earmark cv.",
            )
        if keys.count(key) > 1:
            raise UserError(f"--over {key}", "it is named twice", "Put all of its values into one --over.")


def _grid(overs: Sequence[Over]) -> Iterator[dict[str, object]]:
    for over in overs:
        if over.low is not None:
            raise UserError(
                f"--over {over.key}", "found a range, which only a search can draw from", "Add --trials N."
            )
    for values in itertools.product(*(over.values for over in overs)):
        yield {over.key: value for over, value in zip(overs, values, strict=True)}


def _searched(
    overs: Sequence[Over], n_trials: int, recipe: Recipe, found: Mapping[str, Outcome]
) -> Iterator[dict[str, object]]:
    """What Optuna's tree-structured Parzen estimator proposes; each proposal follows from the figures before it.

    The same seed and the same figures give the same proposals, so that a broken-off search goes on by itself.
    """
    try:
        import optuna
    except ImportError as error:
        raise UserError(
            "--trials", "the package optuna is not installed", "pip install 'earmark[optuna]'"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=recipe.training.seed)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for _ in range(n_trials):
        asked = study.ask()
        way = {over.key: _drawn(asked, over, recipe) for over in overs}
        yield way
        run = found[_name(way)].run
        if run is None:
            study.tell(asked, state=optuna.trial.TrialState.FAIL)
        else:
            study.tell(asked, valid_figures(run)["valid_macro_f1"])


def _drawn(asked: optuna.trial.Trial, over: Over, recipe: Recipe) -> object:
    """One of the values, or a number of the range: a whole one where the setting takes no other."""
    if over.low is None or over.high is None:
        names = [settings.write_value(value) for value in over.values]
        return over.values[names.index(asked.suggest_categorical(over.key, names))]
    log = over.low > 0 and over.high / over.low >= 10
    if isinstance(over.low, int) and isinstance(_changed(recipe, {over.key: over.low + 0.5}), str):
        return asked.suggest_int(over.key, over.low, int(over.high), log=log)
    return float(f"{asked.suggest_float(over.key, over.low, over.high, log=log):.4g}")


def trial_of(
    table: ClipTable, recipe: Recipe, way: dict[str, object], labels: dict[str, dict[str, object]]
) -> Trial | Outcome:
    """The trial of some settings; where they cannot be, its outcome. An unknown key is refused at once."""
    name = _name(way)
    labels[name] = way
    changed = _changed(recipe, way)
    if isinstance(changed, str):
        return Outcome(Trial(name, table, recipe), None, changed)
    return Trial(name, table, changed)


def _name(way: dict[str, object]) -> str:
    """A folder's name that tells the settings, and differs where they do."""
    told = "_".join(f"{key.split('.')[-1]}-{settings.write_value(value)}" for key, value in way.items())
    plain = re.sub(r"[^\w.-]+", "-", told).strip("-")[:60].rstrip("-.")
    exact = hashlib.blake2b(repr(sorted(way.items())).encode(), digest_size=3).hexdigest()
    return f"{plain}-{exact}"


# -- what was found -----------------------------------------------------------------------------------------


def valid_figures(run: Run) -> dict[str, float]:
    """Loss, accuracy and macro F1 of the validation clips at the epoch whose weights were kept."""
    rows = run.history()
    row = rows[rows["epoch"] == run.best_epoch].iloc[0]
    return {name: float(row[name]) for name in ("valid_loss", "valid_accuracy", "valid_macro_f1")}


def _told(run: Run) -> str:
    return f"macro F1 on validation clips {percent(valid_figures(run)['valid_macro_f1'])}"


def _ordered(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The best on validation clips first; of equals the one with the smaller loss; failed ones last."""

    def key(one: Outcome) -> tuple[float, float, str]:
        if one.run is None:
            return (float("inf"), 0.0, one.trial.name)
        found = valid_figures(one.run)
        return (-found["valid_macro_f1"], found["valid_loss"], one.trial.name)

    return sorted(outcomes, key=key)


def _test(run: Run) -> tuple[str, Interval]:
    measure = run.metrics()["measures"][0]
    return measure["name"], Interval(**measure["clips"])


def _write(folder: Path, outcomes: Sequence[Outcome], labels: dict[str, dict[str, object]]) -> None:
    rows, drawn, name = [], [], "figure"
    for one in _ordered(outcomes):
        way = labels[one.trial.name]
        row: dict[str, object] = {key: settings.write_value(value) for key, value in way.items()}
        if one.run is not None:
            name, test = _test(one.run)
            found = valid_figures(one.run)
            row |= found | {
                f"test_{name.replace(' ', '_')}": test.value,
                "test_low": test.low,
                "test_high": test.high,
            }
            row |= {"leak": one.run.metrics()["leak"]["status"], "seconds": one.seconds}
            drawn.append((_words(way), Interval(found["valid_macro_f1"]), test))
        rows.append(
            row | {"run": one.trial.name, "status": "done" if one.run else "failed", "reason": one.reason}
        )
    frame = pd.DataFrame(rows)
    last = ["run", "status", "reason"]
    with replacing(folder / "sweep.csv", newline="", errors="surrogateescape") as file:
        frame[[*frame.columns.difference(last, sort=False), *last]].to_csv(
            file, index=False, float_format="%.6g"
        )
    for format in ("png", "svg"):
        with replacing(folder / f"sweep.{format}", "wb") as file:
            title = "Settings, the best on validation clips first"
            axis = f"macro F1 of validation clips, {name} of test clips"
            file.write(runcharts.figures(drawn, axis, title=title, format=format))


def _words(way: dict[str, object]) -> str:
    return ", ".join(f"{key.split('.')[-1]} {settings.write_value(value)}" for key, value in way.items())


def _text(outcomes: Sequence[Outcome], labels: dict[str, dict[str, object]]) -> str:
    ordered = _ordered(outcomes)
    keys = list(labels[ordered[0].trial.name])
    name = next(_test(one.run)[0] for one in ordered if one.run)
    rows = [(*keys, "validation macro F1", f"test {name}", "95 % interval", "")]
    for one in ordered:
        way = tuple(settings.write_value(value) for value in labels[one.trial.name].values())
        if one.run is None:
            rows.append((*way, "failed", "", "", one.reason))
        else:
            _, test = _test(one.run)
            mark = "LEAKS" if one.run.metrics()["leak"]["status"] == "leaks" else ""
            told = percent(valid_figures(one.run)["valid_macro_f1"])
            rows.append((*way, told, percent(test.value), span(test), mark))
    best = ordered[0]
    assert best.run is not None
    return "\n".join(
        [
            aligned(rows),
            "",
            f"The validation clips choose {_words(labels[best.trial.name])}: "
            f"test {name} {percent(_test(best.run)[1].value)}.",
            "Quote that one: the highest test figure of the table would have been chosen by the test.",
        ]
    )
