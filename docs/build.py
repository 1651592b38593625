"""Builds the site of the documentation: this tree, and with ``--releases`` every tagged version beside it.

    python docs/build.py build/site
    python docs/build.py --releases build/site

Each version is in a directory of its own and links to the others; ``index.html`` leads to the newest release, or to
this tree where there is none. A warning is an error. The result is plain files: it needs no server, fetches nothing.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent


def build(tree: Path, out: Path, versions: list[str]) -> None:
    """Build the documentation of one tree."""
    # The package of that tree is the one that is described, whatever is installed.
    environment = {**os.environ, "PYTHONPATH": str(tree), "DOCS_VERSIONS": " ".join(versions)}
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-d", str(out.parent / f".{out.name}-read")]
    subprocess.run([*command, str(tree / "docs"), str(out)], env=environment, cwd=tree, check=True)


def version_of(tree: Path) -> str:
    """As the package of the tree says."""
    (found,) = re.findall(r'^__version__ = "(.+)"$', (tree / "webhook_engine" / "version.py").read_text(), re.MULTILINE)
    return str(found)


def releases() -> dict[str, str]:
    """The tag of each released version that has a site, newest first."""
    tags = _git("tag", "--list", "v*", "--sort=-version:refname").split()
    return {tag.removeprefix("v"): tag for tag in tags if _git("ls-tree", "--name-only", tag, "docs/conf.py")}


def _git(*command: str) -> str:
    return subprocess.run(["git", *command], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--releases", action="store_true", help="also every version that has a tag, v1.2.3")
    given = parser.parse_args()
    out: Path = given.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    here = version_of(ROOT)
    tagged = releases() if given.releases else {}
    versions = [here, *(version for version in tagged if version != here)]
    for version, tag in tagged.items():
        if version != here:
            with tempfile.TemporaryDirectory() as folder:
                tree = Path(folder) / "tree"
                _git("worktree", "add", "--detach", str(tree), tag)
                try:
                    build(tree, out / version, versions)
                finally:
                    _git("worktree", "remove", "--force", str(tree))
    build(ROOT, out / here, versions)
    newest = next(iter(tagged), here)
    (out / "index.html").write_text(
        f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url={newest}/index.html">'
        f'<title>Webhook Engine</title><a href="{newest}/index.html">Webhook Engine {newest}</a>\n'
    )


if __name__ == "__main__":
    main()
