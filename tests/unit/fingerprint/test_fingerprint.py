"""Which edits of def.py and its modules change the fingerprint of which stage; what is refused."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fingerprint_files import (
    ALL,
    DEFINITION,
    FILES,
    NONE,
    REPOSITORY,
    changed,
    edit,
    prints,
    write,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from dlutil_core.common.errors import UserError
from dlutil_core.fingerprint.analysis import analyse, require
from dlutil_core.fingerprint.syntax import canonical

EDITS = [
    # nothing
    ("comment", "# doubled", "# made twice as large", "def.py", NONE),
    ("docstring", '"""The test set."""', '"""Held-out data."""', "def.py", NONE),
    ("docstring removed", '    """The test set."""\n', "", "def.py", NONE),
    ("module docstring", '"""A definition."""', '"""Another text."""', "def.py", NONE),
    ("blank lines", "\n\n\ndef only_test", "\n\n\n\n\n\ndef only_test", "def.py", NONE),
    ("parentheses", "return x * 2", "return (x * (2))", "def.py", NONE),
    ("quotes", '"test.h5"', "'test.h5'", "def.py", NONE),
    ("line break", "[0.1, 0.01]", "[\n        0.1,\n        0.01,\n    ]", "def.py", NONE),
    ("unused constant", "UNUSED = 1", "UNUSED = 2", "def.py", NONE),
    ("unused function", "nobody(x):\n    return x", "nobody(x):\n    return 1", "def.py", NONE),
    ("never run", "print(get_config())", "print(1)", "def.py", NONE),
    ("imports sorted", "import os\nimport random\n", "import random\nimport os\n", "def.py", NONE),
    ("names sorted", "load_train, load_test", "load_test, load_train", "def.py", NONE),
    ("comment of a module", "import torch\n", "# deep\nimport torch\n", "nets.py", NONE),
    ("docstring of a module", '"""Networks."""', '"""Nets."""', "nets.py", NONE),
    # one stage
    ("test loader", "(only_test(shared(x)), y)", "(only_test(shared(x)), -y)", "def.py", {"test"}),
    ("test loader's default", "get_test_generator(data_dir)", "get_test_generator(data_dir, n=1)",
     "def.py", {"test"}),
    ("helper of test", "return x * 2", "return x * 3", "def.py", {"test"}),
    ("constant of test", '"test.h5"', '"held_out.h5"', "def.py", {"test"}),
    ("prediction loader", "(only_predict(", "(1 + only_predict(", "def.py", {"predict"}),
    ("helper of predict", "x[:, :3]", "x[:, :4]", "def.py", {"predict"}),
    ("save_prediction", "np.savetxt(pred_subpath, Y,", "np.savetxt(pred_subpath, -Y,", "def.py",
     {"predict"}),
    ("constant of save_prediction", '["a", "b"]', '["a", "c"]', "def.py", {"predict"}),
    ("search space", "[0.1, 0.01]", "[0.1, 0.02]", "def.py", {"train"}),
    ("training loader", "shuffle=True", "shuffle=False", "def.py", {"train"}),
    ("validation loader", "(shared(x), y)\n", "(shared(x), y, 10)\n", "def.py", {"train"}),
    # several
    ("module of two", "return open_file(path)", "return open_file(path, 1)", "loaders.py",
     {"train", "test"}),
    ("module of a module", "return path", "return str(path)", "common.py", {"train", "test"}),
    ("helper of loaders", '"float32"', '"float64"', "def.py", ALL),
    ("model", "Adam", "SGD", "def.py", ALL),
    ("network", "super().__init__()\n", "super().__init__()\n        self.n = 1\n", "def.py", ALL),
    ("constant of the network", "N_FEATURES = 4", "N_FEATURES = 5", "def.py", ALL),
    ("module of the network", "torch.relu", "torch.tanh", "nets.py", ALL),
    ("statement", "UNUSED = 1", "UNUSED = 1\nnp.random.seed(1)", "def.py", ALL),
    ("import for its effect", "UNUSED = 1", "import hdf5plugin", "def.py", ALL),
    ("import's source", "import numpy as np", "import cupy as np", "def.py", {"predict"}),
]  # fmt: skip


@pytest.mark.parametrize(
    "old, new, file, stages", [e[1:] for e in EDITS], ids=[e[0] for e in EDITS]
)
def test_edit_changes_exactly_the_stages_that_reach_it(tmp_path, old, new, file, stages):
    assert changed(tmp_path, FILES, edit(old, new, file)) == stages


def test_fingerprints_are_hexadecimal_and_differ_between_stages(tmp_path):
    found = prints(tmp_path, FILES)
    assert set(found) == {*ALL, "baseline"}
    assert len(set(found.values())) == 4
    assert all(len(v) == 64 and int(v, 16) for v in found.values())


def test_place_and_time_of_the_files_do_not_count(tmp_path, monkeypatch):
    first = prints(tmp_path / "a", FILES)
    path = write(tmp_path / "b" / "deeper", FILES)
    os.utime(path, (1, 1))
    other = path.rename(path.with_name("model.py"))
    assert analyse(other).fingerprints == first
    monkeypatch.chdir(other.parent)
    assert analyse("model.py").fingerprints == first


def test_reformatting_everything_changes_nothing(tmp_path):
    formatted = {name: ast.unparse(ast.parse(text)) for name, text in FILES.items()}
    assert formatted != FILES
    assert changed(tmp_path, FILES, formatted) == NONE


def test_windows_line_ends_and_a_byte_order_mark_change_nothing(tmp_path):
    before = prints(tmp_path, FILES)
    path = tmp_path / "def.py"
    path.write_bytes(b"\xef\xbb\xbf" + DEFINITION.replace("\n", "\r\n").encode())
    assert analyse(path).fingerprints == before


@pytest.mark.parametrize(
    "path",
    sorted(Path(os.__file__).parent.glob("[a-h]*.py"))[::6]
    + sorted((REPOSITORY / "dlutil_core").glob("*.py")),
    ids=lambda path: path.name,
)
def test_canonical_text_survives_unparse(path):
    tree = ast.parse(path.read_bytes())
    text = canonical(tree)
    assert canonical(ast.parse(ast.unparse(tree))) == text
    assert text.isascii() and "\n" not in text


def test_canonical_text_has_no_memory_of_the_python_version():
    text = canonical(ast.parse("def f(a, *, b: int = 1) -> None:\n    return f'{a!r:>{b}}x'"))
    assert text == (
        "(Module body=[(FunctionDef name='f' args=(arguments args=[(arg arg='a'),] "
        "kwonlyargs=[(arg arg='b' annotation=(Name id='int')),] kw_defaults=[(int 0x1),]) "
        "body=[(Return value=(JoinedStr values=[(FormattedValue value=(Name id='a') "
        "conversion=int 0x72 format_spec=(JoinedStr values=[(str '>'),(FormattedValue "
        "value=(Name id='b') conversion=int -0x1),])),(str 'x'),])),] "
        "returns=(NoneType None)),])"
    )


CONSTANTS = [
    *("1", "1.0", "True", "'1'", "b'1'", "1j", "None", "...", "0", "0.0", "-0.0", "False", "''"),
    *("'None'", "[]", "()", "{}", "'...'", "1e400", "-1", "'\\ud800'", "'é'", "f''", "[None]"),
    *("(1,)", "(1, 1)", "[1]", "'[1]'", "'1', '1'", "'1, 1'", "0x1_0000_0000_0000_0000"),
]


def test_constants_of_unequal_type_are_unequal():
    texts = [canonical(ast.parse(f"x = {c}")) for c in CONSTANTS]
    assert len(set(texts)) == len(CONSTANTS)
    assert canonical(ast.parse("x = u'1'")) == canonical(ast.parse("x = '1'"))


@given(st.one_of(st.text(), st.binary(), st.integers(), st.floats(), st.booleans()))
@settings(max_examples=200, deadline=None)
def test_equal_constants_have_equal_text(value):
    text = canonical(ast.parse(f"x = {value!r}"))
    assert canonical(ast.parse(f"x   = ({value!r})  # again")) == text
    assert text != canonical(ast.parse(f"x = [{value!r}]"))


def test_huge_numbers_and_long_sums_are_read(tmp_path):
    long = " + ".join(["x"] * 2500)
    text = DEFINITION + f"\n\ndef total(x):\n    return {long} + 0x{'f' * 9000}\n"
    assert changed(tmp_path, FILES, {**FILES, "def.py": text}) == NONE


BAD = {
    "syntax": (b"x = 1\ndef f(:\n    pass\n", "line 2", "'def f(:'"),
    "unclosed": (b"x = 1\ny = (1,\n\n\n", "line 2", "'y = (1,'"),
    "no body": (b"def f():\n\n\n", "line 1", "'def f():'"),
    "indentation": (b"def f():\n        x = 1\n    y = 1\n", "line 3", "'y = 1'"),
    "Python 2": (b"x = 1\nprint 'hello'\n", "line 2", "\"print 'hello'\""),
    "byte": (b"x = 1\ny = 'caf\xe9'\n", "line 2 holds the byte 0xe9", "caf"),
    "byte late": (b"x = 1\n" * 5 + b"y = 'caf\xe9'\n", "line 6 holds the byte 0xe9", "UTF-8"),
    "encoding": (b"# coding: klingon\nx = 1\n", "line 1", "klingon"),
    "null": (b"x = 1\ny = '\0'\n", "line 2", "null byte"),
    "empty": (b"", "no code", "get_train_generator"),
    "only comments": (b"# nothing\n\n", "no code", "get_train_generator"),
    "long": (b"x = " + b"1 " * 500, "line 1", "…"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_is_no_python_is_one_sentence(tmp_path, name):
    content, line, shown = BAD[name]
    path = tmp_path / "def.py"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        analyse(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert line in message and shown in message
    assert "\n" not in message and len(message) < 250 + len(str(path))


def test_a_missing_file_and_a_folder_are_one_sentence(tmp_path):
    with pytest.raises(UserError, match=r"absent\.py: there is no such file"):
        analyse(tmp_path / "absent.py")
    with pytest.raises(UserError, match="this is a folder"):
        analyse(tmp_path)


def test_too_deep_nesting_is_one_sentence(tmp_path):
    path = write(tmp_path, {"def.py": "x = " + "(" * 5000 + ")" * 5000})
    with pytest.raises(UserError, match=r"def\.py: "):
        analyse(path)


def test_a_broken_module_is_named(tmp_path):
    path = write(tmp_path, {**FILES, "nets.py": "x = 1\nif\n"})
    with pytest.raises(UserError, match=r"nets\.py: line 2 is not valid Python .*'if'"):
        analyse(path)


def test_latin_1_that_is_declared_is_read(tmp_path):
    path = tmp_path / "def.py"
    path.write_bytes(b"# coding: latin-1\nget_config = 'caf\xe9'\n")
    first = analyse(path).fingerprints
    path.write_text("get_config = 'café'\n", encoding="utf-8")
    assert analyse(path).fingerprints == first


def test_require_names_what_is_missing_and_its_signature(tmp_path):
    found = analyse(write(tmp_path, {"def.py": "def get_config(): ...\ndef model(): ...\n"}))
    require(found, "def.py", ["get_config"], "training")
    with pytest.raises(UserError) as caught:
        require(found, "def.py", ["get_test_generator"], "--eval")
    assert str(caught.value) == (
        "def.py: get_test_generator is missing, which --eval needs: "
        "define get_test_generator(data_dir)"
    )
    with pytest.raises(UserError) as caught:
        require(found, "def.py", ["get_config", "get_train_generator", "Model"], "--hyper")
    assert str(caught.value) == (
        "def.py: get_train_generator and Model are missing, which --hyper needs: define "
        "get_train_generator(data_dir, batch_size) and class Model(base_model.BaseModel) "
        "(it has model)"
    )


@pytest.mark.parametrize(
    "code, passes",
    [
        ("from loaders import *", True),
        ("exec('def get_test_generator(d): ...')", True),
        ("globals().update(x)", True),
        ("def __getattr__(name): ...", True),
        ("def setup():\n    global get_test_generator\n    get_test_generator = 1", True),
        ("from loaders import get_test_generator", True),
        ("try:\n    from a import get_test_generator\nexcept E: pass", True),
        ("def f(o, n): return getattr(o, n)", False),
        ("y = eval('1')", True),
        ("if __name__ == '__main__':\n    def get_test_generator(d): ...", False),
        ("def f():\n    get_test_generator = 1", False),
    ],
)
def test_require_passes_where_names_cannot_be_known(tmp_path, code, passes):
    found = analyse(write(tmp_path, {"def.py": f"x = 1\n{code}\n"}))
    if passes:
        require(found, "def.py", ["get_test_generator"], "--eval")
    else:
        with pytest.raises(UserError, match="get_test_generator is missing"):
            require(found, "def.py", ["get_test_generator"], "--eval")


def test_the_file_is_not_run_and_torch_is_not_imported(tmp_path):
    path = write(tmp_path, {
        "def.py": f"import helper\nopen({str(tmp_path / 'ran')!r}, 'w')\nraise SystemExit(3)\n",
        "helper.py": f"open({str(tmp_path / 'ran')!r}, 'w')\n",
    })  # fmt: skip
    code = (
        "import sys\nfrom dlutil_core.fingerprint.analysis import analyse\n"
        f"print(analyse({str(path)!r}).fingerprints['train'])\n"
        "heavy = {'torch', 'numpy', 'pandas', 'h5py', 'snakemake'} & set(sys.modules)\n"
        "assert not heavy, heavy\nassert 'helper' not in sys.modules\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(outputs) == 1  # nor does the order of sets leak into it
    assert not (tmp_path / "ran").exists()
