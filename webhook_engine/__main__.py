"""``python -m webhook_engine``: the command line, for when the program ``webhook-engine`` is not on the PATH."""

from __future__ import annotations

from webhook_engine.cli import main

if __name__ == "__main__":
    main()
