"""The public functions, with arguments that suit scripts and notebooks: paths as text, options by name.

>>> import tpsgd_host as tp
>>> tp.quantize("gestures.toml", "data.csv")
>>> run = tp.simulate("gestures.tpsgd", "data.csv", epochs=20, test_split=0.2)
>>> run.ended.test_accuracy

They raise ``TpsgdError``. Nothing is printed unless ``show`` is true.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

from tpsgd_host.boards import evaluating, streaming
from tpsgd_host.boards.evaluating import Evaluation
from tpsgd_host.comparison import cross_validation, methods, problem, study
from tpsgd_host.comparison import sweep as sweeping
from tpsgd_host.comparison.results import Comparison
from tpsgd_host.comparison.sources import find_config
from tpsgd_host.comparison.sweep import Sweep
from tpsgd_host.data.load import load_samples
from tpsgd_host.data.samples import Samples
from tpsgd_host.model.modelfile import Model, load_model
from tpsgd_host.quantization import quantize as quantizing
from tpsgd_host.quantization.quantize import QuantizeReport
from tpsgd_host.runs import simulate as simulating
from tpsgd_host.runs.run import RunPlan, RunReport
from tpsgd_host.runs.view.live import LiveView

PathText: TypeAlias = "str | PathLike[str]"


def load(path: PathText, model: Model | None = None) -> Samples:
    """Read the samples of a data file.

    Parameters
    ----------
    path : str or path
        A CSV table or NumPy's ``.npz``.
    model : Model, optional
        Says how to read the file, and names the classes. By default the network's TOML beside the file does.
    """
    layout, classes = (model.layout, model.classes) if model else _described(Path(path))
    return load_samples(Path(path), layout, classes)


def quantize(source: PathText, data: PathText, out: PathText | None = None, **options: Any) -> QuantizeReport:
    """Write the model file of a network: from a TOML, or from a trained network in ``.npz`` or ``.onnx``.

    Parameters
    ----------
    data : str or path
        Calibration data.
    out : str or path, optional
        By default ``source`` with the suffix ``.tpsgd``.
    options
        As for ``tpsgd_host.quantization.quantize.quantize``.
    """
    return quantizing.quantize(Path(source), Path(data), None if out is None else Path(out), **options)


def simulate(
    model: PathText, data: PathText, *, epochs: int = 10, test_split: float | None = None, show: bool = False,
    **options: Any,
) -> RunReport:  # fmt: skip
    """Make a board's run on this computer, with the same log and the same weights.

    Parameters
    ----------
    model : str or path
        The model file.
    test_split : float, optional
        Share of the recordings to hold out and to test on.
    options
        More fields of ``tpsgd_host.runs.run.RunPlan``: ``test``, ``shuffle_seed``, ``root``, ``name`` ...
    """
    plan = _plan(data, epochs=epochs, test_split=test_split, **options)
    return simulating.simulate(plan, Path(model), view=_view(show))


def stream(
    data: PathText, *, port: str = "virtual", epochs: int = 10, test_split: float | None = None, show: bool = False,
    folder: PathText | None = None, **options: Any,
) -> RunReport:  # fmt: skip
    """Train a board on samples.

    Parameters
    ----------
    port : str
        A serial port, or ``virtual``.
    folder : str or path, optional
        Flash of the virtual board.
    options
        As for ``simulate``.
    """
    plan = _plan(data, epochs=epochs, test_split=test_split, **options)
    return streaming.stream(plan, port=port, folder=None if folder is None else Path(folder), view=_view(show))


def evaluate(
    data: PathText, model: PathText | None = None, *, port: str = "virtual", folder: PathText | None = None,
    **options: Any,
) -> Evaluation:  # fmt: skip
    """Classify samples, with or without labels; nothing is learned.

    Parameters
    ----------
    model : str or path, optional
        Classify on this computer with this model; by default the board does, with what it has learned.
    port : str
        A serial port, or ``virtual``.
    folder : str or path, optional
        Flash of the virtual board.
    options
        As for ``tpsgd_host.boards.evaluating.evaluate``.
    """
    return evaluating.evaluate(
        Path(data), model_path=None if model is None else Path(model), port=port,
        folder=None if folder is None else Path(folder), **options,
    )  # fmt: skip


def compare(
    data: PathText, model: PathText | None = None, *, methods: Sequence[str] = methods.METHOD_NAMES, epochs: int = 20,
    folds: int | None = None, test_split: float = 0.2, seeds: int = 5, jobs: int | None = 1,
) -> Comparison:  # fmt: skip
    """Compare tpSGD with backprop and its rivals on the same network and samples.

    Parameters
    ----------
    model : str or path, optional
        The network's TOML; by default the only one beside the data.
    methods : sequence of str
        The methods: ``int-tpsgd``, ``int-frozen``, ``bp`` ...
    folds : int, optional
        Cross-validate with this many folds, rather than testing on a share ``test_split``.
    jobs : int
        Processes. With several the calling script needs ``if __name__ == "__main__":``.
    """
    config = find_config(Path(data), None if model is None else Path(model))
    posed = problem.file_problem(Path(data), config, test_split=test_split, epochs=epochs)
    if folds is None:
        return study.compare(posed, methods, seeds=seeds, jobs=jobs or 1)
    return cross_validation.cross_validate(
        cross_validation.fold_problems(posed, folds, 1), methods, seeds=seeds, jobs=jobs or 1
    )


def sweep(
    model: PathText, data: PathText, settings: Mapping[str, Sequence[Any]], *, epochs: int = 20,
    test_split: float = 0.2, jobs: int = 1,
) -> Sweep:  # fmt: skip
    """Train the network of a TOML for every combination of settings, and test each on the same held-out recordings.

    Parameters
    ----------
    model : str or path
        The TOML.
    settings : mapping
        Values by their place in the TOML: ``{"model.seed": [1, 2, 3], "layer.0.units": [16, 32]}``.
    jobs : int
        Processes. With several the calling script needs ``if __name__ == "__main__":``.
    """
    config = find_config(Path(data), Path(model))
    posed = problem.file_problem(Path(data), config, test_split=test_split, epochs=epochs)
    toml = Path(model).read_text(encoding="utf-8-sig")
    return sweeping.sweep(toml, str(model), posed.train, posed.test, settings, epochs, posed.shuffle_seed, jobs)


def _described(data: Path) -> tuple[Any, tuple[str, ...] | None]:
    config = find_config(data, None)
    return config.layout, config.classes or None


def _plan(data: PathText, test: PathText | None = None, root: PathText = RunPlan.root, **options: Any) -> RunPlan:
    return RunPlan(Path(data), test=None if test is None else Path(test), root=Path(root), **options)


def _view(show: bool) -> LiveView:
    return LiveView(mode="auto" if show else "quiet")


__all__ = ["compare", "evaluate", "load", "load_model", "quantize", "simulate", "stream", "sweep"]
