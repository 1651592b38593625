"""Prints the lowest version of each dependency that ``pyproject.toml`` allows, as constraints for pip.

What only the tests and the documentation need is left at its newest: nobody who installs the package gets it.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"
FOR_DEVELOPMENT = {"dev", "docs", "test"}


def constraints(pyproject: str) -> list[str]:
    """One line for each dependency of the package and of its extras."""
    project = tomllib.loads(pyproject)["project"]
    extras = project.get("optional-dependencies", {})
    found = [
        *project["dependencies"],
        *(each for name in extras if name not in FOR_DEVELOPMENT for each in extras[name]),
    ]
    return sorted({_lowest(each) for each in found})


def _lowest(requirement: str) -> str:
    plain, _, marker = requirement.partition(";")
    match = re.fullmatch(r"([\w.-]+)(?:\[[\w,-]+\])?>=([\w.]+)(?:,<[\w.]+)?", plain.strip())
    if match is None:
        raise ValueError(f"{requirement}: say from which version on, as name>=1.2 or name>=1.2,<2")
    return f"{match[1]}=={match[2]}" + (f" ; {marker.strip()}" if marker else "")


if __name__ == "__main__":
    print("\n".join(constraints(PYPROJECT.read_text("utf-8"))))
