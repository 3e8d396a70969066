"""The one-command front: searches, tests and predicts through the workflow.

    python main.py -f def.py -d data -r results -y -e -p 'test.h5*' -ep 27 -bs 100

The same as `dlutil run`; `python main.py --help` lists the flags. A Python that lacks the packages
hands over to that of `.venv` beside this file, if `make install` has made it.
"""

import importlib.util
import os
import sys

NEEDED = ("torch", "snakemake", "numpy", "h5py", "pandas", "jsonschema", "yaml")


def hand_over() -> None:
    """Go on with the Python of `.venv` where this one lacks packages; or say what to do."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if not missing and sys.version_info >= (3, 11):
        return
    place = os.path.dirname(os.path.abspath(__file__))
    python = os.path.join(place, ".venv", "bin", "python")
    if os.path.exists(python) and os.path.abspath(sys.executable) != python:
        os.execv(python, [python, os.path.abspath(__file__), *sys.argv[1:]])
    lacks = f"has no {', '.join(missing)}" if missing else "is older than 3.11"
    sys.exit(
        f"error: {sys.executable} {lacks}; run `make install` in {place}, after which this command"
        " works with any Python, or give that Python the packages with `pip install .`"
    )


if __name__ == "__main__":
    hand_over()
    from dlutil_core.cli.run import main

    sys.exit(main(sys.argv[1:]))
