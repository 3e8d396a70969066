"""Reading `def.py` and finding the local modules that it imports, without importing anything.

Local is a module in the folder of `def.py`, in an entry of the search path (`PYTHONPATH`) or in a
folder that the code visibly adds to `sys.path`. Installed packages and `dlutil_core` are not: they
belong to the environment, whose versions are recorded elsewhere.
"""

from __future__ import annotations

import ast
import io
import os
import tokenize
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.machinery import BYTECODE_SUFFIXES, EXTENSION_SUFFIXES
from pathlib import Path

from dlutil_core.common.errors import UserError
from dlutil_core.common.hashes import sha256_file
from dlutil_core.fingerprint.dynamic import Use, dynamic_uses, text_constants
from dlutil_core.fingerprint.search_path import added_folders
from dlutil_core.fingerprint.units import Unit, names_read, running_statements, split

INSTALLED = {"site-packages", "dist-packages"}
STANDARD_LIBRARY = Path(os.__file__).resolve().parent
NOT_LOCAL = {"dlutil_core"}
SHOWN = 80  # characters of an offending line in a message


@dataclass
class Source:
    """A file of Python that is read, or a compiled module.

    Attributes
    ----------
    name : str
        The module's absolute name; empty for `def.py`.
    body : list of statements
        What runs when it is imported.
    read : set of str
        Names of the module that anything in it reads.
    content : str
        SHA-256 of a compiled module, which has no units; empty for Python text.
    """

    name: str
    path: Path
    body: list[ast.stmt] = field(default_factory=list)
    units: list[Unit] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    read: set[str] = field(default_factory=set)
    content: str = ""


class Library:
    """The local modules, read when they are asked for.

    Parameters
    ----------
    home : path
        The folder of `def.py`, searched first.
    folders : iterable of paths
        Searched in this order, like `sys.path`; those of installed packages are left out.

    Attributes
    ----------
    sources : dict
        The modules read so far, by absolute name.
    packages : dict
        The folders of each package found so far.
    warnings : list of str
        Sentences on what could not be followed.
    """

    def __init__(self, home: Path, folders: Iterable[str | Path]) -> None:
        self.folders = list(dict.fromkeys([home, *not_installed(folders)]))
        self.sources: dict[str, Source] = {}
        self.packages: dict[str, list[Path]] = {}
        self.warnings: list[str] = []
        self._absent: set[str] = set()

    def read_definition(self, path: Path) -> Source:
        """Read `def.py` itself."""
        source = self._read("", path, package="")
        if not source.body:
            raise UserError(
                f"{path}: there is no code in it; define get_train_generator, get_config and Model"
            )
        return source

    def find(self, name: str) -> list[str]:
        """The local modules that importing `name` runs: itself and the packages it is in.

        Empty where it is not local. Modules found are in `sources` afterwards.
        """
        found: list[str] = []
        folders = self.folders
        parts = name.split(".")
        if parts[0] in NOT_LOCAL:
            return []
        for end in range(1, len(parts) + 1):
            part = ".".join(parts[:end])
            self._load(part, folders)
            if part in self.sources:
                found.append(part)
            if part not in self.packages:
                break
            folders = self.packages[part]
        return found

    def _load(self, name: str, folders: Sequence[Path]) -> None:
        """Read the module `name` if one of the folders has it."""
        if name in self.sources or name in self.packages or name in self._absent:
            return
        portions: list[Path] = []
        last = name.rpartition(".")[2]
        for folder in folders:
            file, is_package = module_file(folder, last)
            if file is not None:
                package = name if is_package else name.rpartition(".")[0]
                self.sources[name] = Source(name, file)  # before its own imports ask for it
                self.sources[name] = self._read(name, file, package)
                if is_package:
                    self.packages[name] = [folder / last]
                return
            if is_package:
                portions.append(folder / last)
        if portions:
            self.packages[name] = portions  # a package without __init__.py
        else:
            self._absent.add(name)

    def _read(self, name: str, path: Path, package: str) -> Source:
        """Read a file and take in what it adds to `sys.path`."""
        if path.suffix != ".py" and name:
            return Source(name, path, content=sha256_file(path))
        tree = parse(path)
        body = running_statements(tree.body)
        source = Source(
            name=name,
            path=path,
            body=body,
            units=split(body, package),
            uses=dynamic_uses(body),
            read=names_read(tree.body),
        )
        before, after, unread = added_folders(body, path, text_constants(body))
        first, last = not_installed(before), not_installed(after)
        self.folders = list(dict.fromkeys([*first, *self.folders, *last]))
        if first or last:
            self._absent.clear()
        for line in unread:
            self.warnings.append(
                f"{path}: line {line} adds a folder to sys.path by a value that only running it"
                " can tell, so edits of modules in that folder are not seen; name it in PYTHONPATH"
            )
        return source


