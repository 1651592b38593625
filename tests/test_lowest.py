"""The constraints with which continuous integration tries the lowest versions."""

from __future__ import annotations

import re
import tomllib

import lowest
import pytest

PYPROJECT = lowest.PYPROJECT.read_text("utf-8")


def test_every_dependency_of_the_package_and_of_its_extras_is_at_its_lowest() -> None:
    project = tomllib.loads(PYPROJECT)["project"]
    found = lowest.constraints(PYPROJECT)
    extras = [
        each
        for name, those in project["optional-dependencies"].items()
        if name not in lowest.FOR_DEVELOPMENT
        for each in those
    ]
    assert len(found) == len(set(project["dependencies"]) | set(extras))
    bounds = [each.split("==")[1].split(" ")[0] for each in found]
    assert all(f">={bound}" in PYPROJECT for bound in bounds)


@pytest.mark.parametrize(
    ("requirement", "constraint"),
    [
        ("a>=1.2", "a==1.2"),
        ("a>=1.2,<2", "a==1.2"),
        ("a[b,c]>=1.2.3", "a==1.2.3"),
        ("a>=1; sys_platform != 'win32'", "a==1 ; sys_platform != 'win32'"),
    ],
)
def test_what_becomes_of_a_requirement(requirement: str, constraint: str) -> None:
    assert lowest.constraints(f'[project]\ndependencies = ["{requirement}"]') == [constraint]


@pytest.mark.parametrize("requirement", ["a", "a<2", "a==1", "a!=1,>=2"])
def test_a_dependency_without_a_lowest_version_is_refused(requirement: str) -> None:
    with pytest.raises(ValueError, match="from which version on"):
        lowest.constraints(f'[project]\ndependencies = ["{requirement}"]')


def test_the_tests_that_continuous_integration_names_exist() -> None:
    root = lowest.PYPROJECT.parent
    named = re.findall(r"\btests/[\w/.]+", (root / ".ci" / "run").read_text("utf-8"))
    assert "tests/lowest.py" in named
    assert [path for path in named if not (root / path).exists()] == []
