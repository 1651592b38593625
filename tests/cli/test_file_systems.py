"""Which file system holds a path, and what is known against it."""

from __future__ import annotations

import pytest

from webhook_engine.cli.file_systems import kind_of, trouble_with

MOUNTS = r"""
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
30 27 0:30 / /srv rw,relatime shared:1 master:2 - nfs4 server:/srv rw,vers=4.2
31 30 0:31 / /srv/fast rw - xfs /dev/vdb rw
32 27 0:32 / /with\040space rw - cifs //server/share rw
33 27 0:33 / /covered rw - ext4 /dev/vdc rw
34 33 0:34 / /covered rw - tmpfs tmpfs rw
no mount at all
35 27 0:35 / /odd rw -
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/var/lib/webhook-engine", "ext4"),
        ("/srv", "nfs4"),
        ("/srv/slow/a", "nfs4"),
        ("/srvice", "ext4"),
        ("/srv/fast/a", "xfs"),
        ("/with space/a", "cifs"),
        ("/covered/a", "tmpfs"),
        ("/odd/a", "ext4"),
    ],
)
def test_the_file_system_that_holds_a_path(path: str, kind: str) -> None:
    assert kind_of(path, MOUNTS) == kind


def test_nothing_holds_it() -> None:
    assert kind_of("/a", "") is None


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "zfs", "apfs", "f2fs", "fuseblk"])
def test_local_disks_are_well(kind: str) -> None:
    assert trouble_with(kind) is None


@pytest.mark.parametrize(
    ("kind", "word", "advice"),
    [
        ("nfs", "network", "local disk"),
        ("nfs4", "network", "local disk"),
        ("cifs", "network", "local disk"),
        ("smb3", "network", "local disk"),
        ("fuse.glusterfs", "network", "local disk"),
        ("9p", "host of a virtual machine", "named volume"),
        ("virtiofs", "host of a virtual machine", "named volume"),
        ("fuse.grpcfuse", "host of a virtual machine", "named volume"),
        ("overlay", "container", "volume"),
        ("tmpfs", "in memory", "tests"),
        ("fuse.sshfs", "FUSE", "local disk"),
        ("fuse", "FUSE", "local disk"),
    ],
)
def test_what_is_known_against_one(kind: str, word: str, advice: str) -> None:
    trouble = trouble_with(kind)
    assert trouble is not None
    assert word in trouble[0]
    assert advice in trouble[1]
