from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from earmark.errors import UserError
from earmark.models import summarise
from earmark.run import check_new, create_run, load_model, open_run

FROZEN = Path(__file__).parent / "frozen"


@pytest.fixture
def copy(trained: Path, tmp_path: Path) -> Path:
    """A copy of the trained run, to be damaged."""
    return Path(shutil.copytree(trained, tmp_path / "run"))


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_run_that_is_not_there_names_its_neighbours(trained: Path) -> None:
    with pytest.raises(UserError, match=rf"no such run\. Runs in {trained.parent}: run\."):
        open_run(trained.parent / "rum")


def test_a_foreign_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="this is not a run of earmark: it has no run.toml"):
        open_run(tmp_path)


def test_a_newer_run_is_refused(copy: Path) -> None:
    change(copy / "run.toml", "format = 1", "format = 99")
    with pytest.raises(
        UserError, match=r"run\.toml: its format is 99, this program reads up to 1\. Install a newer"
    ):
        open_run(copy)


def test_a_newer_model_is_refused(copy: Path) -> None:
    change(copy / "model" / "model.toml", "format = 1", "format = 99")
    with pytest.raises(UserError, match=r"model\.toml: its format is 99"):
        open_run(copy).model()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda f: (f / "weights.safetensors").unlink(), "no such file. Copy the model folder whole"),
        (lambda f: (f / "weights.safetensors").write_bytes(b"\0" * 100), "the weights are damaged"),
        (
            lambda f: (f / "weights.safetensors").write_bytes((f / "weights.safetensors").read_bytes()[:-9]),
            "the weights are damaged",
        ),
        (
            lambda f: change(f / "model.toml", "widths = [", "widths = [8, "),
            "do not belong to the network.*another version of earmark",
        ),
        (
            lambda f: change(f / "model.toml", "format = 1", 'format = "one"'),
            "its format is 'one', wanted a number",
        ),
        (
            lambda f: change(f / "model.toml", "[network]", "[netwrk]"),
            "there is no setting 'netwrk'. Did you mean 'network'",
        ),
        (lambda f: (f / "model.toml").write_text("= ="), "this is not TOML"),
    ],
)
def test_a_damaged_model_is_refused_in_words(copy: Path, damage: object, words: str) -> None:
    damage(copy / "model")  # type: ignore[operator]
    with pytest.raises(UserError, match=words):
        load_model(copy / "model")


def test_a_model_folder_stands_by_itself(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained / "model", tmp_path / "elsewhere")
    ours, theirs = load_model(trained / "model"), load_model(tmp_path / "elsewhere")
    x = torch.linspace(-0.1, 0.1, 8000)[None]
    assert torch.equal(ours.scores(x), theirs.scores(x))


def test_no_pickle_is_in_the_model(trained: Path) -> None:
    assert sorted(p.name for p in (trained / "model").iterdir()) == ["model.toml", "weights.safetensors"]


def test_filter_banks_are_not_stored_with_the_weights(trained: Path) -> None:
    model, file = load_model(trained / "model"), trained / "model" / "weights.safetensors"
    assert any(name.startswith("features.") for name, _ in model.named_buffers())
    assert not [name for name in load_file(file) if name.startswith("features.")]
    assert file.stat().st_size < 4 * summarise(model).parameters_keras + 20_000


def test_an_empty_folder_may_become_a_run_and_a_full_one_may_not(tmp_path: Path) -> None:
    create_run(tmp_path / "a" / "b")
    check_new(tmp_path / "a" / "b")
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="this exists already"):
        check_new(tmp_path / "file")
    with pytest.raises(UserError, match="cannot be written"):
        create_run(tmp_path / "file" / "below")


def test_a_frozen_model_of_the_first_format_loads_for_ever() -> None:
    model = load_model(FROZEN / "model-1")
    time = torch.arange(8000) / 8000
    tones = torch.stack([0.3 * torch.sin(2 * torch.pi * f * time) for f in (300.0, 2500.0)])
    expected = torch.from_numpy(
        np.loadtxt(FROZEN / "scores-1.csv", delimiter=",", skiprows=1, dtype=np.float32)
    )
    torch.testing.assert_close(model.scores(tones), expected, rtol=1e-3, atol=1e-4)
    assert model.spec.classes == ("high", "low")
