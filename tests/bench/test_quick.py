"""Each benchmark runs to its end with all its peers, and what it says gets into the results.

Needs the extra `bench` (`make test-bench` installs it). What the figures are is not asserted: they
are the machine's.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PEERS = {
    "train": ["Lightning", "skorch", "DataLoader, 2 workers"],
    "search": ["bare process", "Optuna"],
    "checkpoints": ["by hand", "fit", "bracket jobs"],
    "stream": ["in memory", "streamed"],
    "preprocess": ["dictionary", "dnaio, seqpro", "copy"],
    "quality": ["random search", "Optuna, TPE", "Optuna, random"],
}
GOALS = {
    "train": "fit, of the bare loop",
    "search": "dlutil, times the bare process",
    "checkpoints": "training by bracket jobs, times by hand",
    "stream": "streamed, of the speed in memory",
    "preprocess": "dlutil's speed, times dictionary",
    "quality": "dlutil's reward above that of random search, mean",
}


@pytest.mark.parametrize("name", PEERS)
def test_a_quick_run_of_everyone(name: str, tmp_path: Path) -> None:
    results = tmp_path / "results.md"
    command = [sys.executable, "benchmarks/all.py", name, "--quick", "--results", str(results)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "missing" not in done.stdout
    assert "left out" not in done.stdout
    text = results.read_text()
    first_words = [line.strip() for line in text.splitlines()]
    for peer in PEERS[name]:
        assert any(line.startswith(peer) for line in first_words), f"no {peer} in\n{text}"
    table = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
    assert any(GOALS[name] in line for line in table), text


@pytest.mark.parametrize("script", ["ray_search", "ray_quality", "snakemake_search"])
def test_peers_that_quick_runs_leave_out(script: str, tmp_path: Path) -> None:
    """A search of theirs as the full benchmarks run it; the smallest for the slowest."""
    make_data = ROOT / "examples" / "function_regressor" / "make_data.py"
    subprocess.run([sys.executable, make_data, tmp_path / "data"], check=True)
    peer = ROOT / "benchmarks" / "peers" / f"{script}.py"
    more = ["1", "9", "17", "69"] if script == "ray_quality" else []
    if script == "snakemake_search":
        more = ["3"]
    command = [sys.executable, peer, "data", "out", "100", *more]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    if script == "ray_quality":
        assert done.stdout.strip().splitlines()[-1].endswith(", 69]]")
    elif script == "ray_search":
        assert "best reward" in done.stdout
    else:
        assert (tmp_path / "out" / "search" / "config").read_text().startswith("learning_rate")
