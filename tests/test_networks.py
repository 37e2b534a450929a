"""The families of networks against Keras (from files), against plain arithmetic, and in their own words.

Keras's side is written by `keras/make_fixtures.py`: same weights, inputs and labels from a seed, dropout left out.
"""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from earmark.devices import using_threads
from earmark.errors import UserError
from earmark.losses import Criterion
from earmark.models import Classifier
from earmark.models.conv1d import Conv1d
from earmark.models.conv2d import Conv2d
from earmark.models.crnn import CRNN
from earmark.models.dense import Dense
from earmark.models.layers import Convolution, MaxPool, Sides, SteppedConv2d
from earmark.models.pooling import Attention, LastState, Mean
from earmark.models.recurrent import Recurrent, States
from earmark.models.stages import Shape
from earmark.optimisation import Descent
from earmark.plan import sketch_spec
from earmark.recipe import Recipe, read_recipe, recipe_names

KERAS = Path(__file__).parent / "keras"


def rule() -> ModuleType:
    """What both sides draw from a seed."""
    spec = importlib.util.spec_from_file_location("rule", KERAS / "rule.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RULE = rule()

# -- against Keras ------------------------------------------------------------------------------------------

CASES = {path.stem: path for path in sorted(KERAS.glob("*.npz"))}


def recipe_of(case: str) -> Recipe:
    """The recipe of a case, its variant, and no dropout."""
    changes = []
    if case.startswith("gtzan-mfcc-cnn-"):
        changes = [f"network.filters=[{case.removeprefix('gtzan-mfcc-cnn-').replace('-', ', ')}]"]
    if case == "instrument-mfcc-cnn-text":
        changes = ["network.filters=[16, 32, 64, 128]"]
    if case.endswith("-sixth-norm"):
        changes = ["network.closing_norm=true"]
    if case == "sax-mel-cnn":
        changes = ["training.optimizer=sgd", "training.learning_rate=0.01"]
    families = ["gtzan-mfcc-cnn", "instrument-mfcc-cnn", "gtzan-mfcc-mlp-6"]
    name = next((one for one in families if case.startswith(f"{one}-")), case)
    convolutional = isinstance(read_recipe(name).network, Conv1d | Conv2d)
    dropout = ["dropout", "hidden_dropout"] if convolutional else ["dropout"]
    return read_recipe(name, [*changes, *(f"network.{one}=0.0" for one in dropout)])


class Twin:
    """A classifier in float64 with the weights that the Keras one of a case has, and the way between their layouts.

    Keras keeps channels last; system D has time before coefficients, so its kernels and maps are turned too.
    """

    def __init__(self, case: str) -> None:
        self.recipe = recipe_of(case)
        spec = sketch_spec(self.recipe, 2 if case.startswith(("lowrate", "sax")) else 10)
        self.model = Classifier(spec).double()
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.time_first = case.startswith("gtzan")
        self.shape = self.model.features.shape(round(spec.cropping.seconds * spec.sample_rate))
        self.places = dict(self._places())
        rng = np.random.RandomState(RULE.SEED)
        with torch.no_grad():
            for weight, (role, place) in self.places.items():
                drawn = RULE.draw_weight(rng, role, place.shape)
                flat = np.empty(drawn.size)
                flat[place.ravel()] = drawn.ravel()
                weight.copy_(torch.from_numpy(flat).view(weight.shape))

    def batch(self, n: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs as our features, and one-hot targets."""
        order = self._turned(np.arange(int(np.prod(self.shape))).reshape(self.shape))
        n_classes = len(self.model.spec.classes)
        drawn, labels = RULE.draw_batch(order.shape, n_classes, n)
        flat = np.empty((n, order.size))
        flat[:, order.ravel()] = drawn.reshape(n, -1)
        x = torch.from_numpy(flat).view(n, *self.shape)
        return x, torch.eye(n_classes, dtype=torch.float64)[torch.from_numpy(labels)]

    def classify(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of features that are not normalised: the two sides meet behind that."""
        return self.model.head(self.model.pool(self.model.backbone(x)))  # type: ignore[no-any-return]

    def digests(self, value: Callable[[torch.Tensor], torch.Tensor | None]) -> NDArray[np.float64]:
        """What is kept of something of each weight, in Keras's order and layout; without what has none."""
        found = [(value(weight), place) for weight, (_, place) in self.places.items()]
        return np.stack(
            [
                RULE.digest(one.detach().contiguous().numpy().ravel()[place.ravel()])
                for one, place in found
                if one is not None
            ]
        )

    def _places(self) -> Iterator[tuple[torch.Tensor, tuple[str, NDArray[np.int64]]]]:
        """Each weight with its role, and where in it the numbers of Keras's stand: an array of Keras's shape."""
        flat_order: NDArray[np.int64] | None = None
        with torch.no_grad():
            maps = self.model.backbone(torch.zeros(2, *self.shape, dtype=torch.float64))
        for layer in [*self.model.backbone.modules(), *self.model.pool.modules(), self.model.head]:
            if isinstance(layer, nn.Flatten):
                shape = tuple(maps.shape[1:])
                flat_order = self._turned(np.arange(int(np.prod(shape))).reshape(shape)).ravel()
            if isinstance(layer, Convolution):
                yield layer.weight, ("kernel", self._kernel(positions(layer.weight)))
                yield layer.bias, ("bias", positions(layer.bias))
            if isinstance(layer, nn.Linear):
                place = positions(layer.weight)
                if flat_order is not None:
                    place, flat_order = place[:, flat_order], None
                yield layer.weight, ("kernel", place.T)
                yield layer.bias, ("bias", positions(layer.bias))
            if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
                names = ("gamma", "beta", "moving_mean", "moving_variance")
                weights = (layer.weight, layer.bias, layer.running_mean, layer.running_var)
                for name, weight in zip(names, weights, strict=True):
                    place = positions(weight)
                    yield weight, (name, place if flat_order is None else place[flat_order])

    def _turned(self, maps: NDArray[np.int64]) -> NDArray[np.int64]:
        """`(C, F, N)` or `(C, T)` -> Keras's order."""
        if maps.ndim == 2:
            return maps.T if len(maps) > 1 or isinstance(self.recipe.network, Conv1d) else maps[0]
        turned = maps.transpose(2, 1, 0) if self.time_first else maps.transpose(1, 2, 0)
        return turned[..., 0] if isinstance(self.recipe.network, Dense) else turned

    def _kernel(self, weight: NDArray[np.int64]) -> NDArray[np.int64]:
        """`(out, in, F, N)` -> `(N, F, in, out)`, `(F, N, in, out)` or `(T, in, out)`."""
        if isinstance(self.recipe.network, Conv1d):
            return weight[:, :, 0].transpose(2, 1, 0)
        return weight.transpose(3, 2, 1, 0) if self.time_first else weight.transpose(2, 3, 1, 0)


def positions(weight: torch.Tensor) -> NDArray[np.int64]:
    """An array of the weight's shape that counts its numbers."""
    return np.arange(weight.numel()).reshape(tuple(weight.shape))


def use_keras_epsilon(descent: Descent) -> None:
    """Keras's Adam adds 1e-7 to a root that is not yet corrected for its start: at step one that is 3.2e-6 here."""
    for group in descent.optimizer.param_groups:
        if "eps" in group:
            group["eps"] = 1e-7 / (1 - 0.999) ** 0.5


@pytest.mark.parametrize("case", CASES)
def test_a_network_answers_as_in_keras(case: str) -> None:
    twin, keras = Twin(case), np.load(CASES[case])
    x, _ = twin.batch(len(keras["scores"]))
    with torch.no_grad():
        twin.model.eval()
        scores = twin.model.probabilities(twin.classify(x)).numpy()
    if twin.recipe.task == "binary":
        scores = scores[:, 1:]
    np.testing.assert_allclose(
        scores, keras["scores"], rtol=0, atol=2e-9
    )  # Keras keeps a slope of 0.3 in float32


@pytest.mark.parametrize("case", CASES)
def test_one_step_of_training_is_that_of_keras(case: str) -> None:
    twin, keras = Twin(case), np.load(CASES[case])
    model, recipe = twin.model.train(), twin.recipe.training
    x, y = twin.batch(len(keras["scores"]))
    counts = seen_by_norms(model)
    criterion = Criterion(model.spec.task, y.float().numpy(), recipe.class_balance, 0.0, recipe.loss).double()
    before = {weight: weight.detach().clone() for weight in twin.places}
    penalty = sum(l2 * float(weight.detach().square().sum()) for weight, l2 in model.l2)
    descent = Descent(model, recipe, n_epochs=1, n_batches=1)
    use_keras_epsilon(descent)
    assert descent.rate == float(keras["rate"])

    loss = criterion(twin.classify(x), y)
    descent.step(loss)

    np.testing.assert_allclose([loss.item(), loss.item() + penalty], keras["loss"], rtol=1e-7)
    assert_digests(twin.digests(lambda weight: weight.grad), keras["gradients"], 1e-7, 2e-9)

    def as_keras(weight: torch.Tensor) -> torch.Tensor:
        # Keras lets the variance of the batch itself move the running one, torch that of its population.
        if weight not in counts:
            return weight
        n = counts[weight]
        return 0.99 * before[weight] + (weight - 0.99 * before[weight]) * (n - 1) / n

    # Keras keeps the rate and Adam's constants in float32: a step differs by 1e-5 of itself.
    assert_digests(twin.digests(as_keras), keras["after"], 1e-6, 1e-5 * descent.rate)


def assert_digests(ours: NDArray[np.float64], keras: NDArray[np.float64], share: float, atol: float) -> None:
    """Sums agree within a share of the sum of absolute values, single numbers within that share, or `atol`."""
    n = RULE.N_KEPT
    assert (np.abs(ours - keras)[:, :2] <= share * keras[:, 1:2] + n * atol).all()
    np.testing.assert_allclose(ours[:, 2:], keras[:, 2:], rtol=share, atol=atol)


@pytest.mark.parametrize("case", CASES)
def test_keras_counts_as_the_summary_does(case: str) -> None:
    from earmark.models import summarise

    found = summarise(Twin(case).model)
    assert (found.parameters_keras, found.trainable) == tuple(np.load(CASES[case])["parameters"])


def test_every_reference_network_is_held_against_keras() -> None:
    assert len(CASES) == 21
    assert sum(path.stat().st_size for path in CASES.values()) < 3_000_000


def seen_by_norms(model: nn.Module) -> dict[torch.Tensor, int]:
    """Running variance of each batch norm -> how many numbers a channel it is taken from, once it has run."""
    counts: dict[torch.Tensor, int] = {}

    def note(norm: nn.Module, args: tuple[torch.Tensor], _: torch.Tensor) -> None:
        counts[norm.running_var] = args[0].numel() // args[0].shape[1]  # type: ignore[index]

    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layer.register_forward_hook(note)
    return counts


# -- layers against plain arithmetic ------------------------------------------------------------------------


def windows(x: torch.Tensor, k: int, s: int, padding: str, value: float) -> list[torch.Tensor]:
    """The windows of a line of numbers, by the rule of Keras written out."""
    length = len(x)
    out = -(-length // s) if padding == "same" else (length - k) // s + 1
    total = max((out - 1) * s + k - length, 0) if padding == "same" else 0
    left = total // 2
    line = torch.cat([torch.full((left,), value), x, torch.full((total - left,), value)])
    return [line[i * s : i * s + k] for i in range(out)]


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_lines_are_convolved_and_pooled_by_the_rule(padding: str) -> None:
    generator = torch.Generator().manual_seed(0)
    for length, k, s in itertools.product(range(1, 10), range(1, 5), range(1, 5)):
        if padding == "same" or k <= length:
            x = torch.randn(length, generator=generator) - 3  # a padded 0 would win
            check_line(x, k, s, padding)


def check_line(x: torch.Tensor, k: int, s: int, padding: str) -> None:
    """Convolve and pool a line of numbers."""
    convolution = Convolution(1, 1, (1, k), (1, s), padding).requires_grad_(False)  # type: ignore[arg-type]
    pool = MaxPool((1, k), (1, s), padding)  # type: ignore[arg-type]
    kernel, bias = convolution.weight.flatten(), convolution.bias
    wanted = torch.stack([(one * kernel).sum() + bias[0] for one in windows(x, k, s, padding, 0.0)])
    torch.testing.assert_close(convolution(x[None, None])[0, 0], wanted)
    with torch.no_grad():
        torch.testing.assert_close(convolution(x[None, None])[0, 0], wanted)
    wanted = torch.stack([one.max() for one in windows(x, k, s, padding, float("-inf"))])
    torch.testing.assert_close(pool(x[None, None])[0, 0], wanted)
    # Along the other axis too, and of maps.
    turned = MaxPool((k, 1), (s, 1), padding)  # type: ignore[arg-type]
    torch.testing.assert_close(turned(x[None, None, :, None])[0, 0, :, 0], wanted)


def test_a_pool_of_both_axes_is_that_of_one_after_the_other() -> None:
    x = torch.randn(2, 3, 7, 10)
    whole = MaxPool((3, 2), (2, 1), "same")(x)
    torch.testing.assert_close(whole, MaxPool((1, 2), (1, 1), "same")(MaxPool((3, 1), (2, 1), "same")(x)))
    assert whole.shape == (2, 3, 4, 10)


@pytest.mark.parametrize("stride", [1, 2, 3, 8])
def test_a_convolution_of_waveforms_is_torchs_and_so_are_its_slopes(stride: int) -> None:
    layer, x = Convolution(3, 5, (1, 7), (1, stride), "valid"), torch.randn(2, 3, 50, requires_grad=True)
    leaves = (x, layer.weight, layer.bias)
    wanted = F.conv1d(x, layer.weight[:, :, 0], layer.bias, stride=stride)
    slopes = torch.autograd.grad(wanted.square().sum(), leaves)  # type: ignore[arg-type]
    for _ in range(2):
        torch.testing.assert_close(layer(x), wanted)
        found = torch.autograd.grad(layer(x).square().sum(), leaves)  # type: ignore[arg-type]
        torch.testing.assert_close(found, slopes)
        with torch.no_grad():
            torch.testing.assert_close(layer(x), wanted)
        layer.weight.data = layer.weight.data.to(memory_format=torch.channels_last)


@pytest.mark.parametrize(("channels", "kernel", "stride"), [(4, 1, 2), (3, 1, (1, 3)), (4, 3, 2), (4, 1, 1)])
def test_a_stepped_convolution_is_torchs_in_double_precision(
    channels: int, kernel: int, stride: int | Sides
) -> None:
    """Few channels, channels_last, several threads: there oneDNN's own strided 1 x 1 kernel loses its way."""
    layer = SteppedConv2d(channels, 8, kernel, stride, padding=kernel // 2)
    reference = nn.Conv2d(channels, 8, kernel, stride, padding=kernel // 2).double()
    reference.load_state_dict(layer.state_dict())
    layer.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    x = torch.randn(8, channels, 32, 41, generator=torch.Generator().manual_seed(0))
    with using_threads(2):
        heard = x.to(memory_format=torch.channels_last).requires_grad_()
        maps = layer(heard)
        slopes = torch.autograd.grad(maps.square().sum(), [heard, *layer.parameters()])
    leaf = x.double().requires_grad_()
    expected = reference(leaf)
    torch.testing.assert_close(maps.double(), expected, rtol=1e-4, atol=1e-5)
    wanted = torch.autograd.grad(expected.square().sum(), [leaf, *reference.parameters()])
    for one, other in zip(slopes, wanted, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=1e-4, atol=1e-3)
    assert slopes[0].is_contiguous(memory_format=torch.channels_last)  # or all before it is slower


@pytest.mark.parametrize("name", recipe_names())
def test_no_recipe_leaves_a_strided_point_convolution_to_onednn(name: str) -> None:
    model = Classifier(sketch_spec(read_recipe(name)))
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d) and set(layer.kernel_size) == {1} and set(layer.stride) != {1}:
            assert isinstance(layer, SteppedConv2d)


def test_pooling_before_the_activation_changes_nothing() -> None:
    for name, layer in (("relu", nn.ReLU()), ("leaky-relu", nn.LeakyReLU(0.3))):
        network = Conv2d((4,), pools=2, activation=name)  # type: ignore[arg-type]
        backbone, x = network.build((1, 8, 9)).backbone, torch.randn(2, 1, 8, 9)
        wanted = F.max_pool2d(layer(backbone.conv1(x)), 2)
        torch.testing.assert_close(backbone(x), wanted)


def test_attention_is_a_weighted_mean_of_frames() -> None:
    layer, maps = Attention(6), torch.randn(2, 6, 4, 9)
    weights = layer.weights(maps)
    assert weights.shape == (2, 9) and (weights > 0).all()
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(2))
    wanted = (maps.mean(dim=2) * weights[:, None]).sum(dim=2)
    torch.testing.assert_close(layer(maps), wanted)
    torch.testing.assert_close(layer(maps.mean(dim=2)), wanted)
    assert not torch.allclose(wanted, Mean()(maps))
    nn.init.zeros_(layer.score.weight)
    torch.testing.assert_close(layer(maps), Mean()(maps))


# -- recurrent networks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_last_state_is_what_torch_calls_it(cell: str, bidirectional: bool) -> None:
    states = States(12, cell, 5, 2, bidirectional)  # type: ignore[arg-type]
    x = torch.randn(3, 2, 6, 11)
    last = states.recurrent(x.flatten(1, 2).transpose(1, 2))[1]
    last = last[0] if cell == "lstm" else last
    wanted = torch.cat([last[-2], last[-1]], dim=1) if bidirectional else last[-1]
    assert states(x).shape == (3, states.n_out, 11)
    torch.testing.assert_close(LastState(bidirectional)(states(x)), wanted)


RECURRENT = [
    kind(cell=cell, width=6, bidirectional=both, pooling=pooling)  # type: ignore[call-arg]
    for cell, both, pooling in itertools.product(
        ("lstm", "gru"), (False, True), ("last", "mean", "attention")
    )
    for kind in (Recurrent, partial(CRNN, (4, 4, 4)))
]


@pytest.mark.parametrize("network", RECURRENT, ids=str)
def test_recurrent_networks_take_any_length_and_learn_from_every_frame(network: Recurrent | CRNN) -> None:
    torch.manual_seed(0)
    stages = network.build((1, 32, 40))
    for frames in (stages.min_frames, 17, 40, 100):
        x = torch.randn(3, 1, 32, frames, requires_grad=True)
        vector = stages.pool(stages.backbone(x))
        assert vector.shape == (3, stages.n_embedding) and vector.isfinite().all()
    vector.square().sum().backward()
    assert x.grad is not None
    assert (x.grad.abs().sum(dim=(0, 1, 2)) > 0).all()
    for stage in (stages.backbone, stages.pool):
        assert all(p.grad is not None and p.grad.isfinite().all() for p in stage.parameters())
    assert stages.exact_frames is None


@pytest.mark.parametrize("network", RECURRENT, ids=str)
def test_recurrent_networks_hear_the_order(network: Recurrent | CRNN) -> None:
    torch.manual_seed(0)
    stages, x = network.build((1, 32, 24)), torch.randn(2, 1, 32, 24)
    whole = nn.Sequential(stages.backbone, stages.pool).eval()
    assert not torch.allclose(whole(x), whole(x.flip(3)), atol=1e-4)


def test_a_recurrent_network_tells_rising_from_falling() -> None:
    torch.manual_seed(0)
    rising = torch.eye(8)[None, None] + 0.1 * torch.randn(8, 1, 8, 8)
    x, y = torch.cat([rising, rising.flip(3)]), torch.tensor([0] * 8 + [1] * 8)
    for network in (Recurrent(width=8, layers=1), Recurrent("gru", 8, 1)):
        stages = network.build((1, 8, 8))
        model = nn.Sequential(stages.backbone, stages.pool, nn.Linear(stages.n_embedding, 2))
        optimizer = torch.optim.Adam(model.parameters(), 0.02)
        for _ in range(50):
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        assert loss.item() < 0.1, network


# -- what the settings mean ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("network", "shape", "least"),
    [
        (Conv1d((4, 4), (5, 3), (2, 1), "valid", pools=(2, 1), pooling="mean"), (1, 100), 15),
        (Conv1d((4,), 5, 2, "same", pooling="attention"), (1, 100), 1),
        (Conv2d((4, 4), 3, 1, "valid", pools=2, pool_padding="same", pooling="mean"), (1, 40, 40), 7),
        (CRNN((4, 4), frame_pools=(2, 3), band_pools=2), (1, 16, 40), 6),
    ],
)
def test_the_least_length_goes_through_and_no_less(
    network: Conv1d | Conv2d | CRNN, shape: Shape, least: int
) -> None:
    stages = network.build(shape)
    assert (stages.min_frames, stages.exact_frames) == (least, None)
    whole = nn.Sequential(stages.backbone, stages.pool).eval()
    assert whole(torch.randn(2, *shape[:-1], least)).shape == (2, stages.n_embedding)
    if least > 1:
        with pytest.raises(RuntimeError):
            whole(torch.randn(2, *shape[:-1], least - 1))


@pytest.mark.parametrize(
    ("network", "shape"),
    [(Dense((4,)), (1, 5, 7)), (Conv1d((4,)), (1, 50)), (Conv2d((4,)), (1, 5, 7))],
)
def test_networks_that_flatten_take_one_length(network: Dense | Conv1d | Conv2d, shape: Shape) -> None:
    assert network.build(shape).exact_frames == shape[-1]


def test_the_penalty_is_on_the_chosen_weights() -> None:
    stages = Conv2d((4, 8), hidden=(5,), l2=1e-4, hidden_l2=1e-3).build((1, 6, 7))
    layers = dict(stages.backbone.named_modules()) | dict(stages.pool.named_modules())
    wanted = [(layers["conv1"].weight, 1e-4), (layers["conv2"].weight, 1e-4), (layers["dense1"].weight, 1e-3)]
    assert [(id(weight), l2) for weight, l2 in stages.l2] == [(id(weight), l2) for weight, l2 in wanted]
    assert Conv2d((4,), hidden=(5,)).build((1, 6, 7)).l2 == ()
    attentive = Conv2d((4,), pooling="attention", hidden_l2=1e-3).build((1, 6, 7))
    assert attentive.l2 == ()


def test_dropout_stands_where_it_is_asked_for() -> None:
    stages = Conv2d((4, 8), dropout=(0.0, 0.5), hidden=(5, 6), hidden_dropout=0.25).build((1, 6, 7))
    both = nn.ModuleDict({"backbone": stages.backbone, "pool": stages.pool})
    shares = {name: layer.p for name, layer in both.named_modules() if isinstance(layer, nn.Dropout)}
    assert shares == {"backbone.dropout2": 0.5, "pool.dropout1": 0.25, "pool.dropout2": 0.25}
    assert Recurrent(layers=2, recurrent_dropout=0.3).build((1, 6, 7)).backbone.recurrent.dropout == 0.3


@pytest.mark.parametrize(
    ("network", "shape", "words"),
    [
        (Conv2d((4, 4), kernels=(3, 3, 3)), (1, 8, 8), r"network\.kernels: found \[3, 3, 3\], 3 values for 2 layers"),
        (Dense((4, 4), dropout=(0.1,)), (1, 8, 8), r"network\.dropout: found \[0\.1\], 1 values for 2 layers"),
        (Conv2d((4, 4), padding="valid", pools=3), (1, 9, 9), "convolution 2 wants at least 3 x 3 and finds .* 2 x 2"),
        (Conv2d((4,), pools=9), (1, 8, 20), "pool 1 wants at least 9 x 9 and finds a map of 8 x 20"),
        (Conv1d((4,), kernels=9, padding="valid"), (1, 8), "convolution 1 wants at least 1 x 9"),
        (CRNN((4, 4, 4)), (1, 16, 40), "pool 3 wants at least 4 x 1 and finds a map of 2 x 10"),
        (Conv1d((4,)), (1, 8, 8), "found 'conv1d' on a spectrogram"),
        (Conv2d((4,)), (1, 8), "found 'conv2d' on waveforms"),
        (Recurrent(), (1, 8), "found 'recurrent' on waveforms"),
        (CRNN(), (1, 8), "found 'crnn' on waveforms"),
    ],
)  # fmt: skip
def test_a_network_that_does_not_fit_is_refused_in_words(
    network: Dense | Conv1d | Conv2d | Recurrent | CRNN, shape: Shape, words: str
) -> None:
    with pytest.raises(UserError, match=words):
        network.build(shape)


def test_a_recipe_whose_network_does_not_fit_its_clips_is_refused_in_words() -> None:
    with pytest.raises(
        UserError, match="network: convolution 3 wants at least 2 x 2 and finds a map of 2 x 1"
    ):
        Classifier(sketch_spec(read_recipe("gtzan-mfcc-cnn", ["audio.clip_seconds=0.15"])))
    with pytest.raises(UserError, match=r"a crop of 1 s gives 44 frames, the network takes exactly 130"):
        Classifier(sketch_spec(read_recipe("gtzan-mfcc-cnn", ["audio.crop_min_seconds=1.0"])))
    with pytest.raises(UserError, match=r"filters = \[\] is not a value"):
        read_recipe("gtzan-mfcc-cnn", ["network.filters=[]"])
