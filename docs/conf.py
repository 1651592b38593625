"""The documentation as a site: ``python docs/build.py build/site``.

The pages are read as they are, on a code host as well as here; the navigation of the site is the tables of
``index.md``.
"""

from __future__ import annotations

import os
import re

from sphinx.application import Sphinx

from webhook_engine import __version__

project = "Webhook Engine"
release = version = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc"]
root_doc = "index"
templates_path = ["templates"]
exclude_patterns = ["templates"]

myst_heading_anchors = 4
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
maximum_signature_line_length = 100

html_theme = "furo"  # nothing of it is fetched when a page is read
html_title = f"Webhook Engine {version}"
html_copy_source = False
html_show_sphinx = False
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "versions.html",
        "sidebar/scroll-end.html",
    ]
}
html_context = {"versions": os.environ.get("DOCS_VERSIONS", version).split(), "this_version": version}


def navigation(index: str) -> dict[str, list[str]]:
    """The pages under each heading of the index, in order."""
    parts = re.split(r"^## (.+)$", index, flags=re.MULTILINE)[1:]
    return {heading: linked_pages(text) for heading, text in zip(parts[::2], parts[1::2], strict=True)}


def linked_pages(text: str) -> list[str]:
    """The pages that the rows of a table lead to."""
    return re.findall(r"^\| \[[^\]]+\]\(([\w/-]+)\.(?:md|rst)\)", text, re.MULTILINE)


def add_navigation(_app: Sphinx, page: str, source: list[str]) -> None:
    """Let Sphinx know the order of the pages, without a directive that a code host would print."""
    if page == "index":
        for heading, pages in navigation(source[0]).items():
            source[0] += toctree(pages, f":caption: {heading}\n")
    elif page == "python-api":
        source[0] += toctree(linked_pages(source[0]))
    # Files beside the documentation are no pages of it: they come with the source.
    source[0] = re.sub(r"\[([^\]]+)\]\(\.\./[\w./-]+\)", r"`\1`", source[0])


def toctree(pages: list[str], options: str = "") -> str:
    """A hidden one: the page itself lists them already."""
    return "\n```{toctree}\n:hidden:\n" + options + "\n" + "\n".join(pages) + "\n```\n"


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", add_navigation)
