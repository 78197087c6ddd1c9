"""Run a command of tpsgd-host in this process and check how it ended."""

from __future__ import annotations

import json

from click.testing import CliRunner

from tpsgd_host.cli import cli


def call(*arguments, code=0):
    """Run a command; return what it printed."""
    result = CliRunner().invoke(cli, [str(a) for a in arguments])
    assert result.exit_code == code, result.output + repr(result.exception)
    return result.output


def fails(code, *arguments):
    """Run a command that must fail; return its one message, having checked its form."""
    result = CliRunner().invoke(cli, [str(a) for a in arguments])
    assert result.exit_code == code, result.output + repr(result.exception)
    assert "Traceback" not in result.output
    lines = [line for line in result.output.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, result.output
    return result.output


def simulated(epochs):
    """Return the report of the simulation that a run of so many epochs on a board must equal."""
    return json.loads(call("simulate", "train.csv", "--model", "motion.tpsgd", "--epochs", epochs, "--json"))
