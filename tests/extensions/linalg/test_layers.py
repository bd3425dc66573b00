"""A layer of PyTorch on a bench's cells: shapes, gradients, what is refused, and a network that learns on it."""

from __future__ import annotations

import numpy as np
import pytest

import mho
import mho.extensions.linalg
from mho.errors import BenchError, InputError

torch = pytest.importorskip("torch")

from mho.extensions.linalg.layers import Linear  # noqa: E402


@pytest.fixture
def bench():
    with mho.open_bench("arrays", seed=1) as opened:
        yield opened


def seeded(*sizes, **options):
    torch.manual_seed(1)
    return Linear(*sizes, programmed="drawn", **options)


def test_outputs_are_those_of_the_cells(bench):
    layer = seeded(12, 5, bench=bench)
    batch = torch.rand(2, 7, 12)
    exact = torch.nn.functional.linear(batch, layer.weight, layer.bias)
    found = layer(batch)
    assert found.shape == (2, 7, 5)
    assert found.dtype == torch.float32
    assert 0.005 < float((found - exact).detach().norm() / exact.detach().norm()) < 0.1
    assert layer(batch[0, 0]).shape == (5,)
    assert seeded(12, 5, False, bench=bench, dtype=torch.float64).bias is None
    assert "gradient=straight-through, cells=<5 x 12 raw products" in repr(layer)


@pytest.mark.parametrize("gradient", ["straight-through", "measured"])
def test_gradients(bench, gradient):
    layer = seeded(12, 5, bench=bench, gradient=gradient, dtype=torch.float64)
    batch = torch.rand(7, 12, dtype=torch.float64, requires_grad=True)
    weights = torch.arange(1.0, 6.0, dtype=torch.float64)
    (layer(batch) * weights).sum().backward()
    held = layer.weight.detach() if gradient == "straight-through" else torch.from_numpy(layer.cells.measured)
    torch.testing.assert_close(batch.grad, (weights @ held).expand(7, -1))
    torch.testing.assert_close(layer.weight.grad, torch.outer(weights, batch.detach().sum(dim=0)))
    torch.testing.assert_close(layer.bias.grad, 7.0 * weights)
    assert torch.vmap(layer)(batch[None]).shape == (1, 7, 5)


def test_the_cells_hold_the_weights_that_were_programmed_last(bench):
    layer = seeded(4, 3, False, bench=bench, dtype=torch.float64)
    batch = torch.eye(4, dtype=torch.float64)
    with torch.no_grad():
        before = layer(batch)
        layer.weight.mul_(-1.0)
        assert (layer(batch) - before).norm() < 0.2 * before.norm()
        layer.reprogram()
        assert (layer(batch) + before).norm() < 0.2 * before.norm()


def test_what_does_not_fit_is_refused(bench):
    layer = seeded(4, 3, bench=bench)
    with pytest.raises(InputError, match=r"shape \(2, 5\) does not fit a layer of 4 inputs; give \(…, 4\)"):
        layer(torch.ones(2, 5))
    with pytest.raises(InputError, match="NaN or infinity"):
        layer(torch.full((2, 4), torch.nan))
    with pytest.raises(InputError, match="gradient is 'true'; give 'straight-through' or 'measured'"):
        seeded(4, 3, bench=bench, gradient="true")
    mho.extensions.linalg.on_bench(np.eye(2), bench, seed=0)
    with pytest.raises(BenchError, match="another matrix was programmed"):
        layer(torch.ones(2, 4))


def digits():
    load = pytest.importorskip("sklearn.datasets").load_digits
    x, y = load(return_X_y=True)
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(1))
    return torch.from_numpy(x / 16.0)[order], torch.from_numpy(y)[order]


def accuracy(make, x, y, steps=40):
    """Train 64-16-10 on the first 1,200 samples, and return the share of right ones among the other 597."""
    torch.manual_seed(2)
    network = torch.nn.Sequential(make(64, 16), torch.nn.ReLU(), make(16, 10))
    optimiser = torch.optim.Adam(network.parameters(), 0.02)
    for _ in range(steps):
        some = torch.randint(1200, (200,))
        loss = torch.nn.functional.cross_entropy(network(x[some]), y[some])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        for layer in network:
            getattr(layer, "reprogram", lambda: None)()
    with torch.no_grad():
        return float((network(x[1200:]).argmax(dim=1) == y[1200:]).double().mean())


@pytest.mark.thorough
@pytest.mark.parametrize("gradient", ["straight-through", "measured"])
def test_a_network_learns_digits_on_cells_nearly_as_well_as_in_float64(bench, gradient):
    x, y = digits()
    shuffled = y[torch.randperm(len(y), generator=torch.Generator().manual_seed(4))]

    def on_cells(inputs, outputs):
        return Linear(
            inputs, outputs, bench=bench, gradient=gradient, programmed="drawn", dtype=torch.float64
        )

    exact = accuracy(lambda inputs, outputs: torch.nn.Linear(inputs, outputs, dtype=torch.float64), x, y)
    found = accuracy(on_cells, x, y)
    assert exact > 0.88
    assert found > exact - 0.05
    assert accuracy(on_cells, x, shuffled, steps=20) < 0.2
