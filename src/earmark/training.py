"""Clip table + recipe -> trained run: one flat, resumable loop."""

from __future__ import annotations

import copy
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from earmark import metrics, splits
from earmark.audio import REASONS
from earmark.cache import ClipFeatures, FeatureStore
from earmark.checkpoints import Epoch, State, load_checkpoint, record, restore
from earmark.clips import ClipTable, require_classes, write_clips
from earmark.dataset import TrainingBatches
from earmark.devices import choose_device, keep_freed_memory, using_threads
from earmark.errors import UserError
from earmark.features import Features, Waveform
from earmark.logbook import logbook
from earmark.losses import Criterion, choose_loss, loss_of_scores
from earmark.models import Classifier, Task
from earmark.optimisation import Descent, initialise
from earmark.plan import Plan, make_plan, settled
from earmark.prediction import score_clips
from earmark.probing import knows_sound
from earmark.recipe import Recipe, Training
from earmark.run import Run, RunFacts, check_new, create_run, open_run, save_model
from earmark.tables import counted
from earmark.teamwork import team
from earmark.trainer import Trainer

Say = Callable[[str], None]
"""Takes a line for the person who waits."""


@dataclass(frozen=True)
class Options:
    """How to train, as far as it does not belong to the recipe."""

    device: str = "auto"
    """`auto` (a GPU where there is one), `cpu`, `cuda`, `mps` ..."""
    threads: int | None = None
    """Threads on a CPU; none: the number that is quickest here and now."""
    tensorboard: bool = False
    """Write `tb/` too (needs the extra `tensorboard`)."""
    progress: bool = False
    """Show bars with the time left."""
    command: str = ""
    """What the run says that it was made by."""


def train(
    table: ClipTable, recipe: Recipe, out: Path, options: Options | None = None, say: Say = print
) -> Run:
    """Train a recipe on labelled clips.

    Args:
        table: labelled clips; a `split` column is obeyed.
        recipe: the settings.
        out: the run folder to make.
        options: device, threads and the like.
        say: takes a line for the person who waits.

    Returns:
        The run, with its model.

    Raises:
        UserError: `out` exists; clips that cannot be used, split or told apart; a loss that is no number.
    """
    options = options or Options()
    check_new(out)
    device = choose_device(options.device)
    require_classes(table)
    plan = make_plan(table, recipe, options.progress)
    _require_shares(plan, recipe.training)
    say(describe_plan(plan))
    threads, step_seconds = _choose_threads(plan, recipe, options, device)
    facts = RunFacts(
        created=datetime.now().astimezone().isoformat(timespec="seconds"),
        command=options.command,
        device=device,
        threads=threads,
        protocol=_protocol(table, recipe),
        sounds=plan.sounds,
        knows_sound=knows_sound(plan.table),
        warnings=plan.warnings,
    )
    say(describe_work(plan, recipe.training, step_seconds, facts))
    run = create_run(out)
    if len(plan.unusable):
        write_clips(plan.unusable, run.unusable_path)
    run.write(facts, recipe, plan.table)
    with run.in_use():
        fit(run, plan, options, say)
    return run


def resume(path: Path, options: Options | None = None, say: Say = print) -> Run:
    """Go on with a training that was broken off, with the threads and the precision chosen at its start.

    Raises:
        UserError: not a run, already trained, or its recordings have changed since.
    """
    options = options or Options()
    run = open_run(path, trained=False)
    if run.is_trained:
        raise UserError(
            run.path, "its training has come to its end already", "Train again under another name."
        )
    plan = make_plan(run.clips(), settled(run.recipe), options.progress)
    _require_same_sounds(run, plan)
    _require_shares(plan, run.recipe.training)
    with run.in_use():
        fit(run, plan, options, say)
    return run


def fit(run: Run, plan: Plan, options: Options, say: Say = print) -> None:
    """Train, from the last checkpoint of the run if there is one, and save the best model.

    Args:
        run: holds the recipe, and the device and threads chosen when it was begun.
        plan: clips, features and the model's spec.
        options: bars and TensorBoard.
        say: takes a line for the person who waits.
    """
    recipe, valid, targets = run.recipe.training, plan.rows("valid"), soft_targets(plan)
    together = team()
    together.agree(run.path.resolve())
    keep_freed_memory()
    with using_threads(run.facts.threads):
        trainer = make_trainer(run, plan)
        state, descent = trainer.state, trainer.state.descent
        n_epochs = count_epochs(recipe, trainer.batches.n_batches)
        n_steps = n_epochs * trainer.batches.n_batches
        with logbook(run, state.average, n_steps, descent.n_steps, options) as log:
            for epoch in range(len(state.history), n_epochs):
                if recipe.patience and epoch - state.best_epoch >= recipe.patience:
                    say(f"stopped early: no better {recipe.monitor} for {recipe.patience} epochs")
                    break
                started = time.perf_counter()
                log.begin()
                together.agree(True)
                for loss, branches, y in trainer.epoch():
                    log.step(loss, branches.mean(dim=0), y)

                # How good it is on clips that it does not train on.
                if not np.isfinite(log.mean_loss()):
                    raise diverged(run, epoch + 1, log.mean_loss())
                scores = score_clips(state.average, plan.features.take(valid))
                row = Epoch(
                    epoch + 1,
                    descent.n_steps,
                    time.perf_counter() - started,
                    descent.rate,
                    log.mean_loss(),
                    *judge(scores, targets[valid], plan.spec.task, recipe.loss),
                    log.mean_accuracy(),
                )

                # Keep the best, and all that is needed to go on.
                descent.end_epoch(row.valid_loss)
                log.epoch(row, state.average)
                record(run, state, row)

    # The model of the best epoch is the run's.
    best = Classifier(plan.spec)
    best.load_state_dict(load_checkpoint(run, "best.pt")["average"])
    save_model(best, run.model_path)


