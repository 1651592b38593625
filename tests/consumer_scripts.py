"""A script of a consumer, and what running one needs."""

from __future__ import annotations

import importlib.util

import pytest

__all__ = ["SCRIPT", "needs_scripts"]

needs_scripts = pytest.mark.skipif(importlib.util.find_spec("quickjs") is None, reason="the extra is not installed")

SCRIPT = """
function handler(webhook) {
  webhook.payload = {said: webhook.eventType, n: webhook.payload.n, by: webhook.variables.who};
  webhook.headers = {"X-Said": "1"};
  return webhook;
}
"""
