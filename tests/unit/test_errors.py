"""What the API server, or who answers in its place, says of an error."""

from typing import Any

import pytest

from exchangerates.errors import ApiError


@pytest.mark.parametrize(
    "details",
    [None, "text", {"causes": "text"}, {"causes": ["text", {"reason": "Taken", "field": "metadata.uid"}]}, ["causes"]],
)
def test_details_of_any_shape_are_read_as_far_as_they_go(details: Any) -> None:  # noqa: ANN401 - JSON
    """Gateways have their own."""
    error = ApiError(502, {"message": "refused", "details": details})
    assert str(error) == "HTTP 502: refused"
    told = isinstance(details, dict) and isinstance(details["causes"], list)
    assert error.causes == frozenset({"Taken"} if told else ())
    assert error.fields == frozenset({"metadata.uid"} if told else ())
