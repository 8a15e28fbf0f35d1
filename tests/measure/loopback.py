"""A real sshd on loopback: own port, host key, user key and client configuration, all in one folder."""

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from getpass import getuser
from pathlib import Path

SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")


def why_not():
    """Say why no sshd can be started here; empty if one can."""
    missing = [name for name in ("ssh", "ssh-keygen") if not shutil.which(name)]
    if not SSHD:
        missing.append("sshd")
    return f"{', '.join(missing)} not found: apt-get install openssh-server" if missing else ""


class Server:
    """A running sshd; its client reads a configuration of its own, through an `ssh` that PATH finds first."""

    def __init__(self, folder, port, pid):
        self.folder, self.port, self.pid = folder, port, pid
        self.url = "ssh://device"

    @property
    def sessions(self):
        """Process ids of all that sshd started for its connections, nearest first."""
        found, level = [], [self.pid]
        while level:
            level = [pid for parent in level for pid in children_of(parent)]
            found += level
        return found


def children_of(pid):
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(word) for word in text.split()]


@contextmanager
def run_sshd(folder, settings=()):
    """Start sshd in `folder`; `settings` are lines of its configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("host", "user"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True, timeout=20
        )
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(
            mode=0o755, exist_ok=True
        )  # where sshd gives up its rights; Debian's unit makes it
    port = free_port()
    (folder / "sshd_config").write_text(
        "\n".join(
            [
                f"Port {port}",
                "ListenAddress 127.0.0.1",
                f"HostKey {folder / 'host'}",
                f"AuthorizedKeysFile {folder / 'user.pub'}",
                f"PidFile {folder / 'pid'}",
                "StrictModes no",
                "PasswordAuthentication no",
                "KbdInteractiveAuthentication no",
                "PermitRootLogin prohibit-password",
                "UsePAM no",
                *settings,
                "",
            ]
        )
    )
    key = " ".join((folder / "host.pub").read_text().split()[:2])
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {key}\n")
    write_client_config(folder, port)
    with (folder / "sshd.log").open("wb") as log:
        process = subprocess.Popen(
            [SSHD, "-D", "-e", "-f", str(folder / "sshd_config")],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
    try:
        deadline = time.monotonic() + 10
        while not is_open(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((folder / "sshd.log").read_text())
            time.sleep(0.02)
        yield Server(folder, port, process.pid)
    finally:
        process.kill()
        process.wait()


def write_client_config(folder, port, **changes):
    """Write ssh's configuration and an `ssh` that reads it; `PATH` must start with the folder's `bin`."""
    settings = {
        "HostName": "127.0.0.1",
        "Port": port,
        "User": getuser(),
        "IdentityFile": folder / "user",
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": folder / "known_hosts",
        "GlobalKnownHostsFile": "none",
        "StrictHostKeyChecking": "yes",
        **changes,
    }
    lines = [f"  {key} {value}" for key, value in settings.items()]
    (folder / "ssh_config").write_text("\n".join(["Host *", *lines, ""]))
    # ssh looks for its configuration in the home folder of the password file, whatever HOME says.
    real = shutil.which("ssh", path="/usr/bin:/usr/local/bin:/bin")
    (folder / "bin").mkdir(exist_ok=True)
    script = folder / "bin" / "ssh"
    script.write_text(f'#!/bin/sh\nexec {real} -F {folder / "ssh_config"} "$@"\n')
    script.chmod(0o700)


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def is_open(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