def assist() -> None:
    """Help the leader of a team with each of its trainings, until it has no more.

    Its word is the folder of a run that begins, True for one more epoch of it, or None at the end.

    Raises:
        UserError: the recordings are not here as they are where the leader is.
    """
    together = team()
    word = together.agree()
    while word is not None:
        run = open_run(word, trained=False)
        plan = make_plan(run.clips(), settled(run.recipe))
        _require_same_sounds(run, plan)
        with using_threads(run.facts.threads):
            trainer = make_trainer(run, plan)
            while (word := together.agree()) is True:
                for _ in trainer.epoch():
                    pass


def make_trainer(run: Run, plan: Plan) -> Trainer:
    """A model with its normalisation fitted on the training clips only, and all that its steps need.

    Where the run has a checkpoint it goes on from there.
    """
    recipe, device = run.recipe.training, torch.device(run.facts.device)
    rows, targets, together = plan.rows("train"), soft_targets(plan), team()
    generator = torch.Generator().manual_seed(recipe.seed)
    draws = torch.Generator(device).manual_seed(recipe.seed + 1)
    torch.manual_seed(recipe.seed)
    model = Classifier(plan.spec)
    initialise(model, recipe.initialisation)
    model.begin()
    fit_normalisation(model, plan.features.take(rows))
    clips, source = sources(plan, model, run.recipe.augment.on_waveforms)
    batches = TrainingBatches(
        clips, targets[rows], source, plan.spec.cropping, recipe.batch_size, generator, together
    )
    model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    descent = Descent(model, recipe, count_epochs(recipe, batches.n_batches), batches.n_batches)
    monitor = recipe.monitor if len(plan.rows("valid")) and recipe.monitor != "none" else None
    average = copy.deepcopy(model) if recipe.average else model
    state = State(model, average, descent, (generator, draws), monitor)
    restore(run, state)
    if not together.leads:
        draws.manual_seed(recipe.seed + 1 + together.rank)
        torch.manual_seed(recipe.seed + 1 + together.rank)
    criterion = Criterion(
        plan.spec.task, targets[rows], recipe.class_balance, recipe.label_smoothing, recipe.loss
    ).to(device)
    return Trainer(state, recipe, run.recipe.augment, batches, source, criterion, together)


# -- before the loop ----------------------------------------------------------------------------------------


def describe_plan(plan: Plan) -> str:
    """The split by class, what could not be used, and warnings, for the person who waits."""
    lines = [splits.crosstab(plan.table).to_string()]
    if len(plan.unusable):
        reasons, counts = np.unique(plan.unusable.frame["reason"].to_numpy(str), return_counts=True)
        each = ", ".join(f"{n} {REASONS.get(why, why)}" for why, n in zip(reasons, counts, strict=True))
        lines.append(f"left out, because they cannot be used: {each}")
    return "\n".join([*lines, *(f"warning: {one}" for one in plan.warnings)])


def describe_work(plan: Plan, recipe: Training, step_seconds: float, facts: RunFacts) -> str:
    """What training will do and how long it may take."""
    n_train = len(plan.rows("train"))
    n_batches = max(1, round(n_train / recipe.batch_size))
    n_epochs = count_epochs(recipe, n_batches)
    where = counted(facts.threads, "thread") if facts.device == "cpu" else facts.device
    about = f", about {_duration(1.3 * step_seconds * n_epochs * n_batches)}" if step_seconds else ""
    return f"training: {counted(n_epochs, 'epoch')} of {counted(n_batches, 'step')} on {where}{about}"


def _require_same_sounds(run: Run, plan: Plan) -> None:
    if plan.sounds != run.facts.sounds:
        raise UserError(
            run.path,
            "the recordings are not those that the training was begun with",
            "Put them back, or train anew.",
        )


