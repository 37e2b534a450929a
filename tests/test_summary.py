"""Every figure that the sources of the reference systems print: output shapes and numbers of parameters."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from earmark.cli import main
from earmark.errors import UserError
from earmark.models import Classifier, Summary, summarise
from earmark.plan import sketch_spec, summarise_source
from earmark.recipe import read_recipe, recipe_names

SIXTH = "network.closing_norm=true"


def summary(recipe: str, *changes: str, classes: int | None = None) -> Summary:
    return summarise(Classifier(sketch_spec(read_recipe(recipe, changes), classes)))


def table(found: Summary) -> list[tuple[tuple[int, ...], int]]:
    """Output shapes, channels first, and parameters of what the sources list, but for dropout and batch norm."""
    kinds = {"Convolution", "MaxPool", "Flatten", "Mean", "Linear"}
    return [(one.shape, one.parameters) for one in found.layers if one.kind in kinds]


def counts(found: Summary) -> tuple[int, int]:
    """As Keras prints them: all parameters, and the trainable ones."""
    return found.parameters_keras, found.trainable


# -- A: instruments -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "parameters"), [(16, [160, 4640, 18496, 73856]), (32, [320, 9248, 18496, 73856])]
)
def test_the_instrument_network_is_the_published_one(first: int, parameters: list[int]) -> None:
    found = summary("instrument-mfcc-cnn", f"network.filters=[{first}, 32, 64, 128]")
    assert found.layers[0].shape == (1, 13, 9)
    shapes = [(n, 13, 9) for n in (first, 32, 64, 128)]
    assert table(found) == [
        *zip(shapes, parameters, strict=True),
        ((128, 6, 4), 0), ((3072,), 0), ((128,), 393344), ((64,), 8256), ((10,), 650),
    ]  # fmt: skip
    assert counts(found) == {16: (499402, 499402), 32: (504170, 504170)}[first]
    assert [one.name for one in found.layers if one.oversized] == ["pool.dense1"]


# -- B: instrument families ---------------------------------------------------------------------------------


def test_the_first_family_network_is_the_published_one() -> None:
    found = summary("nsynth-waveform-gap")
    assert found.layers[0].shape == (1, 8000)
    assert table(found) == [((64, 7999), 192), ((64, 7998), 8256), ((64,), 0), ((10,), 650)]
    assert counts(found) == (9098, 9098)


def test_the_second_family_network_is_the_published_one() -> None:
    found = summary("nsynth-waveform-cnn")
    assert table(found) == [
        ((64, 7999), 192), ((32, 7998), 4128), ((92, 7997), 5980), ((92, 3998), 0),
        ((367816,), 0), ((24,), 8827608), ((10,), 250),
    ]  # fmt: skip
    assert counts(found) == (8838158, 8838158)


# -- C: two genres at 400 Hz --------------------------------------------------------------------------------


def test_the_low_rate_network_is_the_published_one() -> None:
    found = summary("lowrate-conv1d")
    assert found.layers[0].shape == (1, 1200)
    assert table(found) == [
        ((32, 300), 1024), ((32, 100), 31776), ((48, 50), 23088), ((48, 25), 34608),
        ((1200,), 0), ((64,), 76864), ((1,), 65),
    ]  # fmt: skip
    assert counts(found) == (167425, 167425)


def test_the_perceptron_is_the_published_one() -> None:
    found = summary("lowrate-mlp")
    assert table(found) == [((1200,), 0), ((256,), 307456), ((64,), 16448), ((1,), 65)]
    assert counts(found) == (323969, 323969)


# -- D: ten genres ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "changes", "hidden", "expected"),
    [
        (1, (), [512, 256, 128, 64, 32], (1040682, 1040682)),
        (2, (), [256, 128, 64, 32], (476458, 476458)),
        (3, (), [512, 256, 128, 64], (1038922, 1038922)),
        (4, (), [256, 128, 64], (474698, 474698)),
        (5, (), [512, 256, 128, 64], (1049522, 1044222)),
        (6, (), [512, 256, 128, 64], (1049522, 1044222)),
        (6, (SIXTH,), [512, 256, 128, 64], (1049778, 1044350)),
    ],
)
def test_the_dense_genre_networks_are_the_published_ones(
    number: int, changes: tuple[str, ...], hidden: list[int], expected: tuple[int, int]
) -> None:
    found = summary(f"gtzan-mfcc-mlp-{number}", *changes)
    assert found.layers[0].shape == (1, 13, 130)
    assert [shape for shape, _ in table(found)] == [(n,) for n in (1690, *hidden, 10)]
    assert counts(found) == expected
    norms = [one.shape for one in found.layers if one.kind == "BatchNorm1d"]
    wanted = [(n,) for n in (1690, *hidden, *([64] if changes else []))] if number > 4 else []
    assert norms == wanted


@pytest.mark.parametrize(
    ("filters", "flatten", "parameters"),
    [
        ((32, 32, 32, 32), 256, 32362),
        ((64, 32, 32, 32), 256, 42026),
        ((128, 64, 64, 32), 256, 111850),
        ((256, 128, 64, 64), 512, 370122),
        ((256, 128, 64, 32), 256, 351530),
        ((32, 64, 128, 256), 2048, 218442),
        ((64, 128, 256, 256), 2048, 406218),
    ],
)
def test_the_convolutional_genre_networks_are_the_published_ones(
    filters: tuple[int, ...], flatten: int, parameters: int
) -> None:
    found = summary("gtzan-mfcc-cnn", f"network.filters={list(filters)}")
    assert found.layers[0].shape == (1, 13, 130)
    pools = [one.shape for one in found.layers if one.kind == "MaxPool"]
    sides = [(6, 64), (2, 31), (1, 15), (1, 8)]
    assert pools == [(n, *two) for n, two in zip(filters, sides, strict=True)]
    assert [shape for shape, _ in table(found)][-3:] == [(flatten,), (64,), (10,)]
    assert counts(found) == (parameters, parameters - 2 * sum(filters))


def test_the_best_genre_network_has_the_published_trainable_parameters() -> None:
    assert counts(summary("gtzan-mfcc-cnn")) == (351530, 350570)


# -- E: sax or not ------------------------------------------------------------------------------------------


def test_the_sax_network_is_the_published_one() -> None:
    found = summary("sax-mel-cnn", classes=2)
    assert found.layers[0].shape == (1, 128, 108)
    assert table(found) == [
        ((10, 62, 52), 260), ((10, 31, 26), 0), ((20, 14, 11), 5020), ((20, 7, 5), 0),
        ((700,), 0), ((100,), 70100), ((2,), 202),
    ]  # fmt: skip
    assert counts(found) == (75582, 75582)


@pytest.mark.parametrize(
    ("recipe", "length"),
    [("gtzan-mfcc-cnn", 64), ("lowrate-conv1d", 64), ("nsynth-waveform-cnn", 24), ("sax-mel-cnn", 100),
     ("gtzan-mfcc-mlp-1", 32), ("instrument-mfcc-cnn", 64), ("nsynth-waveform-gap", 64)],
)  # fmt: skip
def test_embeddings_are_what_the_head_hears(recipe: str, length: int) -> None:
    assert Classifier(sketch_spec(read_recipe(recipe))).head.in_features == length


# -- summaries in general -----------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", recipe_names())
def test_totals_are_those_of_the_layers(recipe: str) -> None:
    found = summary(recipe)
    assert found.parameters == sum(one.parameters for one in found.layers)
    assert found.trainable == sum(one.trainable for one in found.layers) == found.parameters
    assert sum(one.oversized for one in found.layers) <= 1


def test_a_summary_leaves_the_model_as_it_was() -> None:
    model = Classifier(sketch_spec(read_recipe("gtzan-mfcc-cnn"))).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.backbone.requires_grad_(False)
    found = summarise(model)
    assert found.trainable == 64 * 256 + 64 + 650
    assert model.training and not any(module._forward_hooks for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_the_command_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["summary", "nsynth-waveform-cnn"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["layer", "kind", "output", "shape", "parameters", "trainable"]
    (marked,) = [line for line in lines if "more than half of all" in line]
    assert marked.split()[:4] == ["pool.dense1", "Linear", "(24,)", "8,827,608"]
    assert lines[-1].startswith("parameters 8,838,158, trainable 8,838,158; as Keras counts")


def test_the_command_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["summary", "sax-mel-cnn", "--json", "--classes", "2"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["layers", "parameters", "trainable", "parameters_keras"]
    assert found["parameters"] == 75582
    assert next(one for one in found["layers"] if one["name"] == "backbone.conv1") == {
        "name": "backbone.conv1", "kind": "Convolution", "shape": [10, 62, 52],
        "parameters": 260, "trainable": 260, "oversized": False,
    }  # fmt: skip


def test_a_run_and_a_file_can_be_summarised(trained: Path, tmp_path: Path) -> None:
    assert summarise_source(str(trained)).layers[-1].shape == (2,)
    (tmp_path / "mine.toml").write_text(read_recipe("lowrate-mlp").to_toml())
    assert summarise_source(str(tmp_path / "mine.toml")).parameters == 323969


def test_what_cannot_be_summarised_is_refused_in_words(trained: Path) -> None:
    with pytest.raises(UserError, match="Did you mean 'sax-mel-cnn'"):
        summarise_source("sax-mel-cn")
    with pytest.raises(UserError, match="--classes: found 3 beside a run"):
        summarise_source(str(trained), 3)
    with pytest.raises(UserError, match="found 3 for the task 'binary', wanted 2"):
        summarise_source("lowrate-mlp", 3)
    with pytest.raises(UserError, match="found 1 for the task 'single-label', wanted at least 2"):
        summarise_source("default", 1)
    with pytest.raises(UserError, match="this is not a run of earmark"):
        summarise_source(str(trained.parent))
