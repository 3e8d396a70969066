"""`get_config` run alone gives what the whole file gives, and only where there is no doubt."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from dlutil_core.search_space import get_config_alone

REPOSITORY = Path(__file__).resolve().parents[2]
HEAD = """\
from __future__ import annotations
import json, math, os, random
import numpy as np
import torch
from torch import nn
from dlutil_core import base_model
SIZES = [8, 16]
LIMITS: dict = {"low": 1e-4, "high": 1e-1}
"""


def write(folder: Path, text: str, head: str = HEAD) -> str:
    path = folder / "def.py"
    path.write_text(head + textwrap.dedent(text))
    return str(path)


PLAIN = """
def scaled(low, high):
    return float(10 ** np.random.uniform(math.log10(low), math.log10(high)))

class Choice:
    def __init__(self, values):
        self.values = values

    def draw(self):
        return random.choice(self.values)

def get_config():
    import itertools
    return {"lr": scaled(**LIMITS), "size": Choice(SIZES).draw(), "n": next(itertools.count(3))}

class Model(base_model.BaseModel):
    pass
"""


def test_a_plain_function_runs_alone_and_gives_the_same(tmp_path: Path) -> None:
    path = write(tmp_path, PLAIN)
    plans = []
    for alone in (True, False):
        preload = "" if alone else "import torch; "
        code = (
            f"{preload}import sys; from pathlib import Path; from dlutil_core import planning;"
            "from dlutil_core.session import SessionSpec;"
            f"spec = SessionSpec({path!r}, {str(tmp_path)!r}, 10, seed=3);"
            f"planning.write_plan(spec, 'hyperband', 9, 3, {{}}, Path(sys.argv[1]));"
            "print('torch' in sys.modules)"
        )
        out = tmp_path / f"plan-{alone}.json"
        done = subprocess.run(
            [sys.executable, "-c", code, str(out)], capture_output=True, text=True, cwd=REPOSITORY
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.split()[-1] == str(not alone)
        plans.append(out.read_bytes())
    assert plans[0] == plans[1]
    assert len({json.dumps(t["config"]) for t in json.loads(plans[0])["trials"]}) > 10


def test_the_examples_run_alone() -> None:
    for path in (REPOSITORY / "examples").glob("*/def.py"):
        get_config = get_config_alone(str(path))
        assert get_config is not None
        assert "learning_rate" in get_config()


@pytest.mark.parametrize(
    "text",
    [
        "def get_config():\n    return {'x': float(torch.rand(()))}\n",
        "def get_config():\n    import torch\n    return {'x': float(torch.rand(()))}\n",
        "def get_config():\n    return {'x': nn.Linear(1, 1).bias.numel()}\n",
        "class Model(nn.Module):\n    n = 3\n\ndef get_config():\n    return {'x': Model.n}\n",
        "torch.manual_seed(3)\n\ndef get_config():\n    return {'x': 1}\n",
        "import scipy.stats\n\ndef get_config():\n    return {'x': scipy.stats.norm.rvs()}\n",
        "exec('def get_config(): return {}')\n",
        "from beside import get_config\n",
        "import beside\n\ndef get_config():\n    return beside.get_config()\n",
        "import beside\n\ndef get_config():\n    return {'x': random.random()}\n",
        "def other():\n    return {}\n",
        "get_config = 3\n",
        "def get_config(x=1 / 0):\n    return {}\n",
    ],
)
def test_where_there_is_a_doubt_the_whole_file_is_run(tmp_path: Path, text: str) -> None:
    acting = "import random\nrandom.random = lambda: 4\n\ndef get_config():\n    return {}\n"
    (tmp_path / "beside.py").write_text(acting)
    assert get_config_alone(write(tmp_path, text)) is None


def test_what_acts_on_modules_of_python_is_run_too(tmp_path: Path) -> None:
    text = "random.choice = max\n\ndef get_config():\n    return {'x': random.choice(SIZES)}\n"
    head = HEAD.replace("json, math, os, random", "random_copy as random")
    (tmp_path / "random_copy.py").write_text("from random import *\n")
    assert get_config_alone(write(tmp_path, text, head)) is None
    text = "SIZES.append(99)\n\ndef get_config():\n    return {'x': max(SIZES)}\n"
    found = get_config_alone(write(tmp_path, text))
    assert found is not None
    assert found() == {"x": 99}


def test_a_function_that_fails_is_told_by_the_whole_file(tmp_path: Path) -> None:
    path = write(tmp_path, "def get_config():\n    return {'x': 1 / 0}\n", "import os\n")
    command = [sys.executable, str(REPOSITORY / "scripts" / "plan.py"), "--definition", path]
    command += ["--data", str(tmp_path), "--seed", "1", "--batch-size", "10"]
    command += ["--max-epochs", "3", "--out", str(tmp_path / "plan.json")]
    done = subprocess.run(
        command, capture_output=True, text=True, env={"PYTHONPATH": str(REPOSITORY)}
    )
    assert done.returncode == 1
    assert "get_config failed: line 3: ZeroDivisionError" in done.stderr
