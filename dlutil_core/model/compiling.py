"""`torch.compile`, such that what is computed depends on the network and its inputs alone."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from dlutil_core.common.errors import UserError

MISSING_TOOLS = (
    "InvalidCxxCompiler",
    "CppCompileError",
    "TritonMissing",
    "Failed to find C compiler",
)
"""What torch's messages hold where the compiler that it calls is not there, or does not work."""


class CompileFailure(UserError):
    """The machine has no working compiler: never a trial's result."""


def compiled(network: nn.Module) -> Callable[[Any], Any]:
    """The network's forward pass, compiled for each shape of its inputs as it comes.

    Left to itself torch makes later graphs dynamic, and after some graphs of one function it stops
    to compile it. Which bits a trial has would then depend on what its process trained before.
    """
    from torch._dynamo import config

    config.recompile_limit = config.accumulated_recompile_limit = sys.maxsize
    compiled_network = torch.compile(network, dynamic=False)

    def forward(x: Any) -> Any:
        try:
            return compiled_network(x)
        except Exception as error:
            message = str(error)
            if not any(text in message for text in MISSING_TOOLS):
                raise
            raise CompileFailure(
                "compile is true, but torch.compile finds no working C++ compiler "
                f"({message.partition(chr(10))[0]}): install one, for example g++, or name one "
                "in the environment variable CXX, or set compile: false"
            ) from error

    return forward
