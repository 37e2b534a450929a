"""The command line."""

from earmark.cli.door import build_parser, entry, main

__all__ = ["build_parser", "entry", "main"]
