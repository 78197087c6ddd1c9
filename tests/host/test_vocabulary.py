"""Words that were retired stay away: each had a second meaning, or a word of the field is better."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: Retired words, as a pattern, with the word that took their place.
RETIRED = {
    r"\bcontestants?\b|Contestant": "method",
    r"\bLifeline\b": "ReconnectingBoard",
    r"\bMOST_[A-Z]|\bLEAST_[A-Z]": "MAX_, MIN_",
    r"\bcross(?:ing|ings)\b": "cross_validation",
    r"^\s*(?:rule|checkpoints) *= *(?:\d|\")": "update_at, readout_steps",
    r"\bk\.(?:put|move|pool|best|rest|pull|part|places|sums)\(": "load, copy, max_pool, track_max, reset_state ...",
    r"\bstudy_shift\b|\bclass Shift\b": "AdaptationStudy",
    r"\bclass Schedule\b|\bload_schedule\b": "Presentation",
}


def sources() -> list[Path]:
    """Return the files that speak for the project: code, TOML, SPEC."""
    listed = subprocess.run(
        ["git", "ls-files", "device", "host", "examples", "docs/SPEC.md"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode:
        pytest.skip("no Git checkout here: clone the repository to check its words")
    return [ROOT / line for line in listed.stdout.splitlines() if line.endswith((".py", ".toml", ".md", ".c"))]


@pytest.mark.parametrize("pattern", RETIRED)
def test_a_retired_word_is_gone(pattern):
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in sources()
        if path.is_file()
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(pattern, line)
    ]
    assert not found, f"say {RETIRED[pattern]}"


def test_the_readme_is_one_page():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120
