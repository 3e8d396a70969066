"""The text of a default `def.py`: loaders, a search space, and a model for what the data are."""

from __future__ import annotations

from dlutil_core.cli.start.task import LABELS, NUMBERS, Task

HEAD = '''\
"""{title}

Written by `dlutil init` as a start: it is yours to change.
"""

import os
import random

from torch import nn, optim

from dlutil_core import base_model, batch_generator


# The loaders: preprocessing wrote these files, with 'data' and 'label' in them.
def get_train_generator(data_dir, batch_size):
    return batch_generator.H5pyBatchGenerator(
        os.path.join(data_dir, "train.h5"), batch_size=batch_size, shuffle=True
    )


def get_val_generator(data_dir):  # to choose the best trial and epoch
    return batch_generator.H5pyBatchGenerator(os.path.join(data_dir, "valid.h5"))


def get_test_generator(data_dir):  # held out until the end
    return batch_generator.H5pyBatchGenerator(os.path.join(data_dir, "test.h5"))


def get_pred_generator(pred_path):  # inputs alone
    return batch_generator.H5pyBatchGenerator(pred_path, labels=False)


def get_config():
    """One random configuration; a search draws many of them."""
    return {{
        "learning_rate": 10 ** random.uniform(-3.5, -2),
        "dropout": random.choice([0.1, 0.3, 0.5]),
{space}    }}

'''

SEQUENCE_SPACE = """\
        "filters": random.choice([32, 64, 128]),
        "width": random.choice({widths}),  # letters that a filter sees
"""
TABLE_SPACE = """\
        "hidden": random.choice([16, 32, 64, 128]),
"""

LETTERS = '''
def Motifs(filters, width):
    """How well each filter matches a sequence: its maximum over all positions."""
    # Inputs are (N, {depth}, 1, L): a row for each letter.
    convolution = nn.Conv2d({depth}, filters, (1, width), padding=(0, width // 2))
    return nn.Sequential(convolution, nn.ReLU(), nn.AdaptiveMaxPool2d(1))

'''
SCALED = '''
class Scaled(nn.Module):
    """Outputs of about 1 brought to the scale of the labels."""

    def forward(self, x):
        return x.new_tensor({centre}) + x.new_tensor({spread}) * x

'''
MODEL = '''
class Model(base_model.{base}):
    """{told}"""

    def init_model(self):
        config = self.config
{what}        features = {features}
        head = nn.Sequential(
            nn.Linear({width}, {hidden}),
            nn.ReLU(),
            nn.Dropout(config["dropout"]),
            nn.Linear({hidden}, {outputs}),{comment}
{scaled}        )
        network = base_model.{network}(features, head)
        optimizer = optim.Adam(network.parameters(), lr=config["learning_rate"])
        super().init_model(network, optimizer{more})
'''

SCAN = """\
base_model.MotifScan(
            config["filters"], config["width"], padding=config["width"] // 2, strands="{strands}"
        )"""
WHAT = """\
        # How well each filter matches a sequence (N, 4, 1, L), at its best place{where}.
"""

STRANDS = {"dna": "both", "rna": "one"}
RESIDUES = 20
WIDTHS = {"dna": [11, 15, 19], "rna": [7, 9, 11], "protein": [5, 7, 9]}


def definition_text(alphabet: str | None, columns: int, task: Task, title: str) -> str:
    """A `def.py`.

    Parameters
    ----------
    alphabet
        `dna`, `rna` or `protein`; None for a table of numbers.
    columns
        The table's columns.
    task
        What is predicted.
    title
        A sentence on what it is.
    """
    space = TABLE_SPACE
    if alphabet is not None:
        space = SEQUENCE_SPACE.format(widths=WIDTHS[alphabet])
    text = HEAD.format(title=title, space=space)
    if alphabet == "protein":
        text += LETTERS.format(depth=RESIDUES)
    if task.kind == NUMBERS:
        text += SCALED.format(centre=list(task.centre), spread=list(task.spread))
    return text + _model(alphabet, columns, task)


def _model(alphabet: str | None, columns: int, task: Task) -> str:
    numbers = task.kind == NUMBERS
    kind = "Regression" if numbers else "Classification"
    names = ", ".join(task.names[:10]) + (", …" if len(task.names) > 10 else "")
    names = names.encode("ascii", "replace").decode() if not names.isprintable() else names
    return MODEL.format(
        base=f"{kind}Model",
        told=_told(task),
        what=_what(alphabet),
        features=_features(alphabet, columns),
        width=columns if alphabet is None else 'config["filters"]',
        hidden='config["hidden"]' if alphabet is None else "64",
        outputs=task.outputs,
        comment=f"  # {names}" if names else "",
        scaled="            Scaled(),\n" if numbers else "",
        network=f"Conv{kind}Network",
        more=", multi_label=True" if task.kind == LABELS else "",
    )


def _what(alphabet: str | None) -> str:
    if alphabet not in STRANDS:
        return ""
    return WHAT.format(where=" on either strand" if STRANDS[alphabet] == "both" else "")


def _features(alphabet: str | None, columns: int) -> str:
    if alphabet is None:
        return f"nn.Sequential(nn.Flatten(), nn.BatchNorm1d({columns}))  # columns of one scale"
    if alphabet not in STRANDS:
        return 'Motifs(config["filters"], config["width"])'
    return SCAN.format(strands=STRANDS[alphabet])


def _told(task: Task) -> str:
    if task.kind == NUMBERS:
        return "Squared error; the metrics are mse and pearson."
    if task.kind == LABELS:
        return f"{task.outputs} labels, each a yes or no of its own: binary cross-entropy."
    return f"{task.outputs} classes, of which a record has one: cross-entropy."
