"""The network alone, in formats that need neither dlutil nor `def.py`: torch.export and ONNX."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dlutil_core.common.errors import UserError
from dlutil_core.common.wording import shortened
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.trained.ensemble import Ensemble
from dlutil_core.trained.run_note import noted_config, noted_data

TOLERANCE = 1e-4
SAMPLES = 3


class EnsembleNetwork(torch.nn.Module):
    """An ensemble as one network, whose output are the mean predictions.

    Parameters
    ----------
    ensemble
        Its members' networks become parts of this one.
    """

    def __init__(self, ensemble: Ensemble) -> None:
        super().__init__()
        self.networks = ensemble.network
        self._means = ensemble.forward

    def forward(self, x: torch.Tensor) -> Any:
        """Means of `y_pred` over members."""
        return self._means(x)[0]


def export_network(model: Any, result_dir: Path, out: Path, run: LoadedRun) -> dict[str, str]:
    """Write `model.pt2` and `model.onnx` where the network allows it.

    Of an ensemble it gives mean predictions; of one model what its network gives, such as logits.
    `run` has the definition whose loaders give inputs to trace the network with.

    Returns
    -------
    For each of `torch.export` and `onnx` a sentence: what was written, or why nothing was.
    """
    x = sample_input(result_dir, run)
    if not isinstance(x, torch.Tensor):
        why = "no inputs were at hand to trace the network with" if x is None else "it takes more "
        why += "" if x is None else "than one tensor"
        return {"torch.export": f"Not written: {why}.", "onnx": f"Not written: {why}."}
    network = (
        (EnsembleNetwork(model) if isinstance(model, Ensemble) else model.network).eval().cpu()
    )
    x = x.to(torch.float32 if x.dtype.is_floating_point else x.dtype)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            program = _traced(network, x)
            _check(network, program.module(), x)
            torch.export.save(program, out / "model.pt2")
        except Exception as error:
            told = _short(error)
            return {"torch.export": f"Not written: {told}", "onnx": f"Not written: {told}"}
        shape = " × ".join(["N", *map(str, x.shape[1:])])
        note = f"`model.pt2`, for `torch.export.load`; input {shape}, {x.dtype}."
        return {"torch.export": note, "onnx": _export_onnx(network, program, x, out)}


def _traced(network: torch.nn.Module, x: torch.Tensor) -> Any:
    """The network as a program for any number of samples; for this number where it must be."""
    return torch.export.export(network, (x,), dynamic_shapes=({0: torch.export.Dim("samples")},))


def _check(network: torch.nn.Module, exported: Any, x: torch.Tensor) -> None:
    """Refuse an export that predicts something else."""
    for part in (x, x[:2]):
        pairs = zip(_leaves(network(part)), _leaves(exported(part)), strict=True)
        for ours, theirs in pairs:
            if not torch.allclose(ours, theirs, atol=TOLERANCE, rtol=TOLERANCE):
                raise UserError("the exported network predicts something else")


def _export_onnx(network: torch.nn.Module, program: Any, x: torch.Tensor, out: Path) -> str:
    missing = [p for p in ("onnx", "onnxscript") if importlib.util.find_spec(p) is None]
    if missing:
        return (
            f"Not written: the package {missing[0]} is not installed "
            "(pip install onnx onnxruntime onnxscript)."
        )
    path = out / "model.onnx"
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            torch.onnx.export(program, f=path, dynamo=True, external_data=False, verbose=False)
        if importlib.util.find_spec("onnxruntime") is None:
            return "`model.onnx`; it was not run, since onnxruntime is not installed."
        import onnxruntime

        loaded = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        name = loaded.get_inputs()[0].name
        found = loaded.run(None, {name: x.numpy()})
        for ours, theirs in zip(_leaves(network(x)), found, strict=True):
            if not np.allclose(ours.numpy(), theirs, atol=TOLERANCE, rtol=TOLERANCE):
                raise UserError("it predicts something else")
    except Exception as error:
        path.unlink(missing_ok=True)
        return f"Not written: {_short(error)}"
    names = ", ".join(f"`{o.name}`" for o in loaded.get_outputs())
    return (
        f"`model.onnx`, for ONNX runtimes; input `{name}`, outputs in the network's order {names}."
    )


def sample_input(result_dir: Path, run: LoadedRun) -> Any:
    """A few inputs of the run's data, if they are still where they were; else `None`."""
    config, data = noted_config(result_dir), noted_data(result_dir)
    if config is None or data is None:
        return None
    made = (
        lambda: run.definition.test_loader(str(data)),
        lambda: run.definition.train_loaders(str(data), config["batch_size"])[0],
    )
    for make in made:
        with contextlib.suppress(Exception):
            batch = next(iter(make()))
            x = batch[0] if isinstance(batch, (tuple, list)) else batch
            return torch.as_tensor(x)[:SAMPLES] if hasattr(x, "shape") else x
    return None


def _leaves(output: Any) -> list[torch.Tensor]:
    if isinstance(output, dict):
        return [leaf for value in output.values() for leaf in _leaves(value)]
    if isinstance(output, (list, tuple)):
        return [leaf for value in output for leaf in _leaves(value)]
    return [output]


def _short(error: BaseException) -> str:
    return shortened(str(error), 160) or type(error).__name__
