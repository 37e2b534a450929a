"""Clip table + recipe -> trained run: one flat, resumable loop."""

from __future__ import annotations

import copy
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from earmark import metrics, splits
from earmark.audio import REASONS
from earmark.augment import Augment, augment_features, augment_waveforms, freq_mixstyle, spec_augment
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
    if plan.sounds != run.facts.sounds:
        raise UserError(
            run.path,
            "the recordings are not those that the training was begun with",
            "Put them back, or train anew.",
        )
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
    recipe, device = run.recipe.training, torch.device(run.facts.device)
    train, valid = plan.rows("train"), plan.rows("valid")
    targets = soft_targets(plan)
    generator = torch.Generator().manual_seed(recipe.seed)
    draws = torch.Generator(device).manual_seed(recipe.seed + 1)

    precision: torch.dtype = getattr(torch, recipe.precision)

    keep_freed_memory()
    with using_threads(run.facts.threads):
        # The model, its normalisation fitted on the training clips only, and what moves its weights.
        torch.manual_seed(recipe.seed)
        model = Classifier(plan.spec)
        initialise(model, recipe.initialisation)
        model.begin()
        fit_normalisation(model, plan.features.take(train))
        clips, source = sources(plan, model, run.recipe.augment.on_waveforms)
        batches = TrainingBatches(
            clips, targets[train], source, plan.spec.cropping, recipe.batch_size, generator
        )
        model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        n_epochs = count_epochs(recipe, batches.n_batches)
        descent = Descent(model, recipe, n_epochs, batches.n_batches)
        monitor = recipe.monitor if len(valid) and recipe.monitor != "none" else None
        average = copy.deepcopy(model) if recipe.average else model
        state = State(model, average, descent, (generator, draws), monitor)
        restore(run, state)
        criterion = Criterion(
            plan.spec.task, targets[train], recipe.class_balance, recipe.label_smoothing, recipe.loss
        ).to(device)

        n_steps = n_epochs * batches.n_batches
        with logbook(run, state.average, n_steps, descent.n_steps, options) as log:
            for epoch in range(len(state.history), n_epochs):
                if recipe.patience and epoch - state.best_epoch >= recipe.patience:
                    say(f"stopped early: no better {recipe.monitor} for {recipe.patience} epochs")
                    break
                started = time.perf_counter()
                log.begin()
                model.train()
                for x, y in augmented(batches, source, model.features, run.recipe.augment, draws):
                    # One step: forward, down the slope, and the average follows.
                    with torch.autocast(device.type, precision, enabled=precision != torch.float32):
                        branches = logits_of_branches(model, x, run.recipe.augment, draws)
                    loss = mean_loss(criterion, branches, y)
                    descent.step(loss)
                    if recipe.average:
                        follow(state.average, model, recipe.average, descent.n_steps)
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


def _protocol(table: ClipTable, recipe: Recipe) -> Literal["grouped", "given", "segments"]:
    if recipe.split.protocol == "segments":
        return "segments"
    return "grouped" if table.column("split") is None else "given"


def _choose_threads(plan: Plan, recipe: Recipe, options: Options, device: str) -> tuple[int, float]:
    """Threads and the seconds of a step; 0 seconds where that is not known."""
    if device != "cpu":
        return torch.get_num_threads(), 0.0
    most = os.cpu_count() or 1
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


def augmented(
    batches: TrainingBatches,
    source: Features,
    features: Features,
    augment: Augment,
    draws: torch.Generator,
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Batches of one epoch, augmented, on the device of `draws`: unnormalised features and their targets.

    Args:
        batches: crops of what `source` gives.
        source: the model's features, or waveforms where those are augmented.
        features: the model's.
        augment: what is done to them.
        draws: every draw comes from it.
    """
    for crops, targets in batches:
        x, y = crops.to(draws.device), targets.to(draws.device)
        if source is not features:
            x = features(augment_waveforms(x[:, 0], augment, draws))
        yield augment_features(x, y, augment, features, draws)


def logits_of_branches(
    model: Classifier, x: torch.Tensor, augment: Augment, draws: torch.Generator
) -> torch.Tensor:
    """Logits `[n_branches, B, n_outputs]` of a batch of unnormalised features, with the network's view disturbed.

    The branch on statistics hears `x` itself: masks would be to it what no recording has.
    """
    seen = freq_mixstyle(model.normalisation(x), augment.freq_mixstyle, draws)
    seen = spec_augment(seen, augment, model.features, draws)
    return model.branches(model.pool(model.backbone(seen)), x)


def mean_loss(criterion: Criterion, branches: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Mean of the branches' losses: each learns as if it were alone, so that none leans on another's errors."""
    return torch.stack([criterion(logits.float(), targets) for logits in branches]).mean()


@torch.no_grad()
def follow(average: nn.Module, model: nn.Module, decay: float, step: int) -> None:
    """Move the average of the weights toward the model's; the decay warms up so that the start is forgotten."""
    decay = min(decay, (1 + step) / (10 + step))
    ours, theirs = average.state_dict(), model.state_dict()
    floats = [name for name, value in ours.items() if value.is_floating_point()]
    torch._foreach_lerp_([ours[name] for name in floats], [theirs[name] for name in floats], 1 - decay)
    for name in ours.keys() - set(floats):
        ours[name].copy_(theirs[name])


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
