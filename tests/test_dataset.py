from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from earmark import audio
from earmark.clips import ClipTable
from earmark.dataset import ClipDataset, TrainingBatches, crop_lengths
from earmark.features import Features, LogMel, Waveform
from earmark.models import Classifier, ModelSpec
from earmark.models.crops import Cropping


@pytest.fixture(scope="session")
def model(specs: dict[str, ModelSpec]) -> Classifier:
    return Classifier(specs["residual"])


def batches(model: Classifier, lengths: list[int], batch_size: int = 4, seed: int = 0) -> TrainingBatches:
    clips = [np.arange(n, dtype=np.float32)[:, None] + np.zeros((1, 64), np.float32) for n in lengths]
    targets = np.eye(3, dtype=np.float32)[np.arange(len(lengths)) % 3]
    return TrainingBatches(
        clips, targets, model.features, model.spec.cropping, batch_size, torch.Generator().manual_seed(seed)
    )


@given(n=st.integers(2, 60), batch_size=st.integers(1, 40))
def test_an_epoch_holds_every_clip_once_in_batches_of_nearly_one_size(
    specs: dict[str, ModelSpec], n: int, batch_size: int
) -> None:
    own = batches(Classifier(specs["residual"]), [200] * n, batch_size)
    own.targets = torch.arange(n)
    seen = [target.tolist() for _, target in own]
    assert sorted(i for part in seen for i in part) == list(range(n))
    assert max(map(len, seen)) - min(map(len, seen)) <= 1
    assert len(seen) == own.n_batches


def test_a_crop_is_a_piece_of_its_clip(model: Classifier) -> None:
    shortest, longest = crop_lengths(model.features, model.spec.cropping)
    for features, _ in batches(model, [300] * 16):
        assert features.shape[1:3] == (1, 64)
        assert shortest <= features.shape[3] <= longest == model.crop_frames
        steps = features.diff(dim=3)
        assert torch.equal(steps, torch.ones_like(steps))


def test_a_short_clip_stands_somewhere_on_the_floor(model: Classifier) -> None:
    floor = model.features.floor[0]
    places = set()
    for features, _ in batches(model, [5] * 40):
        for clip in features[:, 0, 0]:
            heard = (clip != floor).nonzero()[:, 0]
            assert clip[heard].tolist() == [0, 1, 2, 3, 4]
            places.add(int(heard[0]))
    assert len(places) > 5


def test_a_crop_of_a_padded_clip_holds_some_of_its_sound(model: Classifier) -> None:
    clip = np.tile(model.features.floor.numpy(), (400, 1))
    clip[20:70] = 1.0
    own = batches(model, [400] * 64)
    own.clips = [clip] * 64
    crops = [crop for features, _ in own for crop in features[:, 0]]
    assert all((crop == 1).any() for crop in crops)
    own.clips = [np.tile(model.features.floor.numpy(), (400, 1))] * 64  # of silence alone, silence
    assert all(torch.equal(x[0, 0], model.features.floor[:, None].expand(x.shape[2:])) for x, _ in own)


def test_the_generator_alone_decides(model: Classifier) -> None:
    first, again, other = (list(batches(model, [300] * 9, seed=seed)) for seed in (1, 1, 2))
    assert all(torch.equal(a[0], b[0]) for a, b in zip(first, again, strict=True))
    assert any(
        a[0].shape != b[0].shape or not torch.equal(a[0], b[0]) for a, b in zip(first, other, strict=True)
    )


def test_clips_of_a_crops_length_take_as_many_draws_as_others() -> None:
    clips = [np.full((4000, 1), i, np.float32) for i in range(40)]
    generator, again = torch.Generator().manual_seed(3), torch.Generator().manual_seed(3)
    features = Features(Waveform(), 8000)
    own = TrainingBatches(clips, np.eye(40, dtype=np.float32), features, Cropping(0.5), 40, generator)
    ((whole, _),) = list(own)
    order = torch.randperm(40, generator=again)
    torch.randint(4000, 4001, (), generator=again)  # the length of the crops
    for _ in clips:
        torch.randint(0, 1, (), generator=again)  # where each begins
    assert torch.equal(whole, order.float()[:, None, None].expand(40, 1, 4000))
    assert torch.equal(generator.get_state(), again.get_state()), "a seed means the same at any length"


def test_waveforms_are_cropped_to_samples() -> None:
    clips = [np.arange(50_000, dtype=np.float32)[:, None]] * 4
    features = Features(Waveform(), 8000)
    own = TrainingBatches(
        clips, np.eye(4, dtype=np.float32), features, Cropping(0.5, 0.25), 4, torch.Generator()
    )
    ((crops, _),) = list(own)
    assert crops.shape[:2] == (4, 1)
    assert 2000 <= crops.shape[2] <= 4000
    assert torch.equal(crops.diff(dim=2), torch.ones(4, 1, crops.shape[2] - 1))


# -- for a loop of one's own --------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_dataset_works_with_a_plain_data_loader(table: ClipTable) -> None:
    features = Features(LogMel(n_fft=512, hop_length=256, n_mels=16), 8000)
    loader = DataLoader(ClipDataset(table, features, seconds=1.5), batch_size=5, shuffle=True)
    seen = [
        (name, int(target)) for x, target, names in loader for name, target in zip(names, target, strict=True)
    ]
    labels = dict(zip(table.frame["file"], table.frame["label"], strict=True))
    assert len({name for name, _ in seen}) == len(table)
    assert all(table.classes[target] == labels[name.split(",")[0]] for name, target in seen)
    x, _, names = next(iter(loader))
    assert x.shape == (5, 1, 16, features.n_frames(12000))
    assert names[0].endswith(",0,")


def test_items_are_the_features_of_their_clip_and_short_ones_end_in_silence(table: ClipTable) -> None:
    features = Features(LogMel(n_fft=512, hop_length=256, n_mels=16), 22050)
    own = ClipDataset(table, features, seconds=2.0)
    wave = audio.read(table.paths()[3], 22050)
    expected = features(torch.from_numpy(wave)[None])[0]
    x, _, _ = own[3]
    torch.testing.assert_close(x[..., : expected.shape[-1]], expected)
    assert (x[..., expected.shape[-1] :] == features.floor[:, None]).all()


def test_a_transform_is_called_and_a_bad_file_is_no_item(table: ClipTable) -> None:
    (table.paths()[0]).write_bytes(b"no sound")
    own = ClipDataset(table, Features(Waveform(), 8000), seconds=1.0, transform=lambda x: x * 0 + 7)
    assert len(own) == len(table) - 1
    assert list(own.unusable.values()) == ["not_audio"]
    assert (own[0][0] == 7).all()
