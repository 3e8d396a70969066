"""A real Slurm of two nodes on this machine, made for the tests and ended by them.

No systemd, no accounting, no cgroups: munged, slurmctld and two slurmd under names of their own,
all on the loopback address, as root. `/etc/slurm/slurm.conf` is written for the time of the tests
(with the variable SLURM_CONF alone job steps find no configuration) and what was there is put back.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

PACKAGES = ("slurmctld", "slurmd", "slurm-client", "slurm-wlm-basic-plugins", "munge")
PROGRAMS = ("slurmctld", "slurmd", "squeue", "sbatch", "munged")
NODES = ("left", "right")
ETC = Path("/etc/slurm")
START_SECONDS = 60

CONFIGURATION = """\
ClusterName=dlutil
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0,sched_min_interval=100000
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MinJobAge=600
JobRequeue=1
BatchStartTimeout=10
KillWait=5
SlurmdTimeout=5
SlurmctldTimeout=30
InactiveLimit=0
ReturnToService=2
GresTypes=gpu
NodeName=left NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} {size} Gres=gpu:1
NodeName=right NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} {size}
PartitionName=all Nodes=left,right Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
"""

# Each node has all of the machine's cores: the tests look at two nodes, not at their speed.
SIZE = "CPUs={cores} RealMemory={memory}"


class Unavailable(Exception):
    """Slurm cannot be had here, for a reason that is a sentence."""


def install() -> None:
    """Install Debian's packages where a program is missing, or say why not (`Unavailable`)."""
    if os.geteuid() != 0:
        raise Unavailable("a real Slurm needs root: munged and slurmd start jobs as other users")
    if all(shutil.which(name) for name in PROGRAMS):
        return
    if shutil.which("apt-get") is None:
        raise Unavailable("Slurm is not installed, and there is no apt-get to install it with")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for words in (["update"], ["install", "--yes", "--no-install-recommends", *PACKAGES]):
        done = subprocess.run(
            ["apt-get", "--quiet", *words], env=environment, capture_output=True, text=True
        )
        if done.returncode and words[0] == "install":
            last = done.stderr.strip().splitlines()[-1:] or ["no message"]
            raise Unavailable(f"apt-get could not install Slurm: {last[0]}")


