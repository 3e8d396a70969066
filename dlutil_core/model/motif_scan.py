"""`MotifScan`: how well filters match a one-hot sequence at their best place, by table look-up.

A window of letters is a sum of rows of a table, and under a global maximum only one window of each
filter and record has a gradient. So neither direction needs the dense convolution: three letters
are one of 64 words (of 125 where one may be missing, as at an N), a filter of W letters responds
with the sum of `ceil(W / 3)` numbers, and the gradient goes to those of the best windows alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd import forward_ad

from dlutil_core.common.errors import UserError

WORD = 3
"""Letters that are looked up together: of four the table would leave the processor's cache."""

CODES = [[0.0, 1.0, 2.0, 3.0], [1.0, 1.0, 1.0, 1.0]]
"""Of each row of a one-hot place: its letter's number, and whether there is one."""

PIECE = 2**20
"""Responses that are held at once: 4 MiB."""

ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "relu": torch.relu,
    "exp": torch.exp,
    "sigmoid": torch.sigmoid,
    "softplus": F.softplus,
    "none": lambda highest: highest,
}
"""None of them decreases, so that the maximum may be taken before."""

See = Callable[[torch.Tensor, torch.Tensor], torch.Tensor | None]


class MotifScan(nn.Conv2d):
    """The strongest response of each filter to a sequence: convolution, activation, global maximum.

    The numbers of `nn.Conv2d(4, filters, (1, width))`, the activation and
    `nn.AdaptiveMaxPool2d(1)`, within rounding, in a fraction of their time: on a CPU one-hot
    sequences are looked up instead of multiplied. Letters that are unknown (N, a column of zeros)
    add nothing, as there. Everything else goes the dense way: soft or ambiguous letters, inputs
    that need gradients (attributions), GPUs, mixed precision, compiled and exported networks.

    `weight` `(filters, 4, 1, width)` and `bias` `(filters,)` are named, shaped and initialised as
    in `nn.Conv2d`.

    Parameters
    ----------
    filters
        Their number.
    width
        Letters that a filter sees.
    padding
        Places beyond each end of the sequence, without a letter, that a filter may reach.
    strands
        `"one"`, or `"both"`: the larger of the responses to the sequence and to its reverse
        complement.
    activation
        `"relu"`, `"exp"`, `"sigmoid"`, `"softplus"` or `"none"`.

    Raises
    ------
    ValueError
        A parameter is none of these.
    """

    def __init__(
        self,
        filters: int,
        width: int,
        padding: int = 0,
        strands: Literal["one", "both"] = "one",
        activation: str = "relu",
    ) -> None:
        _check_sizes(filters, width, padding)
        if strands not in ("one", "both"):
            raise ValueError(f'strands is {strands!r}, but must be "one" or "both"')
        if activation not in ACTIVATIONS:
            known = ", ".join(ACTIVATIONS)
            raise ValueError(f"activation is {activation!r}, but must be one of {known}")
        super().__init__(4, filters, (1, width), padding=(0, padding))
        self.strands = strands
        self.activation = activation
        self._see: See | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Responses `(N, filters, 1, 1)` to sequences `(N, 4, 1, L)`, rows A, C, G, T.

        Raises
        ------
        UserError
            `x` has another shape, or is shorter than a filter.
        """
        self._check_shape(x)
        weight, bias = self.weight, self.bias  # read once: either may be computed
        found = self._rows(x) if self._see is None and _may_look_up(x, weight) else None
        if found is None:
            highest = self._dense(x, weight, bias)
        else:
            highest = self._looked_up(*found, weight, bias)
        return ACTIVATIONS[self.activation](highest)

    @contextmanager
    def seen(self, see: See) -> Iterator[None]:
        """Call `see(x, responses)` for each strand of each pass, meanwhile all dense.

        Responses `(N, filters, 1, P)` are those of all places, before the activation; an answer
        that is not `None` replaces them.
        """
        self._see = see
        try:
            yield
        finally:
            self._see = None

    def extra_repr(self) -> str:
        """What `print(network)` shows in brackets."""
        shown = f"{self.out_channels}, width={self.kernel_size[1]}, padding={self.padding[1]}"
        return f"{shown}, strands={self.strands!r}, activation={self.activation!r}"

    def _check_shape(self, x: Any) -> None:
        if type(x) is not torch.Tensor or torch.jit.is_tracing():  # sizes are not numbers
            return
        if x.dim() != 4 or x.shape[1] != 4 or x.shape[2] != 1:
            raise UserError(
                f"MotifScan takes one-hot sequences of shape (N, 4, 1, L), but was given an input "
                f"of shape {tuple(x.shape)}"
            )
        width, padding = self.kernel_size[1], self.padding[1]
        if x.shape[3] + 2 * int(padding) < width:
            raise UserError(
                f"MotifScan has filters of {width} letters, but the sequences have "
                f"{x.shape[3]} (and padding {padding} at each end): make them narrower, or pad more"
            )

    # The dense way

    def _dense(
        self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        highest = self._strand(x, weight, bias)
        if self.strands == "both":  # turning rows and places gives the reverse complement
            highest = torch.maximum(highest, self._strand(x.flip(1, 3), weight, bias))
        return highest

    def _strand(
        self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        responses = F.conv2d(x, weight, bias, padding=self.padding)
        if self._see is not None:
            replaced = self._see(x, responses)
            responses = responses if replaced is None else replaced
        return F.adaptive_max_pool2d(responses, 1)

    # By look-up

    def _rows(self, x: torch.Tensor) -> tuple[torch.Tensor, int] | None:
        """The table's rows of each window, `(N, P, ceil(W / 3))`, and its symbols: four where all
        places have a letter. `None` where `x` is not one-hot.

        The rows are 32-bit numbers, which take half the time of 64.
        """
        letters = x.detach()[:, :, 0]
        if not torch.equal(letters * letters, letters):
            return None
        codes, counts = torch.matmul(letters.new_tensor(CODES), letters).unbind(1)
        least, most = torch.stack(counts.aminmax()).tolist()
        if most > 1:
            return None
        width, padding = self.kernel_size[1], int(self.padding[1])
        symbols = 4 if least == 1 and not padding else 5
        codes = (codes if symbols == 4 else codes + counts).to(torch.int32)
        words = -(-width // WORD)
        more = words * WORD - width
        codes = F.pad(codes, (padding, padding + more)) if padding or more else codes
        pairs = torch.add(codes[:, 1:-1], codes[:, :-2], alpha=symbols)
        word = torch.add(codes[:, 2:], pairs, alpha=symbols)
        windows = word.unfold(1, (words - 1) * WORD + 1, 1)[:, :, ::WORD]
        size = symbols**WORD
        starts = torch.arange(0, words * size, size, dtype=torch.int32)
        return torch.add(windows, starts, out=starts.new_empty(windows.shape)), symbols

    def _looked_up(
        self, rows: torch.Tensor, symbols: int, weight: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        if self.strands == "both":  # turned filters on the strand that is there
            weight = torch.cat([weight, weight.flip(1, 3)])
        if torch.is_grad_enabled() and weight.requires_grad:
            highest = _Highest.apply(weight, rows, symbols)
        else:
            parts = _responses(weight, rows, symbols)
            highest = _joined([F.max_pool2d(part, part.shape[2:]) for part in parts])
        if self.strands == "both":
            highest = torch.maximum(*highest.chunk(2, dim=1))
        highest = highest if bias is None else highest + bias
        return highest[:, :, None, None]


def _check_sizes(filters: int, width: int, padding: int) -> None:
    for name, value, least in (
        ("filters", filters, 1),
        ("width", width, 1),
        ("padding", padding, 0),
    ):
        if int(value) != value or value < least:
            raise ValueError(f"{name} is {value!r}, but must be a whole number from {least}")


def _may_look_up(x: Any, weight: torch.Tensor) -> bool:
    """Whether an input may be one for the table, by all but its values."""
    return (
        type(x) is torch.Tensor
        and type(weight) in (torch.Tensor, nn.Parameter)
        and x.device.type == weight.device.type == "cpu"
        and x.layout is torch.strided
        and x.dtype is weight.dtype
        and x.dtype in (torch.float32, torch.float64)
        and x.numel() > 0
        and not (x.requires_grad and torch.is_grad_enabled())
        and not torch.is_autocast_enabled("cpu")
        and not _is_traced(x, weight)
    )


def _is_traced(*tensors: torch.Tensor) -> bool:
    """Whether operations are recorded or transformed: what reads values would be lost."""
    return bool(
        torch.compiler.is_compiling()
        or torch.jit.is_tracing()
        or torch._C._are_functorch_transforms_active()
        or any(forward_ad.unpack_dual(tensor).tangent is not None for tensor in tensors)
    )


def _table(weight: torch.Tensor, symbols: int) -> torch.Tensor:
    """What each word adds in each of its places, `(ceil(W / 3) * symbols³, C)`; of a weight
    `(C, 4, 1, W)`.
    """
    filters, width = weight.shape[0], weight.shape[3]
    words = -(-width // WORD)
    letters = weight.new_zeros(words * WORD, symbols, filters)
    letters[:width, symbols - 4 :] = weight[:, :, 0].permute(2, 1, 0)
    first, second, third = letters.view(words, WORD, symbols, filters).unbind(1)
    pairs = second[:, :, None] + third[:, None]
    return (first[:, :, None, None] + pairs[:, None]).view(-1, filters)


def _weight_of(table: torch.Tensor, symbols: int, width: int) -> torch.Tensor:
    """The gradient of the weight `(C, 4, 1, W)`, of that of its table."""
    filters = table.shape[1]
    cells = table.view(-1, symbols, symbols, symbols, filters)
    pairs = cells.sum(1)
    parts = [cells.flatten(2, 3).sum(2), pairs.sum(2), pairs.sum(1)]
    letters = torch.stack(parts, 1).view(-1, symbols, filters)
    return letters[:width, symbols - 4 :].permute(2, 1, 0)[:, :, None]


def _responses(weight: torch.Tensor, rows: torch.Tensor, symbols: int) -> Iterator[torch.Tensor]:
    """Those of some records after the other, `(n, C, P, 1)`; channels are last, so that pooling is
    fast.
    """
    table = _table(weight, symbols)
    filters, windows, words = len(weight), *rows.shape[1:]
    for piece in rows.split(max(1, PIECE // (windows * filters))):
        starts = torch.arange(0, piece.numel(), words, dtype=torch.int32)
        sums = F.embedding_bag(piece.view(-1), table, starts, mode="sum")
        yield sums.view(len(piece), windows, 1, filters).permute(0, 3, 1, 2)


def _joined(parts: list[torch.Tensor] | tuple[torch.Tensor, ...]) -> torch.Tensor:
    return (parts[0] if len(parts) == 1 else torch.cat(parts)).flatten(1)


class _Highest(torch.autograd.Function):
    """The highest response of each filter, `(N, C)`, with its gradient: its best window's."""

    @staticmethod
    def forward(ctx: Any, weight: torch.Tensor, rows: torch.Tensor, symbols: int) -> torch.Tensor:
        found = [
            F.max_pool2d(part, part.shape[2:], return_indices=True)
            for part in _responses(weight, rows, symbols)
        ]
        values, at = (_joined(parts) for parts in zip(*found, strict=True))
        ctx.save_for_backward(rows, at)
        ctx.symbols, ctx.width = symbols, weight.shape[3]
        return values

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:  # type: ignore[override]
        rows, at = ctx.saved_tensors
        records, windows, words = rows.shape
        filters = gradient.shape[1]
        best = (at + torch.arange(0, records * windows, windows)[:, None]).view(-1)
        taken = rows.view(-1, words).index_select(0, best).view(records, filters, words)
        cells = torch.add(torch.arange(filters)[:, None], taken, alpha=filters)
        shared = gradient[:, :, None].expand(-1, -1, words)
        table = gradient.new_zeros(words * ctx.symbols**WORD * filters)
        # One cell after the other, in the records' order: the same bits every time.
        table = table.scatter_add(0, cells.view(-1), shared.reshape(-1)).view(-1, filters)
        return _weight_of(table, ctx.symbols, ctx.width), None, None
