"""The published tasks: their data as published, their estimator, the page of results."""

from __future__ import annotations

import gzip
import hashlib
import runpy
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
SPLICE_SITES = EXAMPLES / "splice_sites"


@pytest.fixture(scope="module")
def definition() -> dict[str, Any]:
    return runpy.run_path(str(SPLICE_SITES / "def.py"))


def test_splice_sites_are_the_published_ones() -> None:
    data = (SPLICE_SITES / "raw_data" / "mpsa_data.csv.gz").read_bytes()
    assert hashlib.sha256(data).hexdigest() in (SPLICE_SITES / "raw_data/README.md").read_text()
    rows = [line.split(",") for line in gzip.decompress(data).decode().split()[1:]]
    sets = Counter(row[0] for row in rows)
    assert sets == {"training": 18469, "validation": 5936, "test": 6078}
    sites = {row[-1] for row in rows}
    assert len(sites) == len(rows) and {len(site) for site in sites} == {9}


def test_letters_are_one_hot_in_the_order_of_the_table(definition: dict[str, Any]) -> None:
    one_hot, inclusion = definition["read"](SPLICE_SITES / "raw_data", "training")
    assert one_hot.shape == (18469, 9, 4) and inclusion.shape == (18469,)
    assert one_hot.dtype == inclusion.dtype == np.float32
    assert "".join("ACGU"[k] for k in one_hot[0].argmax(1)) == "GGAGUGAUG"
    assert inclusion[0] == np.float32(0.023406441604553064)
    assert (one_hot.sum(2) == 1).all()


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_bits_of_two_normal_variables(definition: dict[str, Any], correlation: float) -> None:
    """-log2(1 - r^2) / 2 (Cover and Thomas, Elements of Information Theory, example 8.5.1)."""
    x, noise = np.random.RandomState(3).standard_normal((2, 6000))
    y = correlation * x + np.sqrt(1 - correlation**2) * noise
    known = -np.log2(1 - correlation**2) / 2
    assert definition["bits"](y, x) == pytest.approx(known, abs=0.04)


def test_bits_see_no_scale_and_no_sign(definition: dict[str, Any]) -> None:
    x, noise = np.random.RandomState(4).standard_normal((2, 2000))
    bits = definition["bits"]
    assert bits(x + noise, -1000 * x) == pytest.approx(bits(x + noise, x), abs=1e-6)


def test_equal_labels_add_no_bits(definition: dict[str, Any]) -> None:
    """Less than half of the labels are different ones; in float32 these would say 0.08 bits."""
    _, labels = definition["read"](SPLICE_SITES / "raw_data", "test")
    assert len(np.unique(labels)) < len(labels) / 2
    independent = np.random.RandomState(5).standard_cauchy(len(labels)).astype("float32")
    assert definition["bits"](labels, independent) < 0.02


def test_pairs_of_letters_are_products() -> None:
    baseline = runpy.run_path(str(SPLICE_SITES / "baseline.py"))
    one_hot = np.eye(4)[np.array([[0, 1, 2, 3, 0, 1, 2, 3, 0]])]
    terms = baseline["pairwise"](one_hot)
    assert terms.shape == (1, 36 + 36 * 16)
    assert terms.sum() == 9 + 36
    assert terms[0, 36 + 0 * 4 + 1] == 1  # A and C at the first two positions


def test_a_section_replaces_its_own() -> None:
    published = runpy.run_path(str(EXAMPLES / "published.py"))
    first, second = (f"## [Splicing](splice_sites/README.md)\n\n{k} bits\n" for k in (1, 2))
    page = published["merged"]("", {"splice_sites": first})
    assert page == published["HEAD"] + first
    assert published["merged"](page, {"splice_sites": second}) == published["HEAD"] + second
    assert published["merged"](page, {}) == page


def test_results_tell_every_task() -> None:
    published = runpy.run_path(str(EXAMPLES / "published.py"))
    page = (EXAMPLES / "RESULTS.md").read_text()
    for task, title in published["TASKS"].items():
        assert f"## [{title}]({task}/README.md)" in page
        assert (EXAMPLES / task / "README.md").exists()
