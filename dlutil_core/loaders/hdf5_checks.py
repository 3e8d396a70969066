"""What HDF5 would read as something else than was written: refused, with the file and the cause.

A virtual dataset whose source is gone, or shorter than it was, reads as its fill value; external
raw storage reads any file of the machine; a link may lead nowhere.
"""

from __future__ import annotations

import os
from typing import Any

from dlutil_core.common.errors import UserError

MAX_DEPTH = 8


def find_dataset(file: str, handle: Any, name: str) -> Any:
    """The dataset (or whatever stands there) of this name, links followed; None without one.

    Raises
    ------
    UserError
        A link that leads nowhere.
    """
    import h5py

    place, parts = handle, [part for part in name.split("/") if part]
    for depth, part in enumerate(parts, 1):
        if not isinstance(place, h5py.Group):
            return None
        link = place.get(part, getlink=True)
        if link is None:
            return None
        try:
            place = place[part]
        except (KeyError, OSError):
            raise UserError(
                f"{file}: '{'/'.join(parts[:depth])}' is a link to {_target(link)}, which is not"
                " there; copy the data into the file, or mend the link"
            ) from None
    return place if parts else None


def _target(link: Any) -> str:
    path = getattr(link, "path", "nothing")
    filename = getattr(link, "filename", "")
    return f"{path} of {filename}" if filename else str(path)


def check_dataset(file: str, name: str, dataset: Any) -> None:
    """Refuse what is no array of numbers that the file, or others that are there, hold."""
    shape = getattr(dataset, "shape", None)
    if shape is None:
        problem = "is a group or empty, not an array"
    elif not shape:
        problem = "is a single value, not an array of samples"
    elif dataset.dtype.kind not in "fiub":
        problem = "holds texts, complex numbers or records, not numbers"
    else:
        _check_stored(file, name, dataset, MAX_DEPTH)
        return
    raise UserError(f"{file}: '{name}' {problem}; write the samples there as an array of numbers")


def _check_stored(file: str, name: str, dataset: Any, depth: int) -> None:
    if dataset.external:
        raise UserError(
            f"{file}: '{name}' is kept outside the file, in {dataset.external[0][0]}, whose bytes"
            " anything may change; copy the data into the file"
        )
    if dataset.is_virtual:
        _check_sources(file, name, dataset, depth)


def _check_sources(file: str, name: str, dataset: Any, depth: int) -> None:
    """Refuse a virtual dataset unless every value of it comes from a dataset that is there."""
    if not depth:
        raise UserError(f"{file}: '{name}' is virtual, {MAX_DEPTH} times over; copy the data")
    mapped = 0
    for source in dataset.virtual_sources():
        count = int(source.vspace.get_select_npoints())
        if "%b" in source.file_name + source.dset_name or not 0 <= count <= dataset.size:
            raise UserError(
                f"{file}: '{name}' is virtual over as many sources as there are, so that none would"
                " be missed; copy the data into the file"
            )
        mapped += count
        _check_source(file, name, dataset, source, depth)
    if mapped < dataset.size:
        raise UserError(
            f"{file}: '{name}' is virtual, and {dataset.size - mapped} of its {dataset.size} values"
            " come from no source, so that they would read as zeros; copy the data into the file"
        )


def _check_source(file: str, name: str, dataset: Any, source: Any, depth: int) -> None:
    import h5py

    where = f"{file}: '{name}' is virtual, and its source '{source.dset_name}'"
    remedy = "put it back, or copy the data into the file"
    if source.file_name == ".":
        _check_extent(file, where, dataset.file, source, depth)
        return
    path = _located(dataset, source.file_name)
    if path is None:
        raise UserError(f"{where} of {source.file_name} is missing; {remedy}")
    try:
        with h5py.File(path, "r") as other:
            _check_extent(path, where, other, source, depth)
    except OSError as error:
        raise UserError(f"{where} of {path} cannot be read ({error}); {remedy}") from None


def _located(dataset: Any, name: str) -> str | None:
    """Where HDF5 looks for a source: as named, or beside the file."""
    beside = os.path.dirname(os.path.realpath(dataset.file.filename))
    prefix = os.environ.get("HDF5_VDS_PREFIX", "").replace("${ORIGIN}", beside)
    for path in (os.path.join(prefix, name), os.path.join(beside, name), name):
        if os.path.isfile(path):
            return path
    return None


def _holds(found: Any, source: Any) -> bool:
    """Whether a dataset has all that a virtual one reads of it."""
    import h5py

    if source.src_space.get_select_type() == h5py.h5s.SEL_ALL:
        return bool(found.size == source.vspace.get_select_npoints())
    ends = source.src_space.get_select_bounds()[1]
    return len(ends) == found.ndim and all(
        end < size for end, size in zip(ends, found.shape, strict=True)
    )


def _check_extent(file: str, where: str, handle: Any, source: Any, depth: int) -> None:
    found = find_dataset(file, handle, source.dset_name)
    shape = getattr(found, "shape", None)
    if found is None or not shape:
        raise UserError(f"{where} is not in {file}; put it back, or copy the data into the file")
    if not _holds(found, source):
        raise UserError(
            f"{where} has shape {shape} in {file}, other than is read of it; write it again"
        )
    _check_stored(file, source.dset_name, found, depth - 1)
