"""earmark turns a folder of sound into a classifier that can be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from earmark.errors import UserError

if TYPE_CHECKING:
    from earmark.prediction import load as load

__version__ = "0.1.0"
__all__ = ["UserError", "__version__", "load"]


def __getattr__(name: str) -> object:
    """Names that need heavy packages, imported when they are first asked for."""
    if name == "load":
        from earmark.prediction import load

        return load
    raise AttributeError(f"module 'earmark' has no attribute {name!r}")