def not_installed(folders: Iterable[str | Path]) -> list[Path]:
    """The folders but those of installed packages and of the standard library."""
    return [Path(f) for f in folders if not is_installed(Path(f))]


def is_installed(folder: Path) -> bool:
    """Whether a folder holds installed packages or the standard library."""
    resolved = folder.resolve()
    if INSTALLED.intersection(resolved.parts) or resolved.is_relative_to(STANDARD_LIBRARY):
        return True
    return any(resolved.glob("*.dist-info"))  # of `pip install --target`


def module_file(folder: Path, name: str) -> tuple[Path | None, bool]:
    """The file of a module in a folder, in the order of Python's own search.

    Returns
    -------
    (path, is_package); (None, True) for a folder without `__init__`.
    """
    suffixes = [*EXTENSION_SUFFIXES, ".py", *BYTECODE_SUFFIXES]
    inside = folder / name
    for suffix in suffixes:
        if (inside / f"__init__{suffix}").is_file():
            return inside / f"__init__{suffix}", True
    for suffix in suffixes:
        if (folder / f"{name}{suffix}").is_file():
            return folder / f"{name}{suffix}", False
    return None, inside.is_dir()


def parse(path: Path) -> ast.Module:
    """The syntax tree of a file.

    Raises
    ------
    UserError
        The file is absent, a folder, not text or not Python; it names the line and shows its text.
    """
    text = read_text(path)
    lines = text.split("\n")
    if "\0" in text:
        number = text.count("\n", 0, text.find("\0")) + 1
        raise not_python(path, number, "it holds a null byte", lines)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of invalid escapes; running the file shows them
            return ast.parse(text)
    except SyntaxError as error:
        raise not_python(path, error.lineno or 1, error.msg, lines) from None
    except (RecursionError, MemoryError):
        raise UserError(
            f"{path}: an expression is nested too deeply to be read; take it apart"
        ) from None


def not_python(path: Path, number: int, reason: str, lines: list[str]) -> UserError:
    """The sentence for a line that is not Python; of an error at the end, the last line."""
    number = min(max(number, 1), len(lines))
    while number > 1 and not lines[number - 1].strip():
        number -= 1
    shown = excerpt(lines[number - 1])
    return UserError(f"{path}: line {number} is not valid Python ({reason}): {shown}; correct it")


def read_text(path: Path) -> str:
    """The text of a Python file, in the encoding that it declares (UTF-8)."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise UserError(
            f"{path}: there is no such file; give the path of your def.py (definition: or --model)"
        ) from None
    except IsADirectoryError:
        raise UserError(f"{path}: this is a folder; give the path of the def.py in it") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); make it readable") from None
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise undecodable(path, raw, error.start, error.encoding) from None
    except SyntaxError as error:
        try:
            raw.decode("utf-8")
        except UnicodeDecodeError as inner:
            raise undecodable(path, raw, inner.start, "utf-8") from None
        lines = raw.decode("utf-8").split("\n")
        number = 1 if "coding" in lines[0] or len(lines) == 1 else 2
        raise UserError(
            f"{path}: line {number} declares an encoding that Python does not know ({error.msg}): "
            f"{excerpt(lines[number - 1])}; save the file as UTF-8 and remove the declaration"
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def undecodable(path: Path, raw: bytes, position: int, encoding: str) -> UserError:
    """The sentence for a byte that is no text."""
    number = raw.count(b"\n", 0, position) + 1
    line = raw.split(b"\n")[number - 1].decode(encoding, "replace")
    return UserError(
        f"{path}: line {number} holds the byte {raw[position]:#04x}, which is not {encoding} text: "
        f"{excerpt(line)}; save the file as UTF-8"
    )


def excerpt(line: str) -> str:
    """A line for a message: in quotes, without indentation, not too long."""
    line = line.strip()
    return repr(line if len(line) <= SHOWN else f"{line[:SHOWN]}…")
