"""The files that say what is installed agree, and a wheel carries the whole workflow."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[3]
CONDA_NAMES = {
    "pytorch": "torch",
    "matplotlib-base": "matplotlib",
    "snakemake-minimal": "snakemake",
}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def requirements(*lists: list[str]) -> dict[str, Requirement]:
    """Requirements by their normalised names."""
    parsed = [Requirement(text) for texts in lists for text in texts]
    return {canonicalize_name(r.name): r for r in parsed}


RUNTIME = requirements(PROJECT["project"]["dependencies"])
EXTRAS = PROJECT["project"]["optional-dependencies"]
EVERY = requirements(
    PROJECT["project"]["dependencies"], *EXTRAS.values(), PROJECT["build-system"]["requires"]
)


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    entries = [line for line in lines if line and not line.startswith("#")]
    found = dict(entry.split("==") for entry in entries)
    assert len(found) == len(entries), "constraints.txt names a package twice"
    return {canonicalize_name(name): version for name, version in found.items()}


def sources(*folders: str) -> list[Path]:
    """Files of the repository below these folders, without what Python leaves behind."""
    return [
        path
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*"))
        if path.is_file() and not {"__pycache__", ".snakemake"} & set(path.parts)
    ]


# -- four lists of packages ------------------------------------------------------------------------


def test_dependencies_have_a_lower_bound_and_no_other() -> None:
    for requirement in EVERY.values():
        assert [s.operator for s in requirement.specifier] == [">="], str(requirement)


def test_conda_environment_describes_the_same_packages() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    conda = requirements(environment["dependencies"])
    python = conda.pop("python")
    named = {CONDA_NAMES.get(name, name): r.specifier for name, r in conda.items()}
    assert str(python.specifier) == PROJECT["project"]["requires-python"]
    assert named == {name: r.specifier for name, r in RUNTIME.items()}


def test_the_environment_of_jobs_pins_them_to_the_versions_of_the_tests() -> None:
    text = (ROOT / "workflow" / "envs" / "dlutil.yaml").read_text()
    environment = yaml.safe_load(text)
    lines = dict(line.split(" =") for line in environment["dependencies"])
    assert PROJECT["project"]["requires-python"] == f">={lines.pop('python')}"
    named = {CONDA_NAMES.get(name, name): version for name, version in lines.items()}
    assert named == {name: ".".join(pins()[name].split(".")[:2]) for name in RUNTIME}
    whole = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment["channels"] == whole["channels"]


@pytest.mark.parametrize("name", EVERY)
def test_every_dependency_is_pinned_within_its_bound(name: str) -> None:
    assert name in pins(), f"constraints.txt has no line {name}==..."
    assert EVERY[name].specifier.contains(pins()[name], prereleases=True)


def test_pins_are_exact_and_fit_every_build_of_a_package() -> None:
    for name, version in pins().items():
        assert re.fullmatch(r"[0-9][0-9a-z.]*", version), f"{name}=={version}"


def test_every_dependency_has_its_reason_and_nothing_else_has() -> None:
    text = (ROOT / "docs" / "dependencies.md").read_text()
    rows = re.findall(r"^\| (\w[\w-]*) \| (.+) \|$", text, flags=re.MULTILINE)
    reasons = {canonicalize_name(name): reason for name, reason in rows if name != "package"}
    assert set(reasons) == set(EVERY)
    assert all(len(reason.split()) >= 3 for reason in reasons.values())


def imported(path: Path) -> set[str]:
    """Top-level names of the modules that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names.add(node.module.split(".")[0])
    return names


def test_whatever_the_code_imports_is_declared() -> None:
    declared = requirements(
        PROJECT["project"]["dependencies"],
        *(texts for extra, texts in EXTRAS.items() if extra not in ("dev", "bench")),
    )
    providers = packages_distributions()
    own = {"dlutil_core"} | {path.stem for path in sources("scripts")}
    undeclared = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sources("dlutil_core", "scripts", "examples")
        if path.suffix == ".py"
        for name in sorted(imported(path) - own - set(sys.stdlib_module_names))
        if not {canonicalize_name(d) for d in providers.get(name, [name])} & set(declared)
    ]
    assert not undeclared


# -- the wheel -------------------------------------------------------------------------------------


def build(kind: str, folder: Path) -> Path:
    """A wheel of the repository, made as pip makes it; `kind` is 'wheel' or 'editable'."""
    code = f"import hatchling.build, sys; print(hatchling.build.build_{kind}(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(folder)]
    run = subprocess.run(command, cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE)
    return folder / run.stdout.split()[-1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    return zipfile.ZipFile(build("wheel", tmp_path_factory.mktemp("wheel")))


def test_wheel_carries_core_workflow_scripts_and_environment(wheel: zipfile.ZipFile) -> None:
    core = {str(p.relative_to(ROOT)) for p in sources("dlutil_core")}
    beside = {f"dlutil_core/{p.relative_to(ROOT)}" for p in sources("workflow", "scripts")}
    packed = {name for name in wheel.namelist() if not name.startswith("dlutil_workflow-")}
    assert packed == core | beside | {"dlutil_core/environment.yml"}


def test_wheel_has_the_command_the_licence_and_the_extras(wheel: zipfile.ZipFile) -> None:
    info = f"dlutil_workflow-{PROJECT['project']['version']}.dist-info"
    assert (
        "dlutil = dlutil_core.cli.commands:main" in wheel.read(f"{info}/entry_points.txt").decode()
    )
    assert wheel.read(f"{info}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
    metadata = wheel.read(f"{info}/METADATA").decode()
    assert set(re.findall(r"^Provides-Extra: (.+)$", metadata, flags=re.MULTILINE)) == set(EXTRAS)


def test_editable_install_copies_nothing_that_could_go_stale(tmp_path: Path) -> None:
    with zipfile.ZipFile(build("editable", tmp_path)) as archive:
        installed = [n for n in archive.namelist() if ".dist-info/" not in n]
        assert installed == ["_dlutil_workflow.pth"]
        assert archive.read("_dlutil_workflow.pth").decode().strip() == str(ROOT)


# -- checks of a commit ----------------------------------------------------------------------------


def test_commit_hooks_fetch_nothing() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert {repo["repo"] for repo in hooks["repos"]} == {"local"}
    assert {hook["language"] for repo in hooks["repos"] for hook in repo["hooks"]} == {"system"}


def test_tests_use_declared_markers_only_where_make_knows_them() -> None:
    """`make test` leaves out whole kinds of tests: each kind has a target that runs it."""
    makefile = (ROOT / "Makefile").read_text()
    for kind in ("promises", "cluster", "browser", "fuzz"):
        assert f"--ignore=tests/{kind}" in makefile
        assert re.search(rf"tests_of,tests/{kind},", makefile)
