"""`MODEL_CARD.md`: what a run is made of, how good it is and what it is not for, in the words of its report.

The sections follow Mitchell et al., "Model cards for model reporting" (2019).
"""

from __future__ import annotations

from pathlib import Path

from earmark.features import FEATURES
from earmark.files import replacing
from earmark.findings import Evaluation
from earmark.intervals import Interval
from earmark.models import NETWORKS, ModelSpec
from earmark.models.residual import Residual
from earmark.report import Report, answers, percent, points, span
from earmark.run import Run
from earmark.settings import kind_of

FEW = 10
"""Test clips of a class below which its figure says little."""


def write_card(path: Path, run: Run, found: Evaluation, report: Report) -> None:
    """Write the card of an evaluated run as Markdown.

    Raises:
        UserError: the file cannot be written.
    """
    with replacing(path, errors="surrogateescape") as file:
        file.write(render_card(run, found, report))


def render_card(run: Run, found: Evaluation, report: Report) -> str:
    """The card: a title, then a section each for use, model, data, figures and limits."""
    spec = found.scored.spec
    sections = {
        "What it does": _use(spec),
        "The model": _model(run, spec, report),
        "What it was trained and tested on": _data(run, report),
        "How good it is": _figures(report),
        "Limits": _limits(found, report),
        "Made by": [
            *(f"- {name} {version}" for name, version in report.versions),
            "",
            f"    {report.command}",
        ],
    }
    parts = [
        f"# {_text(report.run)}",
        "",
        f"Model card of {report.made}; `report.html` beside it has more.",
        "",
    ]
    for title, lines in sections.items():
        parts += [f"## {title}", "", *lines, ""]
    return "\n".join(parts).rstrip() + "\n"


def _use(spec: ModelSpec) -> list[str]:
    each = {
        "single-label": "gives each stretch of sound exactly one of these classes",
        "binary": "says which of these two classes a stretch of sound has",
        "multi-label": "says of each of these classes whether a stretch of sound has it",
    }[spec.task]
    return [
        f"It {each}, {spec.clip_seconds:g} s at a time:",
        "",
        *(f"- {_text(name)}" for name in spec.classes),
        "",
        "It knows no other class: a sound of none of them is given one of them all the same."
        if spec.task != "multi-label"
        else "It knows no other class.",
    ]


def _model(run: Run, spec: ModelSpec, report: Report) -> list[str]:
    recipe = run.recipe
    n = sum(p.numel() for p in run.model().parameters())
    return [
        f"- network: {kind_of(NETWORKS, spec.network)}, {n:,} parameters",
        f"- features: {kind_of(FEATURES, spec.features)} of sound at {spec.sample_rate:,} Hz: what is above "
        f"{spec.sample_rate / 2:,.0f} Hz is not heard",
        f"- trained from {_beginning(spec)} on {run.facts.device}, seed {recipe.training.seed}; "
        "the recipe is in `config.toml`",
        f"- what chose the model: {report.chosen_by}; the test split chose nothing",
    ]


def _beginning(spec: ModelSpec) -> str:
    made_up = isinstance(spec.network, Residual) and spec.network.pretrained
    return "weights that earmark learned from made-up sounds" if made_up else "random weights"


def _data(run: Run, report: Report) -> list[str]:
    lines = ["| split | clips | recordings | groups |", "|---|--:|--:|--:|"]
    lines += [f"| {s.name} | {s.clips:,} | {s.recordings:,} | {s.groups:,} |" for s in report.splits]
    how = {
        "grouped": f"kept whole: {report.grouped_by}",
        "given": "as given in the table's column `split`",
        "segments": "by segment: parts of one recording are on both sides",
    }[run.facts.protocol]
    status = {"no": "no leak is known", "possible": "a leak is possible", "leaks": "**LEAKS**"}[
        report.leak.status
    ]
    return [*lines, "", f"- the split: {how}", f"- leak status: {status}: {report.leak.why}"]


def _figures(report: Report) -> list[str]:
    lines = ["| on the test split | figure | 95 % interval |", "|---|--:|--:|"]
    for measure in report.measures:
        lines.append(_row(measure.name, measure.clips))
        if measure.recordings is not None:
            lines.append(_row(f"{measure.name} of whole recordings", measure.recordings))
    first = report.measures[0].name
    for rival in report.baselines:
        value = next((m.clips for m in rival.measures if m.name == first), None)
        if value is not None:
            ahead = (
                "" if rival.difference is None else f" (the network is ahead by {points(rival.difference)})"
            )
            lines.append(_row(f"{first} of {rival.title}{ahead}", value))
    classes = ["", "| class | test clips | precision | recall | F1 |", "|---|--:|--:|--:|--:|"]
    for c in report.per_class:
        cells = " | ".join(percent(v) for v in (c.precision, c.recall, c.f1))
        classes.append(f"| {_text(c.name)} | {c.support:,} | {cells} |")
    said = [f"- {answer.question} {answer.word}. {answer.sentence}" for answer in answers(report)[1:]]
    return [*lines, *classes, "", *said]


def _limits(found: Evaluation, report: Report) -> list[str]:
    few = [c.name for c in report.per_class if 0 < c.support < FEW]
    lines = [
        "- The figures hold for sounds like those of the test split: other microphones, rooms, players or places "
        "may be harder.",
        "- Scores are not probabilities of being right; they were not calibrated.",
    ]
    if few:
        lines.append(
            f"- Fewer than {FEW} test clips, so that their figures say little: {', '.join(map(_text, few))}."
        )
    if report.absent:
        lines.append(f"- Not tested at all: {', '.join(map(_text, report.absent))}.")
    if found.n_unusable:
        lines.append(f"- {found.n_unusable:,} test clips could not be used and are in no figure.")
    return [*lines, *(f"- {_text(note)}" for note in report.warnings)]


def _row(name: str, value: Interval) -> str:
    return f"| {_text(name)} | {percent(value.value)} | {span(value)} |"


def _text(words: str) -> str:
    """Words that Markdown takes as they are, in one line."""
    plain = " ".join(words.split())
    return "".join(f"\\{c}" if c in "\\`*_[]<>|#" else c for c in plain)
