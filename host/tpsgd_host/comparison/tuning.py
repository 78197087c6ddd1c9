"""Rates for a network from its own data, in seconds: what ``compare`` would choose, before anybody asks.

The same search as a comparison's, for the integer network alone, on recordings held out of the data given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import sqrt
from pathlib import Path
from statistics import fmean, stdev

import numpy as np

from tpsgd_host.comparison.integer import IntegerMethod
from tpsgd_host.comparison.problem import Problem, validation_parts
from tpsgd_host.comparison.results import Setting
from tpsgd_host.comparison.search import FINALISTS, ROUNDS, Search, find_settings, short_run
from tpsgd_host.comparison.training import Training, jobs_for
from tpsgd_host.comparison.tuned import with_rates
from tpsgd_host.data.samples import Samples
from tpsgd_host.files import write_atomic
from tpsgd_host.model.config import Config
from tpsgd_host.model.parsing import load_config

EPOCHS = 20  # of the run to come, where nobody says
WORK = 10**10  # multiply-accumulates of a network's forward passes: the search takes a minute or so, not more
AS_IS = (0, 0)  # the setting that leaves a network's rates as they are


@dataclass(frozen=True)
class Tuned:
    """What became of a network's rates.

    Attributes
    ----------
    config : Config
        The network with the update shifts that were best.
    rates : tuple of str
        These in words: of the hidden layers (empty where they do not learn), and of the output.
    before, after : float
        Mean accuracy on the recordings held out, with the rates as they were and as they are now.
    tried : int
        Settings that were tried.
    samples : int
        Samples that were held out, over all parts.
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
        What the network will learn: nothing else is looked at.
    epochs : int
        Passes of the run to come; the search makes fewer where the data are many.

    Raises
    ------
    DataError
        When no class has two recordings: one to learn from, one to choose by.
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
        (found,) = find_settings(problem, (method,), parts, training, always=(AS_IS,))
    progress(1.0, 1.0, "learning rates are chosen")
    setting = _worth_it(found, len(parts[0].test) / len(parts[0].train))
    return Tuned(
        method.configure(config, setting, config.seed),
        method.describe(config, setting),
        before=fmean(found.full[AS_IS]),
        after=fmean(found.full[setting]),
        tried=len(found.short),
        samples=sum(len(part.test) for part in parts),
    )


def _worth_it(found: Search, ratio: float) -> Setting:
    """Return the best setting, or the network's own where the gain is no more than its standard error.

    The rule of one standard error (Breiman, Friedman, Olshen, Stone, *Classification and Regression Trees*, 1984): on
    few recordings the best of twenty settings is the luckiest, and the usual rates are good. The error is the corrected
    one of :mod:`~tpsgd_host.comparison.differences`.

    Parameters
    ----------
    ratio : float
        Samples held out for each one learned.
    """
    best = found.best()
    gains = [after - before for after, before in zip(found.full[best], found.full[AS_IS], strict=True)]
    error = sqrt(1 / len(gains) + ratio) * stdev(gains) if len(gains) > 1 else 0.0
    return best if fmean(gains) > error else AS_IS


def tune_file(
    path: Path,
    samples: Samples,
    *,
    epochs: int = EPOCHS,
    progress: Callable[[float, float, str], None] = lambda done, of, text: None,
) -> Tuned:
    """Choose the update shifts of the network in a TOML and write them there; its remarks stay. Errors as of ``tune``.

    Raises
    ------
    ConfigError
        When the TOML cannot be read.
    DataError
        When it cannot be written.
    """
    found = tune(load_config(path), samples, epochs=epochs, progress=progress)
    text = path.read_text(encoding="utf-8-sig")
    write_atomic(path, with_rates(text, found.config, "chosen on recordings held out").encode())
    return found
