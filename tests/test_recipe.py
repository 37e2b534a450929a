from __future__ import annotations

from pathlib import Path

import pytest

from earmark.errors import UserError
from earmark.features import Features
from earmark.recipe import describe_all, read_recipe, recipe_names


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_reads_and_survives_being_written(name: str, tmp_path: Path) -> None:
    recipe = read_recipe(name)
    (tmp_path / "copy.toml").write_text(recipe.to_toml())
    assert read_recipe(tmp_path / "copy.toml") == recipe
    assert recipe.about.summary


def test_ours_is_listed_first() -> None:
    assert describe_all().startswith("default ")


def test_a_change_is_made_after_reading() -> None:
    recipe = read_recipe("default", ["training.epochs=7", "network.widths=[8, 16]", "split.test_fold='3'"])
    assert (recipe.training.epochs, recipe.network.widths) == (7, (8, 16))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("training.epoch=7", r"default, \[training\]: there is no setting 'epoch'\. Did you mean 'epochs'"),
        ("trainig.epochs=7", r"there is no setting 'trainig'\. Did you mean 'training'"),
        ("training.epochs=0", r"epochs = 0 is not a value"),
        ("training.learning_rate=fast", r"learning_rate = 'fast'"),
        ("features.n_mel=4", r"\[features\]: there is no setting 'n_mel'\. Did you mean 'n_mels'"),
        ("network.kind=transformer", r"\[network\]: there is no kind 'transformer'"),
        ("normalisation=band", r"normalisation = 'band'.*Did you mean 'bands'"),
    ],
)
def test_a_wrong_change_is_refused_in_words(change: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        read_recipe("default", [change])


def test_an_unknown_recipe_names_the_near_one() -> None:
    with pytest.raises(UserError, match="Did you mean 'default'"):
        read_recipe("defualt")
    with pytest.raises(UserError, match=r"mine\.toml: no such file"):
        read_recipe("mine.toml")


def test_the_default_network_is_small() -> None:
    recipe = read_recipe("default")
    features = Features(recipe.features, recipe.audio.sample_rate)
    stages = recipe.network.build(features.shape(round(recipe.audio.crop_seconds * recipe.audio.sample_rate)))
    sizes = {
        name: sum(p.numel() for p in getattr(stages, name).parameters())
        for name in ("backbone", "statistics")
    }
    assert 250_000 < sizes["backbone"] < 320_000
    assert 80_000 < sizes["statistics"] < 150_000


def test_a_fold_or_a_group_may_be_called_by_a_number() -> None:
    split = read_recipe("default", ["split.test_fold=3", "split.test_group=07"]).split
    assert (split.test_fold, split.test_group) == ("3", "07")
