"""The file system of a database, and whether SQLite works reliably on it. Pure: the caller reads the list of mounts."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

__all__ = ["kind_of", "trouble_with"]

NETWORK = {
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "davfs",
    "glusterfs",
    "gpfs",
    "lustre",
    "ncpfs",
    "nfs",
    "nfs4",
    "orangefs",
    "pvfs2",
    "smb2",
    "smb3",
    "smbfs",
}
"""File systems on which the locks and shared memory of SQLite's write-ahead log do not work between machines."""
SHARED_WITH_A_HOST = {"9p", "drvfs", "fakeowner", "grpcfuse", "osxfs", "prl_fs", "vboxsf", "virtiofs", "vmhgfs"}
LAYERED = {"aufs", "overlay"}
IN_MEMORY = {"devtmpfs", "ramfs", "rootfs", "tmpfs"}


def kind_of(path: str, mounts: str) -> str | None:
    """The type of the file system with the absolute ``path``, from a text like ``/proc/self/mountinfo``.

    ``None`` if no line matches.
    """
    found: tuple[int, str] | None = None
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(" "), after.split(" ")[0]
        if len(fields) < 5 or not kind:
            continue
        mounted_at = PurePosixPath(_plain(fields[4]))
        # A later mount at the same place hides the earlier one.
        if PurePosixPath(path).is_relative_to(mounted_at) and (found is None or len(mounted_at.parts) >= found[0]):
            found = len(mounted_at.parts), kind
    return found[1] if found else None


def trouble_with(kind: str) -> tuple[str, str] | None:
    """What is wrong with a database on such a file system, and how to fix it; ``None`` if nothing is known."""
    plain = kind.removeprefix("fuse.")
    local = "Put the database on a local disk (store.url)."
    if plain in NETWORK:
        return (
            "it is a network file system: its locks do not keep two engines apart, and it may lose commits",
            f"{local} Have backups, and not the database, on the network.",
        )
    if plain in SHARED_WITH_A_HOST:
        return (
            "it is shared with the host of a virtual machine, and loses locks or the order of writes",
            f"{local} In a virtual machine that is its own disk; in Docker, a named volume.",
        )
    if plain in LAYERED:
        return (
            "it belongs to a container, and is deleted with it, with all that was accepted",
            "Mount a volume, and put the database there (store.url).",
        )
    if plain in IN_MEMORY:
        return (
            "it is in memory: a restart of the machine loses all that was accepted",
            f"{local} What is in memory suits tests alone.",
        )
    if plain != kind or kind == "fuse":
        return (
            "it is served by a program (FUSE), and few of those keep locks and commits as SQLite needs them",
            local,
        )
    return None


def _plain(escaped: str) -> str:
    r"""An unescaped path: the kernel writes spaces and the like as ``\040``."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), escaped)
