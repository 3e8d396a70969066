"""The reference of config keys is what the schema says, and the README names every key."""

from pathlib import Path

from dlutil_core.run.config import documented_keys
from dlutil_core.run.config_reference import table

ROOT = Path(__file__).resolve().parents[3]


def test_reference_is_made_from_the_schema() -> None:
    assert (ROOT / "docs" / "config.md").read_text() == table(), "run `make docs`"


def test_every_key_is_described() -> None:
    for key, part in documented_keys():
        assert part.get("description"), key
        assert "default" in part, key
        assert "type" in part, key


def test_readme_names_the_place_of_every_key() -> None:
    text = (ROOT / "README.md").read_text()
    for key, _ in documented_keys():
        section, _, name = key.partition(".")
        if section == "search" and name:
            assert f"`{key}`" in text, f"README.md has no `{key}`"
        elif section != "search":
            assert f"`{section}`" in text, f"README.md has no `{section}`"
