"""Local modules and packages: which are found, and which stages they belong to."""

from __future__ import annotations

import os

import pytest
from fingerprint_files import (
    ALL,
    BARE,
    FILES,
    NONE,
    REPOSITORY,
    changed,
    write,
)

from dlutil_core.fingerprint.analysis import analyse

# Local modules: {file: text}, the edit (file, old, new), the stages.
PACKAGE = {
    "def.py": BARE + "from lib.data import load\ndef get_test_generator(d): return load(d)\n",
    "lib/__init__.py": "VERSION = 1\n",
    "lib/data.py": "from . import parts\nfrom .deep.inner import x\ndef load(d): return x\n",
    "lib/parts.py": "y = 1\n",
    "lib/other.py": "z = 1\n",
    "lib/deep/__init__.py": "",
    "lib/deep/inner.py": "from ...lib.deep import side\nfrom ..far import w\nx = 1\n",
    "lib/deep/side.py": "v = 1\n",
    "lib/far.py": "w = 1\n",
}


@pytest.mark.parametrize(
    "file, stages",
    [
        *(
            (f, {"test"})
            for f in PACKAGE
            if f not in ("def.py", "lib/other.py", "lib/deep/__init__.py")
        ),
        ("lib/other.py", NONE),
    ],
)
def test_packages_and_relative_imports_are_followed(tmp_path, file, stages):
    after = {**PACKAGE, file: PACKAGE[file].replace("= 1", "= 7").replace("return x", "return 7")}
    assert changed(tmp_path, PACKAGE, after) == stages


def test_local_files_are_those_that_are_imported(tmp_path):
    found = analyse(write(tmp_path, {**PACKAGE, "stray.py": "x = 1\n"}))
    expected = sorted(tmp_path / f for f in PACKAGE if f not in ("def.py", "lib/other.py"))
    assert list(found.local_files) == expected


