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
from tpsgd_host.comparison.problem import Problem, validation_parts
from tpsgd_host.comparison.search import FINALISTS, ROUNDS, find_settings, short_run
from tpsgd_host.comparison.training import Training, jobs_for
from tpsgd_host.comparison.tuned import with_rates
from tpsgd_host.data.samples import Samples
from tpsgd_host.files import write_atomic
from tpsgd_host.model.config import Config
from tpsgd_host.model.parsing import load_config

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
    """

    config: Config
    rates: tuple[str, str]
    before: float
    after: float
    tried: int
    samples: int


def tune(
    config: Config,
    samples: Samples,
    *,
    epochs: int = EPOCHS,
    shuffle_seed: int = 1,
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
    progress(1.0, 1.0, "choosing learning rates")
    setting = found.best()
    return Tuned(
        method.configure(config, setting, config.seed),
        method.describe(config, setting),
        before=fmean(found.full[found.start]),
        after=fmean(found.full[setting]),
        tried=len(found.short),
        samples=sum(len(part.test) for part in parts),
    )


def tune_file(
    path: Path,
    samples: Samples,
    *,
    epochs: int = EPOCHS,
    progress: Callable[[float, float, str], None] = lambda done, of, text: None,
) -> Tuned:
    """Choose the update shifts of the network in a TOML and write them there, keeping remarks; raises like ``tune``.

    Raises
    ------
    ConfigError
        When the TOML cannot be read.
    DataError
        When it cannot be written.
    """
    found = tune(load_config(path), samples, epochs=epochs, progress=progress)
    text = path.read_text(encoding="utf-8-sig")
    write_atomic(path, with_rates(text, found.config, "chosen on held-out recordings").encode())
    return found
