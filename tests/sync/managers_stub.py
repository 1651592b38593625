"""Writes ``webhook_engine/sync/managers.pyi``, the types of the managers without ``await``, from the asynchronous ones.

    python tests/sync/managers_stub.py

A test compares the file with what this makes of the present managers.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

from webhook_engine import Engine
from webhook_engine.sync import managers

STUB = Path(managers.__file__).with_suffix(".pyi")

HEAD = '''"""The types of the managers without ``await``. Made by tests/sync/managers_stub.py; do not edit."""
'''

TAIL = """
class SyncManagers:
    id: str
{attributes}
    def __init__(self, organization: Organization, background: BackgroundLoop) -> None: ...

def managers_of(organization: Organization) -> dict[str, object]: ...
def public_methods(kind: type[object]) -> dict[str, Callable[..., Any]]: ...
"""


@cache
def imports_of(module: ModuleType) -> Mapping[str, str]:
    """The import statement for each name that a module imports or defines."""
    found: dict[str, str] = {}
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.ImportFrom):
            found |= {alias.name: f"from {node.module} import {alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name: f"import {alias.name}" for alias in node.names}
    own = [name for name in vars(module) if name not in found]
    return {**{name: f"from {module.__name__} import {name}" for name in own}, **found}


def stub() -> str:
    """The text of the stub."""
    imports = {
        "from collections.abc import Callable",
        "from typing import Any",
        "from webhook_engine.resources.organization import Organization",
        "from webhook_engine.sync.background import BackgroundLoop",
    }
    classes, attributes = [], []
    with tempfile.TemporaryDirectory() as directory:
        engine = Engine.open(Path(directory) / "stub.db")
    for name, manager in managers.managers_of(engine).items():
        kind = type(manager)
        methods = []
        for method_name, method in managers.public_methods(kind).items():
            signature, used = waiting(method)
            methods.append(f"    def {method_name}{signature}: ...")
            imports |= used
        classes.append(f"class {kind.__name__}:\n" + "\n".join(methods))
        attributes.append(f"    {name}: {kind.__name__}")
    body = "\n\n".join([*classes, TAIL.strip().format(attributes="\n".join(attributes))])
    lines = "\n".join(sorted(imports))
    return formatted(f'{HEAD}\n{lines}\n\n__all__ = ["SyncManagers"]\n\n{body}\n')


def waiting(method: Callable[..., object]) -> tuple[str, set[str]]:
    """The signature of a method that waits, and the imports that it needs."""
    signature = inspect.signature(method)
    parameters = [
        each.replace(default=each.default if each.default is each.empty else ...)
        for each in signature.parameters.values()
    ]
    # A string, so that `Signature` does not quote it.
    text = re.sub(r"'([^']*)'", r"\1", str(signature.replace(parameters=parameters)).replace("Ellipsis", "..."))
    text = text.replace("AsyncIterator[", "Iterator[")
    module = import_module(method.__module__)
    return text, set(imports_for(text, imports_of(module)))


def imports_for(text: str, known: Mapping[str, str]) -> Iterator[str]:
    """The imports that the names in a signature may need; what is not needed goes with the formatting."""
    yield "from collections.abc import Iterator"
    for name in set(re.findall(r"[A-Za-z_]\w*", text)):
        if name in known and not hasattr(builtins, name):
            yield known[name]


def formatted(text: str) -> str:
    """With imports sorted, unused ones removed, and lines broken as everywhere in this project."""
    for command in (["check", "--fix-only", "--quiet", "--select", "I,F401"], ["format", "--quiet"]):
        text = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(STUB), "-"],
            input=text,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    return text


if __name__ == "__main__":
    STUB.write_text(stub(), encoding="utf-8")
