"""`python -m pretraining`: make sounds, learn from them, write the weights that the default network begins with."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from safetensors.torch import save
from tqdm import tqdm

from earmark.models.residual import PRETRAINED
from pretraining.learning import Pretraining, make_features

MOVE = 0.98
"""Share of the last step's figures in those shown."""


def main() -> None:
    """Sounds are drawn once and kept in a file; the weights are written at the end."""
    parser = argparse.ArgumentParser(prog="python -m pretraining", description=__doc__)
    parser.add_argument("--sounds", type=int, default=10000)
    parser.add_argument("--recordings", type=int, default=3, help="of each sound, at least 2")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="processes that draw sounds")
    parser.add_argument(
        "--kept", type=Path, help="a file that keeps the sounds' features (.npz), or has them already"
    )
    parser.add_argument("-o", "--out", type=Path, default=PRETRAINED)
    args = parser.parse_args()
    if args.kept and args.kept.exists():
        with np.load(args.kept) as kept:
            features, descriptions = kept["features"], kept["descriptions"]
    else:
        features, descriptions = make_features(args.sounds, args.recordings, args.seed, args.jobs)
        if args.kept:
            np.savez(args.kept, features=features, descriptions=descriptions)
    pretraining = Pretraining(features, descriptions, args.steps, args.seed)
    means = None
    bar = tqdm(pretraining.steps(), total=args.steps, mininterval=10)
    for figures in bar:
        means = np.array(figures) if means is None else MOVE * means + (1 - MOVE) * np.array(figures)
        told, described, right = means
        bar.set_postfix_str(
            f"contrast {told:.3f}, description {described:.3f}, found {right:.1%}", refresh=False
        )
    args.out.write_bytes(save(pretraining.weights()))


if __name__ == "__main__":
    main()
