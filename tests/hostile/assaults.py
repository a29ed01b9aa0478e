"""Programs that mean harm, each within limits that keep it from doing any to whoever runs these tests."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import Any

MIB = 2**20
GIB = 2**30


@dataclass(frozen=True)
class Assault:
    """A program in a shell, and its true end. `message` is how the sentence on the record begins."""

    program: str
    status: str
    cause: str
    message: str
    limits: dict[str, Any] = field(default_factory=dict)
    image: str = "busybox:local"
    # Paths of the outputs that are kept, if that matters.
    kept: frozenset[str] | None = None
    warning: str | None = None

    @property
    def body(self) -> dict[str, Any]:
        limits = {"memory": "64MiB", "pids": 40, "cpus": 0.4, "timeout": 120, "grace": 1, "disk": "1GiB", **self.limits}
        return {"image": self.image, "command": ["sh", "-c", self.program], "limits": limits}


def timed_out(program: str, *, after: int = 4, **limits: Any) -> Assault:
    """One that goes on until its time is over."""
    message = f"Ran longer than its timeout of {after} s."
    return Assault(program, "timed_out", "run_timeout", message, limits={"timeout": after, **limits})


def fills_disk(program: str, *, most: str = "32MiB", **options: Any) -> Assault:
    """One that has too much on disk; it writes no more than it takes to prove it, and then waits."""
    limits = {"disk": most, "cpus": 1.0}
    message = "Killed: it had more on disk than `limits.disk`."
    return Assault(f"{program}; exec sleep 600", "failed", "disk_limit", message, limits=limits, **options)


def succeeds(program: str, **options: Any) -> Assault:
    """One that ends by itself, and believes that it has won."""
    return Assault(f"{program}\nexit 0", "succeeded", "ok", "Finished with exit code 0.", **options)


def _mebibytes(count: int, path: str) -> str:
    return f"dd if=/dev/zero of={path} bs=1M count={count} 2> /dev/null"


# Two directories change places with each other and with a link to the whole system, for as long as anybody looks.
_RENAMER = """
cd /tailrace/outputs; mkdir a b; echo x > a/x; echo y > b/y; echo good > good
end=$(($(date +%s) + 4))
while [ $(date +%s) -lt $end ]; do
    mv a c; ln -s / a; mv b a 2> /dev/null; rm -f a; mv c a 2> /dev/null; mkdir -p b
