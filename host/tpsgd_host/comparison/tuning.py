"""Choose rates for a network from its own data, in seconds, just as ``compare`` would.

It is the search of a comparison, only for the integer network, on recordings held out of the given data.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import numpy as np

from tpsgd_host.comparison.integer import IntegerMethod
from tpsgd_host.comparison.problem import Part, Problem, validation_parts
from tpsgd_host.comparison.results import Setting
from tpsgd_host.comparison.search import FINALISTS, ROUNDS, clear_gain, find_settings, short_run
from tpsgd_host.comparison.training import Training, jobs_for
from tpsgd_host.comparison.tuned import with_rates
from tpsgd_host.data.samples import Samples
from tpsgd_host.files import write_atomic
from tpsgd_host.model.config import Config
from tpsgd_host.model.parsing import load_config
from tpsgd_host.model.varying import with_variation

EPOCHS = 20  # default of the planned run
WORK = 10**10  # maximum multiply-accumulates in a network's forward passes, which keeps the search to about a minute


@dataclass(frozen=True)
class Tuned:
    """The rates that were chosen for a network.

    Attributes
    ----------
    config : Config
        The network with the best update shifts.
    rates : tuple of str
        The same as text: for the hidden layers (empty if they do not learn), and for the output.
    before, after : float
        Mean accuracy on the held-out recordings, with the old rates and with the new ones.
    tried : int
        Number of settings tried.
    samples : int
        Number of held-out samples, over all parts.
    unvaried : bool
        Whether variation was turned off, because it costs accuracy on them.
    """

    config: Config
    rates: tuple[str, str]
    before: float
    after: float
    tried: int
    samples: int
    unvaried: bool = False


def tune(
    config: Config,
    samples: Samples,
    *,
    epochs: int = EPOCHS,
    shuffle_seed: int = 1,
    weigh_variation: bool = False,
    progress: Callable[[float, float, str], None] = lambda done, of, text: None,
) -> Tuned:
    """Choose the update shifts of a network's layers on recordings held out of its data.

    Parameters
    ----------
    config : Config
    samples : Samples
        The samples that the network will learn; nothing else is used.
    epochs : int
        Passes in the planned run; the search makes fewer for large data.
    weigh_variation : bool
        Whether to turn variation off where the network is clearly better without it.

    Raises
    ------
    DataError
        When no class has two recordings, one for learning and one for choosing.
    """
    config = replace(config, classes=samples.classes)
    problem = Problem(config.name, config, samples, samples.take(np.arange(0)), epochs, shuffle_seed)
    affordable = WORK // (len(samples) * problem.multiplies)
    problem = replace(problem, epochs=max(1, min(epochs, affordable)))
    method = IntegerMethod("int-tpsgd", "tpsgd, integers")
    parts = validation_parts(problem)
    with Training(problem, (method,), 1, progress) as training:
        training.expect(jobs_for((method,), [method.settings()], parts, short_run(problem)), ROUNDS)
        training.expect(jobs_for((method,), [method.settings()[: FINALISTS + 1]], parts, problem.epochs))
        (found,) = find_settings(problem, (method,), parts, training)
    setting = found.best()
    accuracies, unvaried = found.full[setting], False
    if weigh_variation and config.training.variation != "none":
        plain = replace(config, training=replace(config.training, variation="none"))
        without = _accuracies(replace(problem, config=plain), method, setting, parts)
        if clear_gain(accuracies, without, found.ratio):
            config, accuracies, unvaried = plain, without, True
    progress(1.0, 1.0, "choosing learning rates")
    return Tuned(
        method.configure(config, setting, config.seed),
        method.describe(config, setting),
        before=fmean(found.full[found.start]),
        after=fmean(accuracies),
        tried=len(found.short),
        samples=sum(len(part.test) for part in parts),
        unvaried=unvaried,
    )


def _accuracies(
    problem: Problem, method: IntegerMethod, setting: Setting, parts: tuple[Part, ...]
) -> list[float]:  # fmt: skip
    """Return the accuracies of a setting's validation networks."""
    jobs = jobs_for((method,), [(setting,)], parts, problem.epochs)
    with Training(problem, (method,), 1, lambda _done, _of, _text: None) as training:
        found = training.run(jobs, "weighing variation")
    return [accuracy for trained in found for accuracy in trained.accuracies[0].tolist()]


def tune_file(
    path: Path,
    samples: Samples,
    *,
    epochs: int = EPOCHS,
    weigh_variation: bool = False,
    progress: Callable[[float, float, str], None] = lambda done, of, text: None,
) -> Tuned:
    """Choose the update shifts of the network in a TOML and write them there, keeping remarks; raises like ``tune``.

    Variation that is turned off is written there, too.

    Raises
    ------
    ConfigError
        When the TOML cannot be read.
    DataError
        When it cannot be written.
    """
    found = tune(load_config(path), samples, epochs=epochs, weigh_variation=weigh_variation, progress=progress)
    text = with_rates(path.read_text(encoding="utf-8-sig"), found.config, "chosen on held-out recordings")
    write_atomic(path, (with_variation(text, "none") if found.unvaried else text).encode())
    return found
