"""Text and HTML from templates beside the code."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape


def templates(beside: str) -> Environment:
    """Return the templates in the folder of a module, given its __file__. Values are escaped in those named *.html."""
    return Environment(
        loader=FileSystemLoader(Path(beside).parent),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
