"""Tells of files that C and Rust libraries open: Python's audit events know nothing of them.

A library's function is replaced by one that tells first. Libraries are never imported here: one
that is not there yet is wrapped when the code imports it. Loaded in started processes too,
as `open_events` is, so it imports nothing of dlutil.
"""

from __future__ import annotations

import functools
import glob
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import FunctionType
from typing import Any

READS: dict[str, tuple[str, ...]] = {
    "cv2": ("imread",),
    "cyvcf2": ("VCF",),
    "lmdb": ("open", "Environment"),
    "netCDF4": ("Dataset",),
    "polars": (
        *(f"read_{kind}" for kind in ("csv", "parquet", "ipc", "ndjson", "avro", "json")),
        *(f"scan_{kind}" for kind in ("csv", "parquet", "ipc", "ndjson")),
    ),
    "py2bit": ("open",),
    "pyBigWig": ("open",),
    "pyarrow": ("memory_map", "OSFile"),
    "pyarrow.csv": ("read_csv", "open_csv"),
    "pyarrow.dataset": ("dataset",),
    "pyarrow.feather": ("read_feather", "read_table"),
    "pyarrow.json": ("read_json",),
    "pyarrow.parquet": ("read_table", "ParquetFile", "ParquetDataset"),
    "pybigtools": ("open",),
    "pysam": ("AlignmentFile", "BGZFile", "FastaFile", "FastxFile", "TabixFile", "VariantFile"),
    "safetensors": ("safe_open",),
    "tables": ("open_file",),
    "torch": ("from_file", "UntypedStorage.from_file", "jit.load", "package.PackageImporter"),
}
"""Functions and classes whose first argument is a file that they open to read."""

WRITES: dict[str, tuple[str, ...]] = {
    "safetensors.torch": ("save_file",),
    "safetensors.numpy": ("save_file",),
    "torch": ("save",),
}
"""Functions whose second argument is a file that they write."""

INDEXES = (".fai", ".gzi", ".bai", ".csi", ".crai", ".tbi")
FILE_WORDS = ("file", "path", "index", "source", "where")
DEEPEST = 16
"""Files that point to files that point to files; HDF5's own bound for links."""

_note: Callable[..., None]
_recorder: Any
_followed: set[tuple[str, int]] = set()


def wrap_libraries(note: Callable[..., None], recorder: Any) -> None:
    """Wrap what is imported, and the rest once it is.

    Parameters
    ----------
    note
        Called with a method of `recorder` and a path.
    recorder
        The class `Recorder`.
    """
    global _note, _recorder
    _note, _recorder = note, recorder
    for name in _names():
        if name in sys.modules:
            _wrap(name)
    sys.meta_path.insert(0, _Finder())


def _names() -> set[str]:
    return {*READS, *WRITES, "h5py"}


class _Finder:
    """Finds nothing itself: has what others find wrapped when it has been executed."""

    def __init__(self) -> None:
        self._asked: set[str] = set()

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name not in _names() or name in self._asked:
            return None
        # A process may have two of these: as a started one and as one that starts to record. Each
        # asks the other, which must not ask back.
        self._asked.add(name)
        try:
            spec = self._found_by_others(name, path, target)
        finally:
            self._asked.discard(name)
        if spec is not None:
            self._wrap_when_executed(spec.loader, name)
        return spec

    def _found_by_others(self, name: str, path: Any, target: Any) -> Any:
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec = None if finder is self or find is None else find(name, path, target)
            if spec is not None:
                return spec
        return None

    @staticmethod
    def _wrap_when_executed(loader: Any, name: str) -> None:
        execute = getattr(loader, "exec_module", None)
        if execute is None:
            return

        def exec_module(module: Any) -> None:
            execute(module)
            _wrap(name)

        loader.exec_module = exec_module


def _wrap(name: str) -> None:
    if name == "h5py":
        _wrap_hdf5()
    for path in READS.get(name, ()):
        _replace(name, path, _tell_read)
    for path in WRITES.get(name, ()):
        _replace(name, path, _tell_written)


def _replace(library: str, path: str, tell: Callable[..., None]) -> None:
    """Put a telling function or class where the library's own stands."""
    *parents, last = path.split(".")
    holder = sys.modules[library]
    try:
        for parent in parents:
            holder = getattr(holder, parent)
        original = getattr(holder, last)
    except AttributeError:
        return
    wrapped = _telling(original, tell)
    if isinstance(holder, type):
        setattr(holder, last, staticmethod(wrapped))
    elif wrapped is not original:
        _replace_everywhere(library.partition(".")[0], last, original, wrapped)


