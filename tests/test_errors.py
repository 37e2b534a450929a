from __future__ import annotations

import pickle

import pytest

from earmark.errors import UsageError, UserError


@pytest.mark.parametrize(
    "error", [UserError("a.csv", "no rows", "Add some."), UsageError("--hop", "found 0")]
)
def test_an_error_comes_home_from_another_process(error: UserError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))
