"""`python -m pretraining`: make sounds, learn from them, write the weights that the default network begins with."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import save
from tqdm import tqdm

from earmark.errors import UserError
from earmark.files import replacing
from earmark.models.residual import PRETRAINED
from pretraining.learning import Pretraining, make_features

MOVE = 0.98
"""Share of the last step's figures in those shown."""


def main() -> None:
    """Sounds are drawn once and may be kept in a file; the weights appear at the end, whole or not at all."""
    parser = argparse.ArgumentParser(prog="python -m pretraining", description=__doc__)
    parser.add_argument("--sounds", type=at_least(2), default=10000)
    parser.add_argument("--recordings", type=at_least(2), default=3, help="of each sound, at least 2")
    parser.add_argument("--steps", type=at_least(1), default=3000)
    parser.add_argument("--seed", type=at_least(0), default=0)
    parser.add_argument("--jobs", type=at_least(1), default=2, help="processes that draw sounds")
    parser.add_argument(
        "--kept", type=Path, help="a file that keeps the sounds' features (.npz), or has them already"
    )
    parser.add_argument("-o", "--out", type=Path, default=PRETRAINED)
    args = parser.parse_args()
    try:
        with replacing(args.out, "wb") as file:  # known to be writable before half an hour of work
            pretraining = Pretraining(*sounds(args), args.steps, args.seed)
            follow(pretraining)
            file.write(save(pretraining.weights()))
    except UserError as error:
        sys.exit(f"python -m pretraining: {error}")


def at_least(least: int) -> Callable[[str], int]:
    """An argument's type: a whole number from `least` on."""

    def number(words: str) -> int:
        if (value := int(words)) < least:
            raise argparse.ArgumentTypeError(f"found {value}, wanted {least} or more")
        return value

    return number


def sounds(args: argparse.Namespace) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
    """Features and descriptions: those kept, or drawn anew and kept where that is asked for."""
    if args.kept and args.kept.exists():
        try:
            with np.load(args.kept) as kept:
                return kept["features"], kept["descriptions"]
        except (OSError, KeyError, ValueError, BadZipFile) as error:
            raise UserError(
                args.kept, f"holds no sounds: {error}", "Delete it, or name another file."
            ) from None
    features, descriptions = make_features(args.sounds, args.recordings, args.seed, args.jobs)
    if args.kept:
        with replacing(args.kept, "wb") as file:
            np.savez(file, features=features, descriptions=descriptions)
    return features, descriptions


def follow(pretraining: Pretraining) -> None:
    """Go to the last step and show how far it is."""
    means = None
    bar = tqdm(pretraining.steps(), total=pretraining.n_steps, mininterval=10)
    for figures in bar:
        means = np.array(figures) if means is None else MOVE * means + (1 - MOVE) * np.array(figures)
        told, described, right = means
        bar.set_postfix_str(
            f"contrast {told:.3f}, description {described:.3f}, found {right:.1%}", refresh=False
        )


if __name__ == "__main__":
    main()