def _require_shares(plan: Plan, recipe: Training) -> None:
    """Refuse more processes than there are pairs of clips in a batch: norms over a batch need two."""
    size, n_train = team().size, len(plan.rows("train"))
    smallest = n_train // max(1, round(n_train / recipe.batch_size))
    if size > 1 and smallest < 2 * size:
        raise UserError(
            "torchrun",
            f"found {size} processes for batches of {smallest} clips, wanted two clips or more for each",
            f"Start {max(1, smallest // 2)}, or take larger batches: --set training.batch_size={8 * size}.",
        )


def _protocol(table: ClipTable, recipe: Recipe) -> Literal["grouped", "given", "segments"]:
    if recipe.split.protocol == "segments":
        return "segments"
    return "grouped" if table.column("split") is None else "given"


def _choose_threads(plan: Plan, recipe: Recipe, options: Options, device: str) -> tuple[int, float]:
    """Threads and the seconds of a step; 0 seconds where that is not known."""
    if device != "cpu":
        return torch.get_num_threads(), 0.0
    most = max(1, (os.cpu_count() or 1) // team().size)
    candidates = (options.threads,) if options.threads else tuple(sorted({1, most // 2 or 1, most}))
    return choose_threads(plan, recipe.training, candidates)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def count_epochs(recipe: Training, n_batches: int) -> int:
    """Number of epochs: the recipe's, within its bounds of steps in all."""
    steps = recipe.epochs * n_batches
    steps = max(steps, recipe.min_steps or 0)
    steps = min(steps, recipe.max_steps or steps)
    return max(1, round(steps / n_batches))


def soft_targets(plan: Plan) -> NDArray[np.float32]:
    """Targets `[n, n_classes]` as the loss wants them: 0, 1, or NaN where unknown."""
    targets = plan.table.targets(plan.spec.classes)
    if targets.ndim == 2:
        return targets.astype(np.float32)
    return np.eye(len(plan.spec.classes), dtype=np.float32)[targets]


def fit_normalisation(model: Classifier, clips: ClipFeatures) -> None:
    """Fit the normalisation on the training clips' features."""
    model.normalisation.fit(np.array(clip).T[None] for clip in clips)


def sources(plan: Plan, model: Classifier, on_waveforms: bool) -> tuple[ClipFeatures, Features]:
    """What batches are cropped from: cached features, or cached waveforms where those are augmented."""
    train = plan.rows("train")
    if not on_waveforms:
        return plan.features.take(train), model.features
    waveform = Features(Waveform(), plan.spec.sample_rate)
    return FeatureStore(waveform, plan.spec.resampler).collect(plan.table.take(train)), waveform


def choose_threads(plan: Plan, recipe: Training, candidates: tuple[int, ...]) -> tuple[int, float]:
    """The number of threads that trains quickest here and now, and its seconds a step.

    More threads are often slower on a busy machine, so a few steps are timed with each number.
    """
    model = Classifier(plan.spec).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    shape = model.features.shape(round(plan.spec.cropping.seconds * plan.spec.sample_rate))
    x = torch.zeros(min(recipe.batch_size, len(plan.rows("train"))), *shape)
    times = {}
    for threads in candidates:
        with using_threads(threads):
            times[threads] = min(_timed_step(model, x) for _ in range(3))
    best = min(times, key=lambda threads: times[threads])
    return best, times[best]


def _timed_step(model: Classifier, x: torch.Tensor) -> float:
    started = time.perf_counter()
    model.classify(x).square().mean().backward()
    return time.perf_counter() - started


# -- in the loop --------------------------------------------------------------------------------------------


def judge(
    scores: NDArray[np.float32], targets: NDArray[np.float32], task: Task, loss: str = "auto"
) -> tuple[float, float, float]:
    """Loss, accuracy and macro-F1 of the validation clips; NaN where there are none."""
    if not len(scores):
        return (float("nan"),) * 3
    multi = task == "multi-label"
    if multi:
        found = ((scores >= 0.5) == (targets > 0.5))[~np.isnan(targets)]
    else:
        found = scores.argmax(axis=1) == targets.argmax(axis=1)
    counts = metrics.count(targets if multi else targets.argmax(axis=1), scores).map(lambda x: x.sum(axis=0))
    mean_loss = loss_of_scores(scores, targets, choose_loss(loss, task))
    return mean_loss, float(found.mean()), float(metrics.macro_f1(counts))


def diverged(run: Run, epoch: int, loss: float) -> UserError:
    """The error of a training whose loss is no number any more; a run without a checkpoint makes room again."""
    if not run.checkpoints_path.exists():
        shutil.rmtree(run.path, ignore_errors=True)
    return UserError(
        run.path,
        f"the loss of epoch {epoch} is {loss}, wanted a finite number",
        "Train anew with a lower rate, for example --set training.learning_rate=1e-3, under another -o.",
    )
