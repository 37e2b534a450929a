"""What a person can put right: where it is, what was found against what was wanted, what to do."""

from __future__ import annotations

from pathlib import Path


class UserError(Exception):
    """A problem that the person at the keyboard can mend; shown without a traceback.

    Args:
        where: the file, line, field, option or command that the problem is in.
        problem: what was found against what was wanted, quoting the value. No full stop at its end.
        remedy: what to do about it, one or more whole sentences; empty when the problem says it all.
    """

    def __init__(self, where: str | Path, problem: str, remedy: str = "") -> None:
        self.where = str(where)
        self.problem = problem
        self.remedy = remedy
        super().__init__(
            f"{self.where}: {problem}. {remedy}".rstrip() if remedy else f"{self.where}: {problem}"
        )

    def __reduce__(self) -> tuple[type[UserError], tuple[object, ...]]:
        """Travel between processes as what it was made of."""
        return type(self), (self.where, self.problem, self.remedy)


class UsageError(UserError):
    """A command line that cannot be meant: exit code 2, as for an unknown option."""
