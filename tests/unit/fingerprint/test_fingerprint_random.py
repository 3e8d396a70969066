"""Random definitions, run for real: an edit that changes what a stage does changes its hash."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dlutil_core.fingerprint.analysis import analyse

REPOSITORY = Path(__file__).resolve().parents[3]
# `show` tells values apart by their text, and calls what can be called, to a small depth.
PRELUDE = """\
table = {}
log = []
a = b = c = d = e = 0
def show(x, depth=0):
    if depth > 4:
        return "deep"
    if isinstance(x, (tuple, list)):
        return [show(y, depth + 1) for y in x]
    if isinstance(x, dict):
        return sorted((k, show(y, depth + 1)) for k, y in x.items())
    if isinstance(x, type):
        return (x.__name__, show(x.v, depth + 1), show(x().m(), depth + 1))
    if callable(x):
        try:
            return show(x(), depth + 1)
        except RecursionError:
            return "deep"
    return x if isinstance(x, (int, str)) else str(type(x))
"""
ROOTS = """\
def get_train_generator(x=None, y=None):
    return show([a, b, len(log)])
def get_test_generator(x=None):
    return show([b, c, table])
def get_pred_generator(x=None):
    return show([e, d, log])
class Model: ...
"""
TEMPLATES = [
    "{n} = {k}",
    "{n} = {m}",
    "{n} = ({m}, {k})",
    "{n} = {m}, {o} = {k}, {k2}",
    "{n} = lambda x={m}: (x, {o}, {k})",
    "{n} = [{n} for {n} in [{m}, {k}]]",
    "{n} = [{m} := {k}, {o}]",
    "{n} = show({m})",
    "def {n}(): return {k}",
    "def {n}(x={m}): return (x, {k})",
    "def {n}({m}={k}): return {m}, {o}",
    "def {n}():\n    {m} = {k}\n    def {o}(): return {m}\n    return {o}()",
    "def {n}():\n    global {m}\n    {m} = {k}\n    return {o}",
    "def {n}():\n    return [{m} for {o} in [{k}, {k2}]]",
    "def {n}():\n    try:\n        return {m}, {k}\n"
    "    except NameError as {o}:\n        return {o}",
    "def {n}():\n    class {m}:\n        v = {o}\n"
    "        def m(self): return {o}, {k}\n    return {m}",
    "class {n}:\n    v = {k}\n    def m(self): return {m}",
    "class {n}:\n    {m} = {k}\n    v = {m}\n    def m(self): return {o}, self.{m}",
    "class {n}:\n    v = {k}\n    @property\n    def p(self): return {m}\n"
    "    def m(self): return self.p",
    "class _B:\n    v = {k}\n    def m(self): return {k2}\nclass {n}(_B):\n    w = {k}",
    "log.append({m})",
    "table[{k}] = {m}",
    "show({m})",
    "log += [{m}, {k}]",
    "if {k} % 2:\n    {n} = {m}\nelse:\n    def {n}(): return {o}, {k2}",
    "for {n} in [{k}, {k2}]: log.append({m})",
    "try:\n    {n} = {m}, {k}\nexcept NameError:\n    {n} = {k2}",
    "@show\ndef {n}(): return {m}, {k}",
    "def _wrap(f): return lambda: (f, {m})\n@_wrap\ndef {n}(): return {k}",
    "import os.path as {n}",
    "from json import dumps as {n}, loads as {m}",
    "with open('/dev/null') as {n}: {n} = {k}",
    "if __name__ == '__main__':\n    {n} = {k}",
    "del {n}\n{n} = {k}",
]


@st.composite
def statements(draw) -> str:
    template = draw(st.sampled_from(TEMPLATES))
    names = {letter: draw(st.sampled_from("abcde")) for letter in "nmo"}
    numbers = {key: draw(st.integers(0, 5)) for key in ("k", "k2")}
    return template.format(**names, **numbers)


def behaviour(code: str) -> dict[str, Any] | None:
    """What each stage's loader returns, each in a module of its own; None where it raises."""
    found: dict[str, Any] = {}
    loaders = {"train": "get_train_generator", "test": "get_test_generator"}
    for stage, name in {**loaders, "predict": "get_pred_generator"}.items():
        module: dict[str, Any] = {"__name__": "definition"}
        try:
            exec(compile(code, "def.py", "exec"), module)
        except Exception:
            return None
        try:
            found[stage] = module[name]()
        except Exception as error:
            found[stage] = f"{type(error).__name__} {error}"
    return found


@given(st.lists(statements(), min_size=2, max_size=9), st.data())
@settings(max_examples=300, deadline=None)
def test_what_changes_a_result_changes_the_fingerprint(parts, data):
    kind = data.draw(st.sampled_from(["number", "number", "order", "statement", "removal"]))
    place = data.draw(st.integers(0, len(parts) - 2))
    after = list(parts)
    if kind == "number":
        numbers = list(re.finditer(r"\d", parts[place]))
        assume(numbers)
        chosen = data.draw(st.sampled_from(numbers))
        after[place] = f"{parts[place][: chosen.start()]}7{parts[place][chosen.end() :]}"
    elif kind == "order":
        after[place], after[place + 1] = after[place + 1], after[place]
    elif kind == "statement":
        after[place] = data.draw(statements())
    else:
        del after[place]
    try:
        codes = ["\n".join([PRELUDE, *lines, ROOTS]) for lines in (parts, after)]
        results = [behaviour(code) for code in codes]
    except SyntaxError:
        assume(False)
    assume(None not in results)
    before, edited = results
    assert before is not None and edited is not None
    with tempfile.TemporaryDirectory() as folder:
        prints = []
        for code in codes:
            path = Path(folder) / "def.py"
            path.write_text(code)
            prints.append(analyse(path).fingerprints)
    for stage in before:
        if before[stage] != edited[stage]:
            assert prints[0][stage] != prints[1][stage], (stage, kind, "\n".join(after))


def test_versions_of_python_agree():
    """The canonical text of the project's own files, under each Python that is installed."""
    code = (
        "import ast, hashlib, sys\n"
        "from dlutil_core.fingerprint.syntax import canonical\n"
        "for path in sys.argv[1:]:\n"
        "    text = canonical(ast.parse(open(path, 'rb').read()))\n"
        "    print(hashlib.sha256(text.encode()).hexdigest())\n"
    )
    found = {shutil.which(f"python3.{minor}") for minor in range(11, 16)} - {None}
    pythons = [p for p in [sys.executable, *sorted(str(p) for p in found)] if run_version(p)]
    if len({run_version(p) for p in pythons}) < 2:
        pytest.skip("one version of Python is installed")
    files = sorted(str(p) for p in REPOSITORY.glob("*/**/*.py") if ".venv" not in p.parts)
    outputs = {
        subprocess.run(
            [python, "-W", "ignore", "-c", code, *files],
            cwd=REPOSITORY,
            check=True,
            capture_output=True,
        ).stdout
        for python in pythons
    }
    assert len(outputs) == 1


def run_version(python: str) -> str:
    """The version of an interpreter; empty where it is a stub that runs nothing."""
    command = [python, "-c", "import sys; print(sys.version_info[:2])"]
    return subprocess.run(command, capture_output=True, text=True).stdout
