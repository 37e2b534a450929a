"""The contract that every network keeps, over all of `NETWORKS`."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import pytest
import torch

from earmark.errors import UserError
from earmark.features import MFCC, STFT, FeatureConfig, Features, LogMel, Waveform, sounding
from earmark.models import NETWORKS, Classifier, ModelSpec
from earmark.models.crops import Cropping, scoring_crops
from earmark.models.residual import ResidualBlock
from earmark.run import load_model, save_model


@pytest.fixture(params=sorted(NETWORKS))
def spec(request: pytest.FixtureRequest, specs: dict[str, ModelSpec]) -> ModelSpec:
    return specs[request.param]


def waveforms(spec: ModelSpec, n: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return 0.1 * torch.randn(n, round(spec.cropping.seconds * spec.sample_rate), generator=generator)


def test_every_network_has_a_spec_to_be_tested_with(specs: dict[str, ModelSpec]) -> None:
    assert specs.keys() == NETWORKS.keys()


def test_the_four_stages_make_the_whole(spec: ModelSpec) -> None:
    model, x = Classifier(spec).eval(), waveforms(spec)
    maps = model.backbone(model.normalisation(model.features(x)))
    embedding = model.join(model.pool(maps), model.features(x))
    assert maps.shape[0] == 2
    assert embedding.shape == (2, model.head.in_features)
    torch.testing.assert_close(model.head(embedding), model(x))
    assert isinstance(model.head, torch.nn.Linear)


def test_the_logits_are_the_mean_of_what_each_branch_says_by_itself(spec: ModelSpec) -> None:
    model, x = Classifier(spec).eval(), waveforms(spec)
    features = model.features(x)
    branches = model.branches(model.pool(model.backbone(model.normalisation(features))), features)
    assert len(branches) == (2 if model.statistics is not None else 1)
    torch.testing.assert_close(branches.mean(dim=0), model(x))


@pytest.mark.parametrize("task", ["single-label", "binary", "multi-label"])
def test_scores_are_probabilities_a_class(spec: ModelSpec, task: str) -> None:
    classes = ("a", "b") if task == "binary" else ("a", "b", "c")
    model = Classifier(dataclasses.replace(spec, task=task, classes=classes)).eval()
    scores = model.scores(waveforms(spec))
    assert scores.shape == (2, len(classes))
    assert ((scores >= 0) & (scores <= 1)).all()
    if task != "multi-label":
        torch.testing.assert_close(scores.sum(dim=1), torch.ones(2))


def test_a_clip_is_scored_alike_alone_and_in_company(spec: ModelSpec) -> None:
    model, x = Classifier(spec).eval(), waveforms(spec, 3)
    torch.testing.assert_close(model.scores(x)[1:2], model.scores(x[1:2]), rtol=1e-4, atol=1e-5)


def test_a_clip_shorter_or_longer_than_a_crop_gets_a_score(spec: ModelSpec) -> None:
    model, x = Classifier(spec).eval(), waveforms(spec)
    for samples in (x[:, : x.shape[1] // 3], torch.cat([x, x, x[:, :777]], dim=1)):
        assert torch.isfinite(model.scores(samples)).all()


def test_gradients_reach_the_waveform_and_every_weight(spec: ModelSpec) -> None:
    model, x = Classifier(spec).train(), waveforms(spec, 4).requires_grad_()
    model(x).square().sum().backward()
    assert x.grad is not None and x.grad.abs().sum() > 0
    assert all(p.grad is not None for p in model.parameters())


def test_training_overfits_two_clips(spec: ModelSpec) -> None:
    torch.manual_seed(0)
    model, x = Classifier(spec).train(), waveforms(spec, 4)
    y = torch.tensor([0, 1, 0, 1])
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(40):
        loss = torch.nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.3


def test_a_saved_model_scores_as_before(spec: ModelSpec, tmp_path: Path) -> None:
    model, x = Classifier(spec).eval(), waveforms(spec)
    save_model(model, tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert again.spec == spec
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    assert torch.equal(again.scores(x), model.scores(x))


def test_channels_last_changes_the_memory_and_not_the_scores(spec: ModelSpec) -> None:
    model, x = Classifier(spec), waveforms(spec, 4)
    twin = copy.deepcopy(model).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for one in (model, twin):
        torch.manual_seed(0)  # the same dropout
        one.train()(x).square().sum().backward()
    for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(twin.eval()(x), model.eval()(x), rtol=1e-3, atol=1e-4)


def test_the_penalised_weights_are_the_models_own_and_those_of_its_copy(spec: ModelSpec) -> None:
    model = Classifier(spec)
    for one in (model, copy.deepcopy(model), model.double().to(memory_format=torch.channels_last)):  # type: ignore[call-overload]
        own = {id(weight): name for name, weight in one.named_parameters()}
        found = [own[id(weight)] for weight, strength in one.l2 if strength > 0]
        assert all(name.endswith(".weight") and not name.startswith("head") for name in found)
        assert bool(found) == (getattr(spec.network, "l2", 0) + getattr(spec.network, "hidden_l2", 0) > 0)
    assert not any(name.startswith("l2") for name in model.state_dict())


def test_a_network_of_any_length_takes_its_least_and_more(spec: ModelSpec) -> None:
    model = Classifier(spec).eval()
    shape = model.features.shape(round(spec.cropping.seconds * spec.sample_rate))
    stages = spec.network.build(shape)
    lengths = (stages.exact_frames,) if stages.exact_frames else (stages.min_frames, shape[-1], shape[-1] + 7)
    for n in lengths:
        assert model.classify(torch.randn(2, *shape[:-1], n)).isfinite().all()


def test_a_crop_too_short_for_the_network_is_refused_in_words() -> None:
    from earmark.models.stages import Shape, Stages

    @dataclasses.dataclass(frozen=True)
    class Picky:
        exact: int | None
        least: int

        def build(self, shape: Shape) -> Stages:
            return Stages(torch.nn.Identity(), torch.nn.Identity(), 4, self.least, self.exact)

    spec = ModelSpec(
        ("a", "b"), "single-label", 8000, 1.0, Cropping(1.0), LogMel(n_mels=8), Picky(None, 9999)
    )
    with pytest.raises(UserError, match=r"network: a crop of 1 s gives 16 frames, the network needs 9999"):
        Classifier(spec)
    with pytest.raises(UserError, match="takes exactly 7"):
        Classifier(dataclasses.replace(spec, network=Picky(7, 1)))


# -- crops --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("length", "n_frames", "n_crops"), [(10, 10, 1), (4, 10, 1), (11, 10, 2), (20, 10, 3), (500, 10, 16)]
)
def test_crops_cover_a_clip_from_end_to_end(length: int, n_frames: int, n_crops: int) -> None:
    x = torch.arange(length, dtype=torch.float32).expand(1, 2, length)
    crops = scoring_crops(x, n_frames, 16, torch.tensor([-7.0, -8.0]))
    assert crops.values.shape == (n_crops, 1, 2, n_frames)
    assert crops.values[0, 0, 0, 0] == 0
    torch.testing.assert_close(crops.weights, torch.full((n_crops,), 1 / n_crops))
    if length >= n_frames:
        assert crops.values[-1, 0, 0, -1] == length - 1
    else:
        assert crops.values[0, 0, :, -1].tolist() == [-7.0, -8.0]


def test_a_waveform_is_padded_with_silence() -> None:
    assert scoring_crops(torch.ones(1, 3), 5, 16, torch.zeros(1)).values.tolist() == [[[1, 1, 1, 0, 0]]]


def test_a_crop_counts_by_how_much_of_it_is_no_digital_silence() -> None:
    floor = torch.tensor([-7.0, -8.0])
    x = floor[:, None].repeat(1, 30)[None]
    x[0, 1, :8] += 0.1  # one row is enough
    crops = scoring_crops(x, 10, 16, floor)  # at 0, 5, 10, 15, 20
    torch.testing.assert_close(crops.weights, torch.tensor([8, 3, 0, 0, 0]) / 11)
    found = torch.rand(5, 4)
    torch.testing.assert_close(crops.mean(found), (8 * found[0] + 3 * found[1]) / 11)
    torch.testing.assert_close(crops.log_mean(found.log()), crops.mean(found).log())


def test_of_nothing_but_silence_every_crop_counts() -> None:
    crops = scoring_crops(torch.full((1, 2, 30), -7.0), 10, 16, torch.full((2,), -7.0))
    torch.testing.assert_close(crops.weights, torch.full((5,), 0.2))


@pytest.mark.parametrize(
    "config", [Waveform(), STFT(n_fft=256), STFT(n_fft=256, scale="db"), LogMel(n_fft=256, n_mels=16), MFCC()]
)
def test_digital_silence_is_told_from_the_quietest_sound(config: FeatureConfig) -> None:
    features = Features(config, 8000)
    quiet = torch.randint(-1, 2, (1, 8000), generator=torch.Generator().manual_seed(0)) / 2**15
    assert not sounding(features(torch.zeros(1, 8000)), features.floor).any()
    assert sounding(features(quiet), features.floor).float().mean() > 0.5


def test_crops_of_zeros_behind_a_clip_have_no_say_in_its_scores(spec: ModelSpec) -> None:
    model, x = Classifier(spec).eval(), waveforms(spec, 1)
    padded = torch.nn.functional.pad(x, (0, 4 * x.shape[1]))
    crops = model.crops(model.features(padded)[0])
    assert len(crops) > 5
    assert crops.weights[0] > 0.6
    assert (crops.weights[3:] == 0).all()
    heard = model.probabilities(model.classify(crops.values[:3]))
    torch.testing.assert_close(model.scores(padded)[0], crops.weights[:3] @ heard, rtol=1e-4, atol=1e-5)


# -- the residual network -----------------------------------------------------------------------------------


def test_a_residual_block_whose_convolutions_are_silent_passes_its_input() -> None:
    block = ResidualBlock(4, 4, stride=1).eval()
    torch.nn.init.zeros_(block.body[3].weight)
    x = torch.rand(1, 4, 6, 7)
    torch.testing.assert_close(block(x), x)
