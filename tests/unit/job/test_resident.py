"""A job in a fork of the resident process is as one in a process of its own, and ends like it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import REPOSITORY

from dlutil_core.job.variables import job_variables

VARIABLES = " ".join(f"{name}={value}" for name, value in job_variables(1).items())
PYTHON = f"{VARIABLES} PYTHONPATH={REPOSITORY} {sys.executable} -P"

# Stands for Snakemake: starts a resident, and jobs one after the other.
RUN = f'''
import json, os, subprocess, sys
sys.path.insert(0, {str(REPOSITORY)!r})
from dlutil_core.job import resident_start
if sys.argv[1] == "resident":
    resident_start._start({PYTHON!r}, os.getcwd())
environment = os.environ | dict.fromkeys(("TMPDIR", "TMP", "TEMPDIR", "TEMP"), "/tmp")
environment |= json.loads(sys.argv[2])
for job in sys.argv[3:]:
    done = subprocess.run(
        ["bash", "-c", f"{PYTHON} $PWD/job.py --do={{job}}"],
        env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )
    print(json.dumps([done.returncode, done.stdout, done.stderr]))
'''

JOB = '''
from dlutil_core.job import script


def tell():
    """All that a definition could see of its process, and its first random numbers."""
    import gc, json, locale, os, random, signal, sys, threading, warnings
    import numpy, torch

    told = {
        "torch": [torch.get_num_threads(), torch.get_num_interop_threads()],
        "python": [sys.argv, sys.orig_argv, sys.path, list(sys.flags), sys.executable, hash("a")],
        "main": [sys.modules["__main__"].__file__, __name__],
        "environment": {k: v for k, v in os.environ.items() if k not in ("DLUTIL_RESIDENT", "_")},
        "folder": os.getcwd(), "umask": os.umask(0),
        "signals": [
            str(getattr(h := signal.getsignal(n), "__name__", h))
            for n in sorted(signal.valid_signals())
        ],
        "streams": [
            [s.encoding, s.errors, s.line_buffering, s.isatty()]
            for s in (sys.stdin, sys.stdout, sys.stderr)
        ],
        "input": sys.stdin.read(),
        "threads": [threading.active_count(), len(os.listdir("/proc/self/task"))],
        "locale": locale.getlocale(), "warnings": [str(f) for f in warnings.filters],
        "limits": open("/proc/self/limits").read(), "gc": gc.get_threshold(),
    }
    drawn = [random.random(), float(numpy.random.rand()), torch.initial_seed()]
    print(json.dumps([told, drawn, open(f"/proc/{os.getppid()}/cmdline").read()]))


def main(arguments):
    import os, signal

    if arguments.do == "tell":
        tell()
    elif arguments.do.startswith("SIG"):
        os.kill(os.getpid(), getattr(signal, arguments.do))
    elif arguments.do == "exit":
        os._exit(7)
    else:
        from dlutil_core.common.errors import UserError

        raise UserError("this is wrong")


if __name__ == "__main__":
    parser = script.parser("A job.")
    parser.add_argument("--measured")
    parser.add_argument("--do")
    script.run_step(main, parser.parse_args(), may_be_forked=True)
'''


def run(folder: Path, kind: str, jobs: list[str], **environment: str) -> list[tuple[int, str, str]]:
    """Exit code, output and errors of these jobs, with the resident or without."""
    (folder / "job.py").write_text(JOB)
    (folder / "run.py").write_text(RUN)
    done = subprocess.run(
        [sys.executable, "run.py", kind, json.dumps(environment), *jobs],
        cwd=folder,
        # Not what this process was told of coverage and of reads: each one adds itself.
        env={k: v for k, v in os.environ.items() if not k.startswith(("COV", "PYTEST", "DLUTIL"))}
        | {"TMPDIR": "/tmp"},
        capture_output=True,
        text=True,
        check=True,
    )
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


ENDS = ["fail", "exit", "SIGTERM", "SIGSEGV", "SIGKILL"]


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[int, str, str]]]:
    """The same jobs with a resident and without, in one folder and one environment."""
    folder = tmp_path_factory.mktemp("jobs")
    words = ["tell", "tell", *ENDS]
    return {kind: run(folder, kind, words) for kind in ("resident", "alone")}


def test_a_fork_is_as_a_fresh_process(jobs: dict[str, list[tuple[int, str, str]]]) -> None:
    forked = (json.loads(job[1]) for job in jobs["resident"][:2])
    (first, drawn, parent), (second, drawn_too, _) = forked
    assert "resident_process" in parent
    told, _, alone = json.loads(jobs["alone"][0][1])
    assert "resident_process" not in alone
    assert first == second == told
    assert all(a != b for a, b in zip(drawn, drawn_too, strict=True)), "unseeded numbers repeat"


def test_a_job_ends_as_its_fork(jobs: dict[str, list[tuple[int, str, str]]]) -> None:
    assert jobs["resident"][2:] == jobs["alone"][2:]


@pytest.mark.parametrize(
    "environment", [{"OMP_PROC_BIND": "true"}, {"MKL_CBWR": "AVX2"}, {"DLUTIL_RESIDENT": "gone"}]
)
def test_a_job_works_by_itself_where_something_differs(
    environment: dict[str, str], tmp_path: Path
) -> None:
    ((code, told, _),) = run(tmp_path, "resident", ["tell"], **environment)
    assert code == 0
    assert "resident_process" not in json.loads(told)[2]


def test_a_module_of_the_name_of_a_loaded_one_is_never_hidden(tmp_path: Path) -> None:
    (tmp_path / "sympy.py").touch()
    (tmp_path / "h5py.py").touch()
    ((code, told, _),) = run(tmp_path, "resident", ["tell"])
    assert code == 0
    assert "resident_process" not in json.loads(told)[2]