class Slurm:
    """The cluster: `with Slurm(folder) as slurm`.

    Parameters
    ----------
    folder
        An empty folder with a short path, for sockets, state and logs.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}
        self.kept: dict[Path, bytes | None] = {}

    def __enter__(self) -> Slurm:
        try:
            self._configure()
            self._start_munge()
            self._start("slurmctld", "slurmctld", "-D", "-i")
            for node in NODES:
                self.start_node(node)
            self.wait_until(lambda: set(self.states()) == {"idle"}, "both nodes are idle")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._run("scancel", "--user=root", check=False)
        for name in (*(f"slurmd-{node}" for node in NODES), "slurmctld", "munged"):
            self._end(name)
        for path, content in self.kept.items():
            if content is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(content)

    # Daemons

    def _configure(self) -> None:
        for name in ("state", *(f"spool-{node}" for node in NODES)):
            (self.folder / name).mkdir(parents=True)
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
        size = SIZE.format(cores=os.cpu_count(), memory=memory * 9 // 10)
        text = CONFIGURATION.format(
            host=socket.gethostname(), folder=self.folder, size=size, ports=_free_ports(3)
        )
        self._write(ETC / "slurm.conf", text)
        # Handed out and counted as a GPU would be, though nothing computes on it.
        self._write(ETC / "gres.conf", "NodeName=left Name=gpu File=/dev/null\n")
        self._write(ETC / "cgroup.conf", "CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n")

    def _write(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.kept[path] = path.read_bytes() if path.exists() else None
        path.write_text(text)

    def _start_munge(self) -> None:
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        self._start(
            *("munged", "munged", "--foreground", "--force", f"--key-file={key}"),
            *(f"--socket={self.folder}/munge.socket", f"--pid-file={self.folder}/munged.pid"),
            *(f"--seed-file={self.folder}/munged.seed", f"--log-file={self.folder}/munged.log"),
        )
        self.wait_until((self.folder / "munge.socket").exists, "munged listens")

    def start_node(self, node: str) -> None:
        """Start a node's slurmd."""
        self._start(f"slurmd-{node}", "slurmd", "-D", "-N", node)

    def kill_node(self, node: str) -> None:
        """The node is gone at once: its slurmd and all of its jobs."""
        self._end(f"slurmd-{node}", signal.SIGKILL)

    def _start(self, name: str, *command: str) -> None:
        path = os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin"
        with open(self.folder / f"{name}.out", "ab") as out:
            self.daemons[name] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=os.environ | {"PATH": path},
                start_new_session=True,
            )

    def _end(self, name: str, number: signal.Signals = signal.SIGTERM) -> None:
        process = self.daemons.pop(name, None)
        if process is None:
            return
        process.send_signal(number)
        if name.startswith("slurmd-"):
            self._end_steps(name.removeprefix("slurmd-"))
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _end_steps(self, node: str) -> None:
        """Kill what a node runs: slurmstepd outlives its slurmd, and a dead node's jobs do not.

        First those that would tell the controller that their jobs have ended.
        """
        daemons, others = [], []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.name() == "slurmstepd":
                    below = process.children(recursive=True)
                    if any(_node_of(p) == node for p in below):
                        daemons.append(process)
                        others += below
        for process in (*daemons, *others):
            with suppress(psutil.Error):
                process.kill()

    # What the cluster says

    def states(self) -> list[str]:
        """The state of each node, in the order of their names."""
        lines = self._run("sinfo", "--noheader", "--Node", "--format=%N %T").split("\n")
        return [line.split()[1] for line in sorted(lines) if line]

    def jobs(self, *states: str, column: str = "%k") -> list[tuple[str, str, str]]:
        """Number, comment (or another column), node of the jobs in these states, or of all."""
        chosen = ",".join(states) or "all"
        text = self._run("squeue", "--noheader", f"--states={chosen}", f"--format=%i|{column}|%N")
        rows = [line.split("|") for line in text.splitlines()]
        return [(number, comment, node) for number, comment, node in rows]

    def restarts(self, job: str) -> int:
        """How often Slurm has queued a job again."""
        found = re.search(r"Restarts=(\d+)", self._run("scontrol", "show", "job", job))
        return int(found[1]) if found else 0

    def table(self) -> list[str]:
        """Every job as a line: number, node, state, seconds, name and comment."""
        text = self._run("squeue", "--states=all", "--sort=i", "--format=%.5i %5N %10T %5M %15j %k")
        return text.splitlines()

    def cancel(self, job: str) -> None:
        """`scancel`."""
        self._run("scancel", job)

    def wait_until(
        self, true: Callable[[], bool], what: str, seconds: float = START_SECONDS
    ) -> None:
        """Wait for something; fails with the daemons' last words."""
        until = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < until, f"{seconds} s passed before {what}:\n{self.logs()}"
            time.sleep(0.1)

    def logs(self) -> str:
        """The ends of all logs."""
        parts = []
        for path in sorted([*self.folder.glob("*.log"), *self.folder.glob("*.out")]):
            lines = path.read_text(errors="replace").splitlines()[-15:]
            parts.append("\n".join([f"== {path.name}", *lines]))
        return "\n".join(parts)

    def _run(self, *command: str, check: bool = True) -> str:
        done = subprocess.run(command, capture_output=True, text=True)
        assert not check or done.returncode == 0 or command[0] == "sinfo", done.stderr
        return done.stdout


def _free_ports(count: int) -> Sequence[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _node_of(process: psutil.Process) -> str:
    """The node that a process of a job runs on."""
    with suppress(psutil.Error):
        return process.environ().get("SLURMD_NODENAME", "")
    return ""
