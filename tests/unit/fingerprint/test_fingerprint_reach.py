"""Names that a stage reaches in ways that are easily missed, and code that hides them."""

from __future__ import annotations

import textwrap

import pytest
from fingerprint_files import (
    ALL,
    BARE,
    DEFINITION,
    FILES,
    NETS,
    NONE,
    changed,
    write,
)

from dlutil_core.fingerprint.analysis import analyse

# Each edit below is of code that a stage reaches in a way that names alone do not show.
SOUND = {
    "nested function": (
        "def helper():\n    return 1\ndef get_test_generator(d):\n"
        "    def inner():\n        return helper()\n    return inner()",
        {"test"},
    ),
    "lambda": ("def helper():\n    return 1\nget_test_generator = lambda d: helper()", {"test"}),
    "comprehension": (
        "def helper():\n    return 1\ndef get_test_generator(d):\n    return [helper() for _ in d]",
        {"test"},
    ),
    "default argument": (
        "helper = 1\ndef get_test_generator(d, h=helper):\n    return h",
        {"test"},
    ),
    "annotation": ("class helper:\n    v = 1\ndef get_test_generator(d: helper): ...", {"test"}),
    "quoted annotation": (
        "class helper:\n    v = 1\ndef get_test_generator(d: 'list[helper]'): ...",
        {"test"},
    ),
    "alias": (
        "def helper():\n    return 1\nother = helper\ndef get_test_generator(d): return other()",
        {"test"},
    ),
    "assigned loader": ("def helper(d):\n    return 1\nget_test_generator = helper", {"test"}),
    "tuple": ("helper, b = 1, 2\ndef get_test_generator(d): return b", {"test"}),
    "walrus": ("b = [helper := 1]\ndef get_test_generator(d): return helper", {"test"}),
    "base class": (
        "class helper:\n    v = 1\nclass B(helper): ...\ndef get_test_generator(d): return B()",
        {"test"},
    ),
    "class body": (
        "helper = 1\nclass B:\n    v = helper\ndef get_test_generator(d): return B.v",
        {"test"},
    ),
    "method": (
        "def helper(): return 1\nclass B:\n    def m(self): return helper()\n"
        "def get_test_generator(d): return B().m()",
        {"test"},
    ),
    "mangled name": (
        "_B__helper = 1\nclass B:\n    def m(self): return __helper\n"
        "def get_test_generator(d): return B().m()",
        {"test"},
    ),
    "property": (
        "class B:\n    @property\n    def m(self): return 1\n"
        "def get_test_generator(d): return B().m",
        {"test"},
    ),
    "redefinition": (
        "def get_test_generator(d): return 1\nold = get_test_generator\n"
        "def get_test_generator(d): return old(d)",
        {"test"},
    ),
    "order of assignments": ("a = 1\nb = a\na = 1 + 1\ndef get_test_generator(d): return b", None),
    "global": (
        "value = 1\ndef get_test_generator(d):\n    global value\n    value += 1\n    return value",
        {"test"},
    ),
    "call": ("def helper(): return 1\nhelper()", ALL),
    "call in an assignment": ("def helper(): return 1\nx = helper()", ALL),
    "call in a default": ("def helper(): return 1\ndef nobody(x=helper()): ...", ALL),
    "call in a class": ("def helper(): return 1\nclass Nobody:\n    x = helper()", ALL),
    "call in bases": ("def helper(): return 1\nclass Nobody(helper()): ...", ALL),
    "class keyword": ("class Nobody(object, x=1): ...", ALL),
    "decorator": ("def helper(f): return 1\n@helper\ndef nobody(): ...", ALL),
    "decorated": ("def wrap(f): return f\n@wrap\ndef nobody(): return 1", ALL),
    "method decorator": (
        "def helper(f): return 1\nclass Nobody:\n    @helper\n    def m(self): ...",
        ALL,
    ),
    "patched attribute": ("def helper(): return 1\nnn.Linear.extra_repr = helper", ALL),
    "patched item": ("helper = 1\ntable = {}\ntable['x'] = helper", ALL),
    "augmented": ("x = []\nx += [1]", ALL),
    "deletion": ("a = 1\nb = 2\ndel b", None),
    "for": ("for i in range(1): print(i)", ALL),
    "if": ("import os\nif os.sep == '/':\n    def get_test_generator(d): return 1", ALL),
    "else of main": ("if __name__ == '__main__':\n    pass\nelse:\n    print(1)", ALL),
    "try": ("try:\n    x = 1\nexcept ImportError:\n    x = 2", ALL),
    "with": ("with open('x') as f:\n    x = 1", ALL),
    "assert": ("assert 1 < 2", ALL),
    "module __getattr__": ("def __getattr__(name):\n    return 1", ALL),
    "subclass hook": (
        "class B:\n    def __init_subclass__(cls):\n        found[cls.__name__] = cls\n"
        "found = {}\nclass Nobody(B):\n    v = 1",
        ALL,
    ),
    "__subclasses__": (
        "class B: ...\nclass Nobody(B):\n    v = 1\n"
        "def get_config(): return {'n': len(B.__subclasses__())}",
        ALL,
    ),
    "metaclass": (
        "class M(type): ...\nclass B(metaclass=M): ...\nclass Nobody(B):\n    v = 1",
        ALL,
    ),
    "class by its name": (
        "import registry\nclass Helper(registry.Base):\n    v = 1\n"
        "def get_test_generator(d): return registry.make('Helper')",
        {"test"},
    ),
    "pickle": (
        "import pickle\nclass Helper:\n    v = 1\n"
        "def get_test_generator(d): return pickle.load(open(d))",
        {"test"},
    ),
    "pickle under another name": (
        "from joblib import load as read\nclass Helper:\n    v = 1\n"
        "def get_test_generator(d): return read(d)",
        {"test"},
    ),
    "docstring that is read": (
        "def helper():\n    'columns: 1'\ndef get_test_generator(d): return helper.__doc__",
        {"test"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SOUND)
def test_what_a_stage_reaches_in_a_hidden_way_counts(tmp_path, name):
    code, stages = SOUND[name]
    if stages is None:  # an edit of their order
        lines = code.split("\n")
        after = "\n".join([lines[0], lines[2], lines[1], *lines[3:]])
        assert changed(tmp_path, {"def.py": BARE + code}, {"def.py": BARE + after})
        return
    before, after = f"{BARE}{code}\n", f"{BARE}{code[::-1].replace('1', '7', 1)[::-1]}\n"
    if name == "redefinition":
        after = f"{BARE}{code.replace('1', '7', 1)}\n"
    assert changed(tmp_path, {"def.py": before}, {"def.py": after}) == stages


def test_every_edit_of_a_hidden_way_counts_wherever_it_is_made(tmp_path):
    """Not only the last number of each example, but every one."""
    for number, (code, stages) in enumerate(SOUND.values()):
        for position, letter in enumerate(code):
            if letter != "1" or stages is None:
                continue
            after = f"{code[:position]}7{code[position + 1 :]}"
            folder = tmp_path / f"{number}-{position}"
            found = changed(folder, {"def.py": BARE + code}, {"def.py": BARE + after})
            assert found == stages, after


HIDING = {
    "x = 1\nfrom nets import *": "line 2 imports * from nets",
    "from numpy import *": "line 1 imports * from numpy",
    "def f(c):\n    exec(c)": "line 2 uses exec",
    "y = eval('1')": "line 1 uses eval",
    "run = exec": "line 1 uses exec",
    "globals()['get_test_generator'] = 1": "line 1 uses globals",
    "def f(): return vars()": "line 1 uses vars",
    "def f(): return locals()": "line 1 uses locals",
    "m = __import__('nets')": "line 1 uses __import__",
    "def f(o, n): return getattr(o, n)": "line 1 uses getattr with a computed name",
    "def f(o, n): setattr(o, n, 1)": "line 1 uses setattr with a computed name",
    "def f(o, n): delattr(o, n)": "line 1 uses delattr with a computed name",
    "def f(o, a): return getattr(*a)": "line 1 uses getattr with a computed name",
    "def f(o): return map(getattr, o, 'ab')": "line 1 uses getattr with a computed name",
    "import importlib": "line 1 uses importlib",
    "from importlib import import_module": "line 1 uses importlib",
    "import importlib.util as u": "line 1 uses importlib",
    "import builtins": "line 1 uses builtins",
    "import runpy": "line 1 uses runpy",
    "import sys\nm = sys.modules[__name__]": "line 2 uses sys.modules",
    "import sys as s\nm = s.modules": "line 2 uses sys.modules",
    "from sys import modules as m": "line 1 uses sys.modules",
    "import sys\nother = sys": "line 2 passes the module sys on",
    "import sys\nf = sys._getframe(0)": "line 2 uses _getframe",
    "def f(): return f.__globals__": "line 1 uses __globals__",
    "import inspect\nf = inspect.currentframe().f_globals": "line 2 uses currentframe",
}


@pytest.mark.parametrize("code", HIDING)
def test_code_that_hides_names_makes_one_fingerprint_and_says_why(tmp_path, code):
    files = {**FILES, "def.py": f"{code}\n{DEFINITION}"}
    found = analyse(write(tmp_path / "x", files))
    assert found.whole == HIDING[code]
    assert len(set(found.fingerprints.values())) == 1
    after = {**files, "def.py": files["def.py"].replace("return x * 2", "return x * 3")}
    assert changed(tmp_path, files, after) == ALL
    comment = {**files, "def.py": "\n" + files["def.py"].replace("# doubled", "")}
    assert changed(tmp_path, files, comment) == NONE
    module = {**files, "nets.py": NETS.replace("relu", "tanh")}
    assert changed(tmp_path, files, module) == ALL


@pytest.mark.parametrize(
    "code",
    [
        "def f(model): return model.eval()",
        "def f(network): return [m for m in network.modules()]",
        "def f(o): return getattr(o, 'shape', None)",
        "def f(o): return setattr(o, 'shape', None)",
        "import sys\ndef f(): print(sys.argv, file=sys.stderr)",
        "import re\ndef f(): return re.compile('exec')",
        "def f(o): return hasattr(o, 'exec')",
        "if __name__ == '__main__':\n    exec('1')",
    ],
)
def test_what_only_looks_like_hiding_names_does_not(tmp_path, code):
    found = analyse(write(tmp_path, {**FILES, "def.py": f"{DEFINITION}\n{code}\n"}))
    assert found.whole is None
    assert len(set(found.fingerprints.values())) == 4


def test_a_module_that_hides_names_is_named(tmp_path):
    files = {**FILES, "common.py": "def open_file(path):\n    return eval(path)\n"}
    assert analyse(write(tmp_path, files)).whole == "common.py line 2 uses eval"


def test_star_imports_and_getattr_inside_a_module_leave_the_stages_apart(tmp_path):
    """Such a module counts as a whole anyway."""
    text = "from common import *\nfrom math import *\ndef load_test(p): return open_file(p)\n"
    text += "def load_train(p, o=3): return getattr(o, p)\n"
    files = {**FILES, "loaders.py": text}
    assert analyse(write(tmp_path / "x", files)).whole is None
    after = {**files, "common.py": "def open_file(path):\n    return path * 2\n"}
    assert changed(tmp_path, files, after) == {"train", "test"}


@pytest.mark.parametrize(
    "code",
    [
        "def helper(): return 1\ndef get_test_generator(helper): return helper",
        "def helper(): return 1\ndef get_test_generator(d):\n    helper = d\n    return helper",
        "def helper(): return 1\ndef get_test_generator(d): return [helper for helper in d]",
        "def helper(): return 1\ndef get_test_generator(d): return lambda helper: helper",
        "def helper(): return 1\ndef get_test_generator(d):\n    with d as helper: return helper",
        "def helper(): return 1\ndef get_test_generator(d):\n    for helper in d: print(helper)",
        "def helper(): return 1\ndef get_test_generator(d): return d.helper(helper=2)",
        "def helper(): return 1\ndef get_test_generator(d):\n"
        "    helper = d\n    return lambda: helper",
        "def helper(): return 1\ndef get_test_generator(d): return d['helper']",
    ],
)
def test_a_local_variable_of_the_same_name_is_not_the_helper(tmp_path, code):
    after = code.replace("return 1", "return 7", 1)
    assert changed(tmp_path, {"def.py": BARE + code}, {"def.py": BARE + after}) == NONE


@pytest.mark.parametrize(
    "code",
    [
        "def get_test_generator(d):\n    global helper\n    helper = helper()\n    return helper",
        "def get_test_generator(d): return [helper for d in helper]",
        "def get_test_generator(d, x=lambda: helper): return x",
        "def get_test_generator(d):\n    def f():\n        helper = 2\n    return helper()",
        "def get_test_generator(d):\n    class A:\n        helper = helper\n    return A",
        "def get_test_generator(d):\n    class A:\n        helper = 2\n"
        "        def m(self): return helper\n"
        "    return A",
        "def get_test_generator(d):\n    f = [helper for helper in d]\n    return helper",
        "def get_test_generator(d):\n    return [helper for helper in helper()]",
        "def get_test_generator(d):\n    def f(helper): return helper\n    return f(helper)",
        "def get_test_generator(d):\n    helper = 2\n    def f():\n        global helper\n"
        "        return helper()\n    return f",
        "async def get_test_generator(d): return await helper()",
        "def get_test_generator(d): return f'{d:{helper()}}'",
        "def get_test_generator(d):\n    match d:\n        case helper.x: return 2",
        "def get_test_generator(d):\n    helper.x = 2",
        "def get_test_generator(d):\n    try: return 2\n    except helper: return 3",
    ],
)
def test_scopes_are_pythons(tmp_path, code):
    code = f"def helper(): return 1\n{code}"
    after = code.replace("return 1", "return 7", 1)
    assert changed(tmp_path, {"def.py": BARE + code}, {"def.py": BARE + after}) == {"test"}


def test_names_of_the_module(tmp_path):
    text = """
        import os.path, a.b as c
        from x import (y, z as w)
        p, (q, *r) = s = 1, (2, 3)
        t: int = 1
        u += 1
        if u:
            def in_if(): local = 1
        else:
            class InElse: attribute = 1
        try:
            from x import in_try
        except E as error:
            in_except = [i for i in s if (walrus := i)]
        for loop in s: pass
        with s as held: pass
        def set_later():
            global later
            later = 1
        if __name__ == "__main__":
            never = 1
    """
    found = analyse(write(tmp_path, {"def.py": textwrap.dedent(text)}))
    assert found.functions == {
        *("os", "c", "y", "w", "p", "q", "r", "s", "t", "u", "in_if", "InElse", "in_try", "error"),
        *("in_except", "walrus", "loop", "held", "set_later", "later"),
    }


def test_environment_variables_that_are_named(tmp_path):
    text = """
        import os, os as system
        from os import environ as env, getenv as ask, path
        KEY = "CONSTANT"
        values = os.environ
        a = os.environ["SUBSCRIPT"], system.environ.get("GET", 1), os.getenv("GETENV")
        b = env["FROM"], ask("FROM_GETENV"), values["ALIAS"], os.environ[KEY]
        c = os.environ.setdefault("SETDEFAULT", ""), os.environ.pop("POP"), "IN" in os.environ
        d = os.path.expandvars("$PLAIN/${BRACED}"), os.getenv(key="KEYWORD")
        os.environ["WRITTEN"] = "1"
        e = other.get("OTHER"), os.environ[computed], "COMMENT"  # os.environ["NO"]
        import helper
    """
    helper = "import os\ndef f(): return os.environ.get('MODULE')\n"
    found = analyse(write(tmp_path, {"def.py": textwrap.dedent(text), "helper.py": helper}))
    assert found.environment == tuple(sorted([
        *("SUBSCRIPT", "GET", "GETENV", "FROM", "FROM_GETENV", "ALIAS", "CONSTANT", "SETDEFAULT"),
        *("POP", "IN", "PLAIN", "BRACED", "KEYWORD", "MODULE"),
    ]))  # fmt: skip