MODULES = {
    "import in a function": (
        "def get_test_generator(d):\n    import helper\n    return helper.x",
        "x = 1",
        {"test"},
    ),
    "import as": ("import helper as h\ndef get_test_generator(d): return h.x", "x = 1", {"test"}),
    "import for its effect": ("import helper", "x = 1", ALL),
    "import for its effect with a hidden name": ("import helper as _", "x = 1", ALL),
    "import in try": (
        "try:\n    import helper\nexcept ImportError:\n    helper = None",
        "x = 1",
        ALL,
    ),
    "loader from a module": (
        "from helper import get_test_generator",
        "get_test_generator = 1",
        {"test"},
    ),
    "acts when it is imported": (
        "import helper\ndef get_test_generator(d): return helper",
        "import torch\ntorch.set_num_threads(1)",
        ALL,
    ),
    "what acts reaches": (
        "import helper\ndef get_test_generator(d): return helper",
        "import torch\ndef patch(x):\n    return 1\ntorch.relu = patch",
        ALL,
    ),
    "beside what acts": (
        "import helper\ndef get_test_generator(d): return helper",
        "import torch\ntorch.relu = len\ndef quiet(x):\n    return 1",
        {"test"},
    ),
    "imports def.py": (
        "import helper\ndef get_test_generator(d): return helper",
        "import def_\nx = 1",
        {"test"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MODULES)
def test_imported_modules_count_where_they_are_reached(tmp_path, name):
    code, module, stages = MODULES[name]
    before = {"def.py": f"{BARE}{code}\n", "helper.py": f"{module}\n"}
    after = {**before, "helper.py": module[::-1].replace("1", "7", 1)[::-1]}
    assert changed(tmp_path, before, after) == stages


def test_modules_that_act_count_in_the_order_of_loading(tmp_path):
    act = "import torch\ntorch.relu = '{}'\n"
    files = {"a.py": act.format("a"), "b.py": act.format("b"), "c.py": "import a\n"}
    code = "import c\nimport b\ndef get_test_generator(d): return b, c\n"
    before = {**files, "def.py": BARE + code}
    after = {**files, "def.py": BARE + code.replace("import c\nimport b", "import b\nimport c")}
    assert changed(tmp_path, before, after) == ALL
    statement = "torch = 1\nprint(torch)\n"
    late = {**files, "def.py": BARE + statement + code}
    early = {**files, "def.py": BARE + code + statement}
    assert changed(tmp_path, late, early) == ALL


def test_a_submodule_that_another_module_loads_is_an_attribute_of_its_package(tmp_path):
    before = {
        "def.py": BARE + "import pkg\nfrom other import y\n"
        "def get_val_generator(d): return y\ndef get_test_generator(d): return pkg.sub.x\n",
        "other.py": "import pkg.sub\ny = 1\n",
        "pkg/__init__.py": "",
        "pkg/sub.py": "x = 1\n",
    }
    after = {**before, "pkg/sub.py": "x = 2\n"}
    assert changed(tmp_path, before, after) == {"train", "test"}


def test_exports_of_a_package_do_not_join_its_modules(tmp_path):
    before = {
        "def.py": BARE + "from pkg import test_side\n"
        "def get_test_generator(d): return test_side.x\n",
        "pkg/__init__.py": "from .common import shared\n",
        "pkg/common.py": "shared = 1\n",
        "pkg/test_side.py": "x = 1\n",
    }
    assert changed(tmp_path, before, {**before, "pkg/common.py": "shared = 2\n"}) == {"test"}
    assert changed(tmp_path / "x", before, {**before, "pkg/test_side.py": "x = 2\n"}) == {"test"}


def test_modules_that_import_each_other_are_read(tmp_path):
    before = {
        "def.py": BARE + "import a\ndef get_test_generator(d): return a.x\n",
        "a.py": "import b\nx = 1\n",
        "b.py": "import a\ny = 1\n",
    }
    assert changed(tmp_path, before, {**before, "b.py": "import a\ny = 2\n"}) == {"test"}


def test_the_search_path_is_searched_after_the_folder_of_the_definition(tmp_path):
    code = BARE + "from helper import x\ndef get_test_generator(d): return x\n"
    library = tmp_path / "library"
    write(library, {"helper.py": "x = 1\n"})
    search = ("", str(library), str(tmp_path / "absent"))
    first = analyse(write(tmp_path / "run", {"def.py": code}), search)
    assert first.local_files == (library / "helper.py",)
    write(library, {"helper.py": "x = 2\n"})
    second = analyse(tmp_path / "run" / "def.py", search)
    assert second.fingerprints["test"] != first.fingerprints["test"]
    assert second.fingerprints["train"] == first.fingerprints["train"]
    assert analyse(tmp_path / "run" / "def.py").local_files == ()
    write(tmp_path / "run", {"helper.py": "x = 3\n"})
    assert analyse(tmp_path / "run" / "def.py", search).local_files == (tmp_path / "run/helper.py",)


def test_installed_packages_and_dlutil_itself_are_not_local(tmp_path):
    packages = tmp_path / "lib" / "site-packages"
    write(packages, {"helper.py": "exec('x = 1')\n"})
    target = tmp_path / "target"
    write(target, {"helper.py": "exec('x = 1')\n", "numpy-1.dist-info/METADATA": ""})
    code = (
        BARE
        + "import helper\nimport dlutil_core\n"
        + "def get_test_generator(d): return helper, dlutil_core\n"
    )
    search = (str(packages), str(target), str(REPOSITORY), os.path.dirname(os.__file__))
    found = analyse(write(tmp_path / "run", {"def.py": code}), search)
    assert found.local_files == ()
    assert found.whole is None


@pytest.mark.parametrize(
    "code",
    [
        "import sys\nsys.path.append({!r})",
        "import sys as s\ns.path.insert(0, {!r})",
        "from sys import path\npath.extend([{!r}])",
        "import sys\nsys.path += [{!r}]",
        "import sys\nsys.path[0:0] = [{!r}]",
        "import sys\nsys.path = [{!r}] + sys.path",
        "import sys\nLIBRARY = {!r}\nsys.path.append(LIBRARY)",
        "import sys, os\nsys.path.append(os.path.join(os.path.dirname(__file__), '..', 'library'))",
        "import sys\nfrom os.path import *\nfrom os.path import dirname, join, abspath\n"
        "HERE = dirname(abspath(__file__))\nsys.path.append(join(HERE, '../library'))",
        "import sys\nfrom pathlib import Path\n"
        "sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'library'))",
        "import sys, pathlib\n"
        "sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / 'library'))",
        "import sys, os\nHERE = os.path.dirname(__file__)\n"
        "sys.path.insert(0, f'{{HERE}}/../library')",
    ],
)
def test_folders_that_the_code_adds_to_the_search_path_are_searched(tmp_path, code):
    library = tmp_path / "library"
    write(library, {"helper.py": "x = 1\n"})
    text = f"{BARE}{code.format(str(library))}\nimport helper\n"
    found = analyse(write(tmp_path / "run", {"def.py": text}))
    assert [p.resolve() for p in found.local_files] == [library / "helper.py"]
    assert found.warnings == ()


def test_a_folder_that_cannot_be_read_off_the_code_is_told(tmp_path):
    text = f"{BARE}import os, sys\nsys.path.append(os.environ['LIB'])\n"
    found = analyse(write(tmp_path, {"def.py": text}))
    (warning,) = found.warnings
    assert warning.startswith(f"{tmp_path / 'def.py'}: line 6 adds a folder to sys.path")
    assert found.environment == ("LIB",)


def test_a_module_that_adds_to_the_search_path_is_heeded_by_the_others(tmp_path):
    write(tmp_path / "library", {"helper.py": "x = 1\n"})
    code = "import helper\nimport setup_path\ndef get_test_generator(d): return helper\n"
    path_code = f"import sys\nsys.path.append({str(tmp_path / 'library')!r})\n"
    path = write(tmp_path / "run", {"def.py": BARE + code, "setup_path.py": path_code})
    assert tmp_path / "library/helper.py" in analyse(path).local_files


def test_modules_imported_by_a_text_are_followed(tmp_path):
    code = BARE + "import importlib\ndef get_test_generator(d):\n"
    code += "    return importlib.import_module('helper').x\n"
    before = {"def.py": code, "helper.py": "x = 1\n"}
    assert changed(tmp_path, before, {**before, "helper.py": "x = 2\n"}) == ALL


def test_a_compiled_module_counts_by_its_bytes(tmp_path):
    from importlib.machinery import EXTENSION_SUFFIXES

    path = write(
        tmp_path, {"def.py": BARE + "import fast\ndef get_test_generator(d): return fast\n"}
    )
    compiled = tmp_path / f"fast{EXTENSION_SUFFIXES[0]}"
    compiled.write_bytes(b"\x7fELF 1")
    first = analyse(path)
    compiled.write_bytes(b"\x7fELF 2")
    second = analyse(path)
    assert first.local_files == (compiled,)
    assert {s for s in ALL if first.fingerprints[s] != second.fingerprints[s]} == {"test"}


def test_a_folder_without_init_is_a_package(tmp_path):
    before = {
        "def.py": BARE + "from lib.helper import x\ndef get_test_generator(d): return x\n",
        "lib/helper.py": "x = 1\n",
    }
    assert changed(tmp_path, before, {**before, "lib/helper.py": "x = 2\n"}) == {"test"}


@pytest.mark.parametrize(
    "line, stages",
    [
        ("import glob", NONE),
        ("import torch.nn.functional as F", NONE),
        ("from sklearn.metrics import roc_auc_score", NONE),
        ("from sklearn.experimental import enable_halving_search_cv", ALL),
        ("import hdf5plugin", ALL),
        ("import helper", ALL),
    ],
)
def test_an_import_that_an_edit_leaves_unread_counts_if_it_may_do_something(tmp_path, line, stages):
    before = {"def.py": BARE, "helper.py": "x = 1\n"}
    assert changed(tmp_path, before, {**before, "def.py": f"{line}\n{BARE}"}) == stages


def test_a_local_module_may_have_the_name_of_an_installed_one(tmp_path):
    before = {"def.py": f"import glob\n{BARE}", "glob.py": "x = 1\n"}
    assert changed(tmp_path, before, {**before, "glob.py": "x = 2\n"}) == ALL


def test_modules_are_found_beside_the_file_that_a_link_points_to(tmp_path):
    path = write(tmp_path / "real", FILES)
    (tmp_path / "link").mkdir()
    link = tmp_path / "link" / "def.py"
    link.symlink_to(path)
    assert analyse(link).fingerprints == analyse(path).fingerprints
    assert len(analyse(link).local_files) == 3
