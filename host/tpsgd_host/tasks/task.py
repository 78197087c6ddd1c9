"""A task, and the list of all tasks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path

from tpsgd_host.data.layout import Layout
from tpsgd_host.data.samples import Samples
from tpsgd_host.data.table import Table
from tpsgd_host.errors import ConfigError
from tpsgd_host.model.parsing import parse_config
from tpsgd_host.tasks import folder, shipped
from tpsgd_host.tasks.tables import samples, split_table

SPLIT_SEED = 1
TEST_FRACTION = 0.2


@dataclass(frozen=True)
class Task:
    """Data and model of one task, and the accuracy to expect.

    Attributes
    ----------
    name, title : str
    toml : str
        The model's description; see :func:`tpsgd_host.model.config.parse_config`.
    train, test : Samples
        They share no recording.
    epochs : int
        Passes through ``train``.
    shuffle_seed : int
        Seed of the order of each epoch.
    source : str
        Origin and licence of the data.
    goal : float
        Test accuracy, 0 to 1, that a run with these settings must reach; 0 for none.
    train_table, test_table : Table
        The readings from which the samples were cut.
    """

    name: str
    title: str
    toml: str
    train: Samples
    test: Samples
    epochs: int
    shuffle_seed: int
    source: str
    goal: float
    train_table: Table = field(repr=False)
    test_table: Table = field(repr=False)


@dataclass(frozen=True)
class _Entry:
    """A task before its data are read; ``load`` takes the data folder and the model's layout."""

    title: str
    load: Callable[[Path | None, Layout], tuple[Table, Table]]
    epochs: int
    source: str
    goal: float
    shuffle_seed: int = 1


TASKS = {
    "gesture": _Entry(
        "Gestures of a wrist: standing, running, walking, badminton",
        lambda _data, _layout: shipped.gestures(),
        epochs=80,
        source="BasicMotions, in the package sktime (BSD-3-Clause), split as shipped",
        goal=0.90,
    ),
    "voice": _Entry(
        "Nine speakers, told apart by their vowels 'ae'",
        lambda _data, _layout: shipped.vowels(),
        epochs=40,
        source="JapaneseVowels, in the package sktime (BSD-3-Clause), split as shipped",
        goal=0.96,
    ),
    "digits": _Entry(
        "Handwritten digits of 8 x 8 pixels",
        lambda _data, layout: split_table(shipped.digits(), layout, TEST_FRACTION, SPLIT_SEED),
        epochs=30,
        source="digits, in the package scikit-learn (BSD-3-Clause), a fifth of each digit held out",
        goal=0.96,
    ),
    "fsdd": _Entry(
        "Ten spoken digits of four speakers",
        lambda data, layout: folder.spoken_digits(data, layout),
        epochs=40,
        source="fsdd-4speakers.npz, Free Spoken Digit Dataset (CC BY-SA 4.0), takes 0 to 4 held out",
        goal=0.93,
    ),
    "wand": _Entry(
        "Two spells of a magic wand, and other movements",
        lambda data, layout: split_table(folder.wand(data), layout, TEST_FRACTION, SPLIT_SEED),
        epochs=30,
        source="wand/*.csv, gesture-demo (Apache-2.0), a fifth of each class's recordings held out",
        goal=0.96,
    ),
    "mnist": _Entry(
        "Handwritten digits of 28 x 28 pixels",
        lambda data, _layout: folder.handwriting(data),
        epochs=16,
        source="mnist-10k.npz, 10,000 digits of MNIST, the last 2,000 held out",
        goal=0.0,
    ),
}
# The same data with another network.
for _name, _epochs, _goal in (("digits", 20, 0.95), ("mnist", 8, 0.0)):
    _title = TASKS[_name].title + ", with conv layers"
    TASKS[_name + "-cnn"] = replace(TASKS[_name], title=_title, epochs=_epochs, goal=_goal)
for _name in ("gesture", "voice", "fsdd", "wand"):
    TASKS[_name + "-rnn"] = replace(TASKS[_name], title=TASKS[_name].title + ", with a recurrent layer")

NAMES = tuple(TASKS)


def load_task(name: str, data_dir: str | Path | None = None) -> Task:
    """Load a task's data and settings.

    Parameters
    ----------
    name : str
        One of ``NAMES``.
    data_dir : str or Path, optional
        Folder with the data that no package ships.

    Raises
    ------
    ConfigError
        When there is no such task.
    DependencyError
        When the package that ships the data is not installed.
    DataError
        When the data are missing from ``data_dir``, or damaged.
    """
    if name not in TASKS:
        raise ConfigError(f"There is no task {name!r}.", f"The tasks: {', '.join(NAMES)}.")
    entry = TASKS[name]
    toml = (files("tpsgd_host.tasks") / f"{name}.toml").read_text(encoding="utf-8")
    config = parse_config(toml, f"{name}.toml")
    train_table, test_table = entry.load(None if data_dir is None else Path(data_dir), config.layout)
    train = samples(train_table, config.layout, config.classes or None, f"{name}, training part")
    test = samples(test_table, config.layout, train.classes, f"{name}, test part")
    return Task(
        name, entry.title, toml, train, test, entry.epochs, entry.shuffle_seed, entry.source, entry.goal,
        train_table, test_table,
    )  # fmt: skip
