"""Every module of the package has its tests, found by its name or in the table below.

Tests follow the tree: those of ``delivery/attempt/retry.py`` are in ``tests/delivery/attempt/test_retry.py``. The store
is tested against its seam, so those of ``store/sqlite/tasks.py`` are in ``tests/store/test_tasks.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

import webhook_engine

PACKAGE = Path(webhook_engine.__file__).parent
TESTS = Path(__file__).parent

PROVED_BY: Mapping[str, str] = {
    # Commands are tried as people run them, and the daemon's as a process.
    "cli/": "cli/test_client.py",
    "cli/errors.py": "cli/test_main.py",
    "cli/demo/": "cli/test_demo.py",
    "cli/listen.py": "server/play/",
    "cli/restore.py": "test_backup.py",
    "cli/token.py": "server/test_tokens.py",
    # What joins the parts is tried with the parts in it: an engine, real time or a clock moved by hand, real sockets.
    "engine.py": "test_core.py",
    "model.py": "resources/",
    "native_threads.py": "integrations/test_flask.py",
    "shared.py": "shared/",
    "version.py": "test_packaging.py",
    "delivery/accept/": "delivery/accept/test_relay.py",
    "delivery/accept/source_relay.py": "outbox/test_sources.py",
    "delivery/http/problems.py": "delivery/http/test_response.py",
    "delivery/mail/settings.py": "delivery/mail/test_mailer.py",
    "delivery/measures.py": "server/test_metrics.py",
    "delivery/schedule/figures.py": "server/test_metrics.py",
    "delivery/notices.py": "cluster/",
    "delivery/wakeups.py": "cluster/",
    "resources/imported.py": "resources/test_imports.py",
    # Managers are tried through the engine, as programs call them.
    "resources/announce.py": "delivery/test_notifier.py",
    "delivery/attempt/transforming.py": "engine/test_transformations.py",
    "resources/message_search.py": "portal/test_find.py",
    "resources/portal_links.py": "portal/test_sessions.py",
    "resources/services.py": "resources/",
    "resources/starting.py": "test_core.py",
    # A rule that is one line is tried where it is asked.
    "rules/capabilities.py": "server/test_tokens.py",
    "rules/event_class.py": "resources/",
    "rules/problems.py": "server/api/test_checks.py",
    "rules/tasks.py": "delivery/tasks/test_runner.py",
    # Other programs' connections and databases are real ones.
    # Sources are tried with recorded answers and filled databases.
    "importing/": "importing/",
    "outbox/wakeup.py": "delivery/accept/test_relay.py",
    "integrations/": "integrations/test_starlette.py",
    "integrations/django/": "integrations/test_django.py",
    "integrations/django/admin.py": "integrations/test_django_admin.py",
    "integrations/django/engine_records.py": "integrations/test_django_admin.py",
    "integrations/django/host_engine.py": "integrations/test_django_admin.py",
    # The API is tried over HTTP: with what the contract says, with the official client, and with rubbish.
    "server/": "server/test_protocol.py",
    "server/api/": "server/test_wire_format.py",
    "server/api/attempt_stats.py": "server/api/test_insight.py",
    "server/api/endpoint_actions.py": "server/test_svix_sdk.py",
    "server/api/unavailable.py": "server/api/test_routes.py",
    "server/consumer_pages.py": "portal/test_proxy.py",
    "server/pages.py": "portal/test_proxy.py",
    "server/play/": "server/play/",
    "server/portal/": "portal/",
    # The store is tried against its seam, and SQLite besides by what can go wrong with a file.
    "store/": "store/",
    "store/rows.py": "store/",
    "store/spans.py": "store/test_delivery_lists.py",
    "store/sources/": "outbox/test_sources.py",
    "store/sqlite/": "store/sqlite/test_database.py",
    "store/sqlite/copy.py": "test_backup.py",
    "store/sqlite/enqueue.py": "outbox/test_enqueue.py",
    "sync/": "sync/test_sync_engine.py",
    "sync/managers.py": "sync/test_managers_stub.py",
    "sync/shared.py": "shared/test_workers.py",
    "testing/": "testing/test_plugin.py",
}
"""A module, or all of a folder that have no tests of their own name, and the tests that prove it."""

OF_THE_WHOLE: Sequence[str] = (
    # Folders of behaviour that many modules make together.
    "cluster/",
    "docs/",
    "examples/",
    "engine/",
    "integrations/",
    "outbox/",
    "portal/",
    "server/sdk/",
    "service/",
    "shared/",
    "simulation/",
    # One promise each, over many modules.
    "cli/test_main.py",
    "delivery/schedule/test_lane_writes.py",
    "resources/test_wrong_types.py",
    "secrets/test_signing_keys.py",
    "server/play/test_own_inbox.py",
    "server/test_metrics_collector.py",
    "server/test_never_a_500.py",
    "server/test_page_sizes.py",
    "server/test_semantics.py",
    "store/sqlite/test_crash.py",
    "store/postgresql/test_plans.py",
    "store/sqlite/test_plans.py",
    "store/test_due.py",
    "test_architecture.py",
    "test_dockerfile.py",
    "test_homes.py",
    "test_lowest.py",
    "test_packaging.py",
    "test_readme.py",
    "test_third_parties.py",
    "testing/test_time_travel.py",
)
"""Tests that have the name of no module."""

MODULES = sorted(
    each.relative_to(PACKAGE).as_posix()
    for each in PACKAGE.rglob("*.py")
    if each.name not in ("__init__.py", "__main__.py") and "migrations" not in each.parts
)


def of_its_name(module: str) -> list[str]:
    """The tests that have the name of a module."""
    folder, _, name = module.rpartition("/")
    folders = [folder, "store"] if folder in ("store/sqlite", "store/postgresql") else [folder]
    return [path for each in folders if (TESTS / (path := f"{each}/test_{name}".lstrip("/"))).exists()]


def in_the_table(module: str) -> str | None:
    """The row of the table for a module: its own, or that of its folder or of a folder above."""
    if module in PROVED_BY:
        return module
    folders = [folder for folder in PROVED_BY if folder.endswith("/") and module.startswith(folder)]
    return max(folders, key=len, default=None)


@pytest.mark.parametrize("module", MODULES)
def test_whoever_edits_a_module_knows_what_to_run(module: str) -> None:
    row = in_the_table(module)
    assert of_its_name(module) or row, f"{module} has no tests of its name, and no row in PROVED_BY"
    assert not (of_its_name(module) and row == module), f"{module} has tests of its name: take its row away"


def test_the_table_names_what_there_is() -> None:
    for module, tests in PROVED_BY.items():
        assert (PACKAGE / module).exists(), module
        assert (TESTS / tests).exists(), tests
    used = {in_the_table(module) for module in MODULES if not of_its_name(module)}
    assert used == set(PROVED_BY), set(PROVED_BY) - used


def test_every_test_has_the_name_of_a_module_or_is_one_of_the_whole() -> None:
    named = {tests for module in MODULES for tests in of_its_name(module)} | set(PROVED_BY.values())
    for each in sorted(TESTS.rglob("test_*.py")):
        tests = each.relative_to(TESTS).as_posix()
        if "fixtures" not in each.parts and not tests.startswith(tuple(OF_THE_WHOLE)):
            assert tests in named, f"tests/{tests}: name it as the module that it is about, or add it to OF_THE_WHOLE"
    for tests in OF_THE_WHOLE:
        assert (TESTS / tests).exists(), tests