done
rm -rf a b c
"""
_SLIPPING = [
    "..\\..\\slipped",
    "C:\\slipped",
    "...",
    ".. ",
    "~",
    "-rf",
    "%2e%2e%2fslipped",
    "NUL",
    "aux.txt",
    "a/.../b",
]
_SLIP = "cd /tailrace/outputs; mkdir -p a/...\n" + "\n".join(f"echo x > ./{shlex.quote(name)}" for name in _SLIPPING)
_ESCAPES = """
cd /tailrace/outputs; echo good > good
ln -s /etc/shadow link; ln -s ../../../../../../../../etc/passwd up; ln -s / root; ln -s /proc/1/environ proc
mkdir inner; ln -s ../../../.. inner/out; ln -s . inner/self; ln /etc/passwd hard 2> /dev/null; echo x > one; ln one two
mkfifo fifo; mknod device b 8 0 2> /dev/null
"""

ASSAULTS = {
    "a fork bomb": timed_out("b() { b | b & }; b 2> /dev/null; exec sleep 600"),
    "a memory bomb": Assault(
        "exec tail /dev/zero", "failed", "oom_killed", "Killed by the kernel: it used more memory than `limits.memory`."
    ),
    "a disk filler in its root file system": fills_disk(_mebibytes(80, "/big")),
    "a disk filler in /tmp": fills_disk(f"cd /tmp; {_mebibytes(80, 'big')}"),
    "a disk filler in its outputs": fills_disk(_mebibytes(80, "/tailrace/outputs/big"), kept=frozenset({"big"})),
    "a disk filler in its checkpoint": fills_disk(_mebibytes(80, "/tailrace/checkpoint/big")),
    "a disk filler in its events": fills_disk("yes '{\"progress\": 1}' | head -c 48000000 >> /tailrace/events"),
    "a disk filler deeper than any path": fills_disk(
        f"cd /; for i in $(seq 60); do mkdir {'d' * 200} && cd {'d' * 200}; done; {_mebibytes(80, 'big')}"
    ),
    "a filler of shared memory": Assault(
        f"cd /dev/shm; {_mebibytes(8, 'big')}", "failed", "exit_nonzero", "Exit code 1.", limits={"shm": "1MiB"}
    ),
    "very many small files": fills_disk("mkdir /f; cd /f; i=0; while [ $i -lt 10000 ]; do : > $i; i=$((i+1)); done"),
    "more outputs than are kept": succeeds(
        "cd /tailrace/outputs; i=0; while [ $i -lt 110000 ]; do : > $i; i=$((i+1)); done",
        limits={"output_files": 100, "cpus": 1.0, "memory": "256MiB"},
        warning="there are too many entries",
    ),
    "a sparse file of 10 GiB": succeeds(
        "cd /tailrace/outputs; echo good > good; truncate -s 10G sparse; sleep 2",
        limits={"disk": "32MiB", "file_size": 11 * GIB, "output_bytes": "1GiB"},
        kept=frozenset({"good"}),
        warning="a file does not fit into the limit on bytes",
    ),
    "a flood of its log": timed_out("exec yes", log_bytes="64KiB"),
    "links out of its outputs": succeeds(_ESCAPES, kept=frozenset({"good"}), warning="links, devices, sockets"),
    "names that slip out of a zip": succeeds(_SLIP),
    "directories that are renamed while they are read": succeeds(_RENAMER, kept=frozenset({"good"})),
    "a program that ignores SIGTERM": timed_out("trap '' TERM INT HUP QUIT; while :; do sleep 1; done"),
    "a maker of zombies": timed_out("for i in $(seq 30); do true & done; exec sleep 600"),
}

# What only a program with privileges could do; each prints its name if it was done.
PROBES = {
    "read a disk of the host": "head -c 1 /dev/sda || head -c 1 /dev/vda",
    "make a device": "mknod /dev/mine b 8 0 || mknod /tmp/mine c 1 1",
    "read the memory of the kernel": "head -c 1 /dev/mem || head -c 1 /dev/kmem || head -c 1 /proc/kcore | grep -q .",
    "read the log of the kernel": "dmesg | grep -q . || head -c 1 /dev/kmsg",
    "set what becomes of cores": "echo '|/x' > /proc/sys/kernel/core_pattern",
    "reboot": "echo b > /proc/sysrq-trigger",
    "let memory go": "echo 1 > /proc/sys/vm/drop_caches",
    "spare itself from being killed": "echo -1000 > /proc/self/oom_score_adj",
    "write to its control group": "for limit in $(find /sys/fs/cgroup -name pids.max -o -name memory.max "
    "-o -name memory.limit_in_bytes); do echo 1 > $limit && exit; done; false",
    "have something run when its group is empty": "echo /x > /sys/fs/cgroup/memory/release_agent",
    "change files of the kernel": "touch /sys/kernel/x || echo x > /sys/kernel/uevent_helper",
    "mount something": "mount -t tmpfs none /mnt || mount -t proc none /mnt",
    "unmount something": "umount /tailrace || umount /proc",
    "make a user namespace": "unshare -r true",
    "make a mount namespace": "unshare -m true",
    "change its root": "chroot / true",
    "set the clock": "date -s 2001-01-01; [ $(date +%Y) = 2001 ]",
    "set the name of the host": "hostname elsewhere",
    "make itself more important": "renice -n -5 -p $$",
    "become somebody else": "chown 1 /tmp || chmod u+s /bin/busybox && su nobody -s /bin/sh -c true",
    "find the socket of the engine": "ls /var/run/docker.sock || ls /run/containerd",
    "reach anybody": "wget -T 1 -q -O - http://169.254.169.254/ || nc -w 1 10.0.0.1 53 < /dev/null",
    "see processes that are not its own": "[ $(ls -d /proc/[0-9]* | wc -l) -gt 12 ]",
    "see other interfaces": "ls /sys/class/net | grep -qv '^lo$'",
}
