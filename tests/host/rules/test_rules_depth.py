"""The measurement of depth: its networks, its splits, and a small run of the command."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from tpsgd_host.bench import depth
from tpsgd_host.cli import cli

pytest.importorskip("sklearn", reason="no scikit-learn, which ships the digits: pip install 'tpsgd[demo]'")


@pytest.mark.parametrize(("side", "classes"), [(8, 10), (14, 10)])
def test_networks_of_every_depth(side: int, classes: int) -> None:
    for kind, depths in depth.KINDS.items():
        for layers in depths:
            architecture = depth.build(kind, layers, side, classes)
            architecture.check()
            assert [shape.kind for shape in architecture.layers] == ["dense" if kind == "mlp" else "conv"] * layers + [
                "output"
            ]
    deepest = depth.build("conv", 8, side, classes)
    assert [shape.pool for shape in deepest.layers[:-1]] == [1, 1, 1, 2, 1, 1, 1, 2]
    assert deepest.outputs()[-2] == 16 * (side // 4) ** 2


def test_parts_are_apart() -> None:
    images = depth.load_images("digits", None, 200)
    assert images.train[0].shape == (200, 64)
    assert images.side == 8
    rows = [{row.tobytes() for row in x} for x, _ in (images.train, images.choice, images.test)]
    assert not rows[0] & rows[1]
    assert not rows[0] & rows[2]
    assert not rows[1] & rows[2]
    assert images.train[0].min() == -1
    assert images.train[0].max() == 1
    assert depth.load_images("digits", None, 10**6).train[0].shape[0] + len(images.choice[1]) == 1438


def test_large_images_are_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = depth.load_images("digits", None, 100)
    monkeypatch.setattr(depth, "LARGEST_SIDE", 7)
    half = depth.load_images("digits", None, 100)
    assert half.side == 4
    blocks = whole.train[0].reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4)).reshape(-1, 16)
    np.testing.assert_allclose(half.train[0], blocks, atol=1e-6)


def test_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run in small: every rule learns, the figures are those of the table, and they repeat."""
    monkeypatch.setattr(depth, "KINDS", {"mlp": (1,), "conv": (2,)})
    monkeypatch.setitem(depth.EPOCHS, "digits", 2)
    arguments = ["depth", "digits", "--samples", "100", "--seeds", "2", "--jobs", "1"]
    runs = [CliRunner().invoke(cli, ["bench", *arguments, "--json"]) for _ in range(2)]
    assert [run.exit_code for run in runs] == [0, 0], runs[0].output
    results = json.loads(runs[0].stdout)["results"]
    assert results == json.loads(runs[1].stdout)["results"]
    assert [(r["kind"], r["rule"]) for r in results] == [(k, r) for k in ("mlp", "conv") for r in depth.RULES]
    for r in results:
        assert r["mean"] > 0.3, r
        assert len(r["accuracies"]) == 2
        assert (r["hidden_rate"] == 0) == (r["rule"] == "frozen")
    shown = CliRunner().invoke(cli, ["bench", *arguments])
    assert shown.exit_code == 0
    assert f"{100 * results[0]['mean']:.1f}±" in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 80
