"""Another network for the same data: a model's TOML with its layers replaced, as large as some memory allows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import tomlkit

from tpsgd_host.data.samples import Samples
from tpsgd_host.errors import ConfigError
from tpsgd_host.model.build import build_model
from tpsgd_host.model.config import READOUT_STEPS, Config
from tpsgd_host.model.modelfile import memory
from tpsgd_host.model.parsing import parse_config
from tpsgd_host.model.template import Draft, Network, render_layers, segments, taps

MAX_UNITS = 1024  # of a layer (SPEC 1.2)

#: Kind of network by the kind of its first layer.
KINDS: dict[str, Network] = {"temporal": "tdnn", "recurrent": "rnn", "dense": "mlp", "conv": "cnn"}


@dataclass(frozen=True)
class Alternative:
    """A network for some data.

    Attributes
    ----------
    network : {"tdnn", "rnn", "mlp", "cnn"} or None
        Its kind; None where the output layer is its only one.
    toml : str
        The text of its TOML.
    bytes : int
        RAM that training takes on a board.
    """

    network: Network | None
    toml: str
    config: Config
    bytes: int


def training_bytes(config: Config, samples: Samples) -> int:
    """Return the RAM that training takes on a board, with the buffers of the link."""
    return memory(build_model(config, samples)).total


def kind(config: Config) -> Network | None:
    """Return the kind of a network; None where the output layer is its only one."""
    return KINDS.get(config.layers[0].kind)


def with_network(toml: str, config: Config, network: Network, units: int) -> str:
    """Return the TOML of another network: one hidden layer of ``units``, and the rest as in ``toml``.

    Parameters
    ----------
    config : Config
        What ``toml`` says, its layout that of the data.
    network : {"tdnn", "rnn", "mlp"}
        An MLP sees all steps at once.
    """
    draft = Draft(
        name=config.name, seed=config.seed, layout=config.layout, classes=config.classes, network=network,
        hidden=(units,), shifts=config.training.shifts, readout_steps=0, file="", data="",
        taps=taps(config.layout), segments=segments(config.layout),
    )  # fmt: skip
    document = tomlkit.parse(toml)
    del document["layer"]
    training = document.setdefault("training", tomlkit.table())
    for key in ("target", "update_at", "readout_steps"):
        training.pop(key, None)
    if network == "rnn":
        training["readout_steps"] = min(READOUT_STEPS, config.layout.steps)
    return tomlkit.dumps(document).rstrip() + "\n" + render_layers(draft)


def largest(toml: str, config: Config, network: Network, ram: int, samples: Samples) -> Alternative:
    """Return the network of one hidden layer with the most units that train in ``ram`` bytes.

    Raises
    ------
    ConfigError
        When not even one unit fits, or the network does not go with the data.
    """

    def made(units: int) -> Alternative:
        text = with_network(toml, config, network, units)
        described = parse_config(text, config.source)
        described = replace(described, layout=config.layout, classes=config.classes)
        return Alternative(network, text, described, training_bytes(described, samples))

    best = made(1)
    if best.bytes > ram:
        raise ConfigError(
            f"with a single unit it takes {best.bytes:,} bytes, more than {ram:,}",
            "Allow more with --ram, or take fewer steps.",
        )
    low, high = 1, MAX_UNITS + 1  # what fits, what does not
    while high - low > 1:
        middle = (low + high) // 2
        try:
            found = made(middle)
        except ConfigError:  # its output layer would have too many inputs
            high = middle
            continue
        if found.bytes <= ram:
            low, best = middle, found
        else:
            high = middle
    return best
