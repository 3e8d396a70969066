"""The rooms of the core: their sizes, what they import, and that a broken wall is seen."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
CORE = ROOT / "dlutil_core"
MODULES = sorted(CORE.rglob("*.py"))
ROOMS = sorted({path.parent for path in MODULES})

MOST_MODULES = 20
MOST_LINES = 400

LINT = "from importlinter.cli import lint_imports_command as check; check()"

WITHOUT_TORCH = [
    "dlutil_core",
    "dlutil_core.cli.commands",
    "dlutil_core.cli.plan_hours",
    "dlutil_core.cli.plan_text",
    "dlutil_core.cli.run",
    "dlutil_core.fingerprint.analysis",
    "dlutil_core.job.loaded_run",
    "dlutil_core.job.script",
    "dlutil_core.preprocess.pipeline",
    "dlutil_core.report.collect",
    "dlutil_core.report.page",
    "dlutil_core.report.performance",
    "dlutil_core.run.arguments",
    "dlutil_core.run.checks",
    "dlutil_core.run.judge",
    "dlutil_core.run.lifecycle",
    "dlutil_core.run.steps",
    "dlutil_core.run.warnings",
    "dlutil_core.search.rung_jobs",
    "dlutil_core.search.sampling",
    "dlutil_core.search.staged.opening",
    "dlutil_core.search.staged.proposals",
    "dlutil_core.search.winner",
    "dlutil_core.trained.provenance",
    "dlutil_core.watch.live",
]
"""What starts in a moment: whoever imports these waits for no torch."""

SCRIPTS_WITHOUT_TORCH = [
    *("attribute", "bracket", "evaluate", "manifest", "opening", "plan", "plot", "predict"),
    *("preprocess", "propose", "prune", "rank", "report", "select_best", "train_slots", "variants"),
]
"""Scripts that learn whether their step is done before torch is loaded, if they load it at all."""


def inside(path: Path) -> str:
    return str(path.relative_to(CORE))


def python(code: str, *arguments: object, folder: Path = ROOT) -> str:
    """What a process of its own prints, with the core in `folder`."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", textwrap.dedent(code), *map(str, arguments)],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def imported(path: Path) -> Iterator[str]:
    """Modules that a file imports, at its top or anywhere below."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield f"{'.' * node.level}{node.module or ''}"


@pytest.mark.parametrize("room", ROOMS, ids=inside)
def test_no_folder_holds_more_than_one_can_survey(room: Path) -> None:
    modules = [path for path in room.glob("*.py") if path.name != "__init__.py"]
    assert len(modules) <= MOST_MODULES


@pytest.mark.parametrize("path", MODULES, ids=inside)
def test_no_file_is_longer_than_one_reads(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


@pytest.mark.parametrize("room", ROOMS, ids=inside)
def test_packages_import_nothing_by_themselves(room: Path) -> None:
    path = room / "__init__.py"
    assert path.is_file()
    if room != CORE:
        assert path.read_text(encoding="utf-8") == ""
        return
    body = ast.parse(path.read_text(encoding="utf-8")).body
    found = [ast.unparse(node) for node in body if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert [line for line in found if not line.startswith(("from __future__", "from typing"))] == [
        "from dlutil_core.common.version import __version__"
    ]


def test_the_core_knows_nothing_of_snakemake() -> None:
    knowing = {
        inside(path): name
        for path in MODULES
        for name in imported(path)
        if name.partition(".")[0].startswith("snakemake")
    }
    assert knowing == {}


def test_imports_are_absolute() -> None:
    """So that the direction of each can be read where it stands. What records reads is also loaded
    from a folder of its own, in processes that have no dlutil.
    """
    relative = [inside(p) for p in MODULES if any(n.startswith(".") for n in imported(p))]
    assert relative == ["definition/open_events.py"]


def test_what_starts_in_a_moment_loads_no_torch() -> None:
    code = """
        import importlib, json, sys

        first = {}
        for name in sys.argv[1:]:
            importlib.import_module(name)
            for heavy in ("torch", "snakemake", "sklearn", "pandas", "matplotlib", "captum"):
                if heavy in sys.modules:
                    first.setdefault(heavy, name)
        print(json.dumps(first))
    """
    assert json.loads(python(code, *WITHOUT_TORCH)) == {}


def test_scripts_ask_whether_their_step_is_done_before_torch_is_loaded() -> None:
    code = """
        import json, runpy, sys

        first = {}
        for path in sys.argv[1:]:
            runpy.run_path(path)
            if "torch" in sys.modules:
                first.setdefault("torch", path)
        print(json.dumps(first))
    """
    paths = [ROOT / "scripts" / f"{name}.py" for name in SCRIPTS_WITHOUT_TORCH]
    assert json.loads(python(code, *paths)) == {}


def test_ranking_and_selecting_load_no_torch(tmp_path: Path) -> None:
    code = """
        import sys
        from pathlib import Path
        from dlutil_core.search.outcome import Outcome
        from dlutil_core.search.leaderboard import rung_standings, write_histories, write_rungs
        from dlutil_core.search.plan import Plan, Trial, hyperband
        from dlutil_core.search.rung_jobs import RungJob, Slot, rank_rung
        from dlutil_core.search.winner import select_best

        folder = Path(sys.argv[1])
        schedule = hyperband(1)
        trials = (Trial(0, 1, {"lr": 0.1}, 0),)
        plan = Plan.of(schedule, 1, trials)
        row = {"epoch": 1, "train_loss": 1.0, "reward": -1.0}
        outcome = Outcome(0, [row])
        RungJob(0, 0, 1, [Slot(0, outcome)]).write(folder / "0.json")
        rank_rung(plan, 0, 0, [folder / "0.json"], folder / "rung-0.json")
        bracket = folder / "search" / "bracket-0"
        bracket.mkdir(parents=True)
        standings = rung_standings(plan.brackets[0], 0, [outcome], {0: trials[0]})
        write_rungs(bracket / "leaderboard.csv", standings)
        write_histories(bracket / "history.csv", [outcome])
        (bracket / "best.pt").write_bytes(b"weights")
        (bracket / "network.csv").write_text("name")
        select_best(plan, [bracket], folder)
        print((folder / "best" / "model.pt").read_bytes(), "torch" in sys.modules)
    """
    assert python(code, tmp_path) == "b'weights' False\n"


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """`lint-imports` in a folder with a copy of the core."""
    return subprocess.run(
        [sys.executable, "-c", LINT, "--no-cache"],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the core in it, whose imports are as they should be."""
    folder = tmp_path_factory.mktemp("layout")
    shutil.copytree(CORE, folder / "dlutil_core", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    done = lint(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.parametrize(
    "module,line,said",
    [
        ("common/errors.py", "from dlutil_core.run import config", "common.errors"),
        ("job/step.py", "def later():\n    from dlutil_core.search import plan", "job.step"),
        ("search/plan.py", "import dlutil_core.trained.load", "search.plan"),
        ("lost.py", "", "lost"),
    ],
    ids=["upward", "upward-inside-a-function", "sideways", "outside-every-room"],
)
def test_an_import_upward_is_refused(module: str, line: str, said: str, copied: Path) -> None:
    path = copied / "dlutil_core" / module
    before = path.read_text(encoding="utf-8") if path.exists() else None
    path.write_text(f"{before or ''}\n\n{line}\n", encoding="utf-8")
    try:
        done = lint(copied)
    finally:
        path.unlink() if before is None else path.write_text(before, encoding="utf-8")
    assert done.returncode == 1
    assert f"dlutil_core.{said}" in done.stdout


def test_make_lint_checks_the_imports() -> None:
    recipe = (ROOT / "Makefile").read_text().partition("\nlint:")[2].partition("\n\n")[0]
    assert "lint_imports_command" in recipe


def defined(path: Path) -> set[str]:
    """Names of a module's functions and classes, and of what these define: `A`, `A.b`, `A.b.c`."""

    def walk(body: list[ast.stmt], prefix: str) -> Iterator[str]:
        for node in body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                yield prefix + node.name
                yield from walk(node.body, f"{prefix}{node.name}.")

    return set(walk(ast.parse(path.read_text(encoding="utf-8")).body, ""))


def test_the_architecture_names_what_there_is() -> None:
    """Every station that is named by its package, and every package."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    packages = {room.name for room in ROOMS if room.parent == CORE}
    cells = re.findall(r"^\| (`\w+/`.*?) \|", text, re.MULTILINE)
    assert packages == {name for cell in cells for name in re.findall(r"`(\w+)/`", cell)}
    stations = re.findall(r"`(\w+)/(\w+)\.((?!py\b|json\b|csv\b)[A-Za-z_][\w.]*)", text)
    stations = [station for station in stations if station[0] in packages]
    assert len(stations) > 20
    for room, module, name in stations:
        assert name in defined(CORE / room / f"{module}.py"), f"{room}/{module}.{name}"
    for path in re.findall(r"`(\w+/\w+\.py)`", text):
        assert (ROOT / path).is_file() or (CORE / path).is_file(), path
