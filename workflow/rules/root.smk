# Where dlutil lies: scripts, schemas, environment and package. A checkout and an installed wheel are used
# in their places. Of a repository that a module names Snakemake fetches single files, when it reads them;
# so the commit is unpacked whole, once, from Snakemake's own clone into the working directory.

import subprocess
import sys
import tarfile
import tempfile
from os import environ
from pathlib import Path


def root_of(basedir):
    """The folder that holds all of dlutil, for the place of this file."""
    if hasattr(basedir, "__fspath__"):
        return Path(basedir).parent.parent
    if not hasattr(basedir, "ref"):
        sys.exit(
            f"error: {basedir}: the workflow is more than this file; name its repository instead, by "
            "github(...), gitlab(...) or git+file://REPOSITORY/workflow/Snakefile@REF"
        )
    # Jobs take what the run took, also where a branch has moved on.
    commit = None if workflow.is_main_process else environ.get("DLUTIL_COMMIT")
    if not commit:
        reference = f"{basedir.ref}^{{commit}}"
        commit = git(basedir, "rev-parse", "--verify", reference).stdout.decode().strip()
    environ["DLUTIL_COMMIT"] = commit
    folder = Path(".snakemake", "dlutil", commit).absolute()
    if not folder.is_dir():
        unpack(basedir, commit, folder)
    return folder


def git(basedir, *words):
    hosted = hasattr(basedir, "hosted_repo")
    clone = basedir.hosted_repo.repo_clone if hosted else basedir.repo_path
    done = subprocess.run(["git", "-C", str(clone), *words], capture_output=True, check=False)
    if done.returncode:
        text = done.stderr.decode(errors="replace").strip().replace("\n", " ")
        sys.exit(f"error: {basedir}: git {words[0]} failed: {text}")
    return done


def unpack(basedir, commit, folder):
    """Make the folder appear whole or not at all, also where two processes are at it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".unpacked-") as made:
        archive = Path(made, "archive.tar")
        git(basedir, "archive", f"--output={archive}", commit)
        with tarfile.open(archive) as file:
            file.extractall(Path(made, "whole"), filter="data")
        try:
            Path(made, "whole").rename(folder)
        except OSError:
            if not folder.is_dir():
                raise


ROOT = root_of(workflow.current_basedir)
if (ROOT / "dlutil_core").is_dir() and str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import dlutil_core

# Python has one module of a name: what was imported first would judge what another version makes.
IMPORTED = Path(dlutil_core.__file__).resolve().parent
if IMPORTED not in [ROOT.resolve(), (ROOT / "dlutil_core").resolve()]:
    sys.exit(
        f"error: this workflow uses dlutil in two versions, of {IMPORTED} and of {ROOT}: "
        "name the same one in each module"
    )
