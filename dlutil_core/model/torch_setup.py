"""What makes jobs with torch start and run faster, without changing a bit of their results.

The first optimizer that is made, and its first step, import `torch._dynamo`, which takes as long as
torch itself. They need it for nothing but to tell the compiler where to stop. Where torch looks
different from what is expected here, nothing is changed and the import happens as usual.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Iterator
from typing import Any


def skip_compiler_import() -> None:
    """Let optimizers work without importing `torch._dynamo`; idempotent."""
    import torch

    for owner in _optimizer_classes(torch.optim.Optimizer):
        for name, method in list(vars(owner).items()):
            wrapper = getattr(getattr(method, "__code__", None), "co_name", "")
            inside = getattr(method, "__wrapped__", None)
            if inside is None:
                continue
            if wrapper == "inner" and method.__globals__["__name__"] == "torch._compile":
                # The wrapper looks here first, and imports the compiler to fill it in.
                inside.__dict__.setdefault("__dynamo_disable", inside)
            elif wrapper == "_use_grad":
                setattr(owner, name, _step(inside))


def _step(function: Callable[..., Any]) -> Callable[..., Any]:
    """An optimizer's step under its own rule for gradients, as torch's wrapper does it."""
    import torch

    @functools.wraps(function)
    def step(self: Any, *arguments: Any, **named: Any) -> Any:
        before = torch.is_grad_enabled()
        try:
            torch.set_grad_enabled(self.defaults["differentiable"])
            return function(self, *arguments, **named)
        finally:
            torch.set_grad_enabled(before)

    return step


def _optimizer_classes(base: type) -> Iterator[type]:
    yield base
    child: type
    for child in base.__subclasses__():
        if child.__module__.startswith("torch.optim"):
            yield from _optimizer_classes(child)


def keep_freed_memory() -> None:
    """Let the C library keep freed memory for the next batch instead of giving it back.

    A convolution's activations are tens of megabytes; giving them back to the system after every
    batch and getting them again, page by page, cost a tenth of the time of a search on them.
    """
    m_trim_threshold, m_mmap_threshold = -1, -3  # malloc.h of the GNU C library
    try:
        library = ctypes.CDLL(None)
        library.mallopt(m_mmap_threshold, 2**30)
        library.mallopt(m_trim_threshold, 2**31 - 1)
    except (OSError, AttributeError):  # another C library
        return