def _replace_everywhere(package: str, name: str, original: Any, wrapped: Any) -> None:
    for module_name, module in list(sys.modules.items()):
        inside = module_name == package or module_name.startswith(package + ".")
        if inside and getattr(module, "__dict__", {}).get(name) is original:
            setattr(module, name, wrapped)


def _telling(original: Any, tell: Callable[..., None]) -> Any:
    if not isinstance(original, type):

        @functools.wraps(original)
        def function(*args: Any, **kwargs: Any) -> Any:
            _safely(tell, args, kwargs)
            return original(*args, **kwargs)

        return function
    if isinstance(getattr(original, "__init__", None), FunctionType):
        _tell_in_init(original, tell)
        return original
    return _telling_class(original, tell)


def _tell_in_init(original: Any, tell: Callable[..., None]) -> None:
    """A class written in Python goes on being itself."""
    init = original.__init__

    @functools.wraps(init)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        _safely(tell, args, kwargs)
        init(self, *args, **kwargs)

    original.__init__ = __init__


def _telling_class(original: Any, tell: Callable[..., None]) -> Any:
    """Of a compiled class: a subclass, or where it allows none, one that makes the original."""

    def make(cls: Any, *args: Any, **kwargs: Any) -> Any:
        _safely(tell, args, kwargs)
        return original.__new__(cls, *args, **kwargs)

    names = {"__module__": original.__module__, "__doc__": original.__doc__}
    try:
        return type(original.__name__, (original,), {**names, "__new__": make})
    except TypeError:
        pass

    class Meta(type):
        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            _safely(tell, args, kwargs)
            return original(*args, **kwargs)

        def __instancecheck__(cls, instance: Any) -> bool:
            return isinstance(instance, original)

    return Meta(original.__name__, (), names)


def _safely(tell: Callable[..., None], args: Sequence[Any], kwargs: dict[str, Any]) -> None:
    try:
        tell(args, kwargs)
    except Exception:
        return


def _tell_read(args: Sequence[Any], kwargs: dict[str, Any]) -> None:
    """Of the first argument, its indexes, and what the keywords name."""
    named = {k: v for k, v in kwargs.items() if any(word in k for word in FILE_WORDS)}
    mode = args[1] if len(args) > 1 else kwargs.get("mode", "r")
    act = _recorder.wrote if str(mode).startswith("w") else _recorder.read
    first = args[0] if args else None
    for path in _paths(first):
        _tell_path(act, path)
    for path in (p for value in named.values() for p in _paths(value)):
        if not args or os.path.exists(path):
            _tell_path(act if not args else _recorder.read, path)


def _tell_written(args: Sequence[Any], kwargs: dict[str, Any]) -> None:
    values = [*args[1:2], *(v for k, v in kwargs.items() if k in ("f", "filename"))]
    for path in (p for value in values for p in _paths(value)):
        _note(_recorder.wrote, path)


def _paths(value: Any) -> Iterator[str]:
    """The local paths among an argument: a path or several, patterns matched."""
    if isinstance(value, (list, tuple)):
        for one in value:
            yield from _paths(one)
    elif isinstance(value, (str, bytes, os.PathLike)):
        path = os.fsdecode(value)
        path = path.removeprefix("file://")
        if "://" not in path and path not in ("-", ""):
            matched = glob.glob(path, recursive=True) if glob.has_magic(path) else []
            yield from matched if matched and not os.path.exists(path) else [path]


def _tell_path(act: Callable[..., Any], path: str) -> None:
    if not os.path.isdir(path):
        _note(act, path)
        if act is _recorder.read:
            _tell_indexes(path)
        return
    for folder, _, names in os.walk(path):
        for name in names:
            _note(act, os.path.join(folder, name))


def _tell_indexes(path: str) -> None:
    stems = {path, os.path.splitext(path)[0]} if path.endswith((".bam", ".cram")) else {path}
    for index in (stem + ending for stem in sorted(stems) for ending in INDEXES):
        if os.path.exists(index):
            _note(_recorder.read, index)
        elif index.endswith(".fai"):  # Made by the library where it is missing.
            _note(_made_if_there_later, index)


def _made_if_there_later(recorder: Any, path: str) -> None:
    recorder.once("w", path, False)


def _wrap_hdf5() -> None:
    h5f = sys.modules["h5py"].h5f
    opening, making = h5f.open, h5f.create

    @functools.wraps(opening)
    def opened(*args: Any, **kwargs: Any) -> Any:
        _safely(_tell_hdf5, args, kwargs)
        file = opening(*args, **kwargs)
        _safely(lambda a, k: _follow(file, _hdf5_name(a, k), opening, 0), args, kwargs)
        return file

    @functools.wraps(making)
    def created(*args: Any, **kwargs: Any) -> Any:
        _safely(lambda a, k: _note(_recorder.wrote, _hdf5_name(a, k)), args, kwargs)
        return making(*args, **kwargs)

    h5f.open, h5f.create = opened, created


