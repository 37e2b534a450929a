"""Why a clip was given its label: maps in seconds and hertz, the sounds that convinced, and whether that is true."""

from earmark.explaining.door import describe, explain, explain_scored, for_report
from earmark.explaining.explanation import Explanation, Options

__all__ = ["Explanation", "Options", "describe", "explain", "explain_scored", "for_report"]