def _hdf5_name(args: Sequence[Any], kwargs: dict[str, Any]) -> str:
    return os.fsdecode(args[0] if args else kwargs["name"])


def _tell_hdf5(args: Sequence[Any], kwargs: dict[str, Any]) -> None:
    from h5py import h5f

    flags = args[1] if len(args) > 1 else kwargs.get("flags", h5f.ACC_RDWR)
    access = args[2] if len(args) > 2 else kwargs.get("fapl")
    for path in _hdf5_files(_hdf5_name(args, kwargs), access):
        _note(_recorder.read, path)
        if flags & h5f.ACC_RDWR and os.path.exists(path):
            _note(_recorder.changed, path)


def _hdf5_files(name: str, access: Any) -> list[str]:
    """The files of the system that a driver makes one HDF5 file of."""
    from h5py import h5fd

    driver = h5fd.SEC2 if access is None else access.get_driver()
    if driver == h5fd.FAMILY:
        return list(_numbered(name, "%d"))
    if driver in (h5fd.SEC2, h5fd.STDIO, h5fd.CORE):
        return [name]
    if os.path.exists(name):
        return [name]
    return [f for f in glob.glob(glob.escape(name) + "-[mr].h5") if os.path.isfile(f)]


def _numbered(name: str, mark: str) -> Iterator[str]:
    number = 0
    while mark in name and os.path.exists(found := name.replace(mark, str(number))):
        yield found
        number += 1
    if not number:
        yield name


def _follow(file: Any, path: str, opening: Callable[..., Any], depth: int) -> None:
    """Tell of all files that an open HDF5 file points to, and of those that they point to."""
    from h5py import h5f

    path = os.path.abspath(path)
    key = (os.path.realpath(path), os.stat(path).st_mtime_ns)
    if key in _followed or depth > DEEPEST:
        return
    _followed.add(key)
    pointed, raw = _pointed_to(file)
    for name in sorted(raw):
        _note(_recorder.read, _found(name, [os.getcwd(), os.path.dirname(path)], "EXTFILE", path))
    for name in sorted(pointed):
        source = _found(name, [os.path.dirname(path), os.getcwd()], "EXT", path)
        for each in _numbered(source, "%b"):
            _note(_recorder.read, each)
            if os.path.isfile(each):
                _safely(
                    lambda a, k: _follow(opening(*a), os.fsdecode(a[0]), opening, depth + 1),
                    (os.fsencode(each), h5f.ACC_RDONLY),
                    {},
                )


def _found(name: str, folders: Iterable[str], prefix: str, path: str) -> str:
    """Where HDF5 would find a file that `path` names; where it would look first if nowhere."""
    given = [p for kind in (prefix, "VDS") if (p := os.environ.get(f"HDF5_{kind}_PREFIX"))]
    given = [p.replace("${ORIGIN}", os.path.dirname(path)) for p in given]
    tried = [name] if os.path.isabs(name) else []
    tried += [os.path.join(folder, name) for folder in (*given, *folders)]
    if os.path.isabs(name):
        tried.append(os.path.join(os.path.dirname(path), os.path.basename(name)))
    there = (t for t in tried if os.path.exists(t.replace("%b", "0")))
    return next(there, tried[0])


def _pointed_to(file: Any) -> tuple[set[str], set[str]]:
    """Names of HDF5 files (external links, virtual sources) and of raw files in a file."""
    from h5py import h5d, h5g, h5l, h5o

    pointed: set[str] = set()
    raw: set[str] = set()
    root = h5g.open(file, b"/")

    def visit(name: bytes, link: Any) -> None:
        if link.type == h5l.TYPE_EXTERNAL:
            pointed.add(os.fsdecode(root.links.get_val(name)[0]))
        elif link.type == h5l.TYPE_HARD:
            found = h5o.open(root, name)
            if isinstance(found, h5d.DatasetID):
                _sources(found.get_create_plist(), pointed, raw)

    root.links.visit(visit, info=True)
    return pointed - {"."}, raw


def _sources(made: Any, pointed: set[str], raw: set[str]) -> None:
    from h5py import h5d

    if made.get_layout() == h5d.VIRTUAL:
        pointed |= {
            os.fsdecode(made.get_virtual_filename(i)) for i in range(made.get_virtual_count())
        }
    raw |= {os.fsdecode(made.get_external(i)[0]) for i in range(made.get_external_count())}
