"""Entries of a stack's `rates` that a cluster refuses: what a preview says of each, and a real API server too."""

from typing import Any, Final, NamedTuple


class Refused(NamedTuple):
    """One wrong entry.

    Attributes:
        entry: As it stands in the stack file.
        path: The key that the mistake is told of, below the entry's.
        told: A part of what is told.
        config_map: Whether only its ConfigMap is refused, and not the object.
    """

    entry: dict[str, Any]
    path: str
    told: str
    config_map: bool = False


def _usd(**fields: object) -> dict[str, Any]:
    return {"currency": "USD", **fields}


def _target(**fields: object) -> dict[str, Any]:
    return _usd(target=fields)


DATE: Final = "2024-06-28"
REFUSED: Final = {
    "no currency": Refused({"name": "x"}, "currency", "is missing"),
    "a currency in lower case": Refused({"name": "x", "currency": "usd"}, "currency", "three capital letters"),
    "a number as the currency": Refused({"name": "x", "currency": 840}, "currency", "three capital letters"),
    "one and several": Refused({"name": "x", "currency": "USD", "currencies": ["GBP"]}, "currencies", "either"),
    "none of several": Refused({"name": "x", "currencies": []}, "currencies", "1 to 64"),
    "more than 64": Refused(
        {"name": "x", "currencies": [f"A{chr(65 + n // 26)}{chr(65 + n % 26)}" for n in range(65)]},
        *("currencies", "1 to 64"),
    ),
    "one of several twice": Refused({"name": "x", "currencies": ["USD", "USD"]}, "currencies", "twice"),
    "a text as several": Refused({"name": "x", "currencies": "USD"}, "currencies", "1 to 64"),
    "a key for several": Refused({"name": "x", "currencies": ["USD"], "target": {"key": "x"}}, "target.key", "no targ"),
    "a base in lower case": Refused(_usd(base="eur"), "base", "three capital letters"),
    "a provider that nobody knows": Refused(_usd(provider="fixer"), "provider", "one of frankfurter, ecb"),
    "an interval in days": Refused(_usd(refreshInterval="7d"), "refreshInterval", "such as 90s"),
    "an interval of a second": Refused(_usd(refreshInterval="1s"), "refreshInterval", "from 1m to 720h"),
    "an interval of many units": Refused(_usd(refreshInterval="1h" * 10), "refreshInterval", "such as 90s"),
    "an age that is too short": Refused(_usd(maxAge="1m"), "maxAge", "from 1h"),
    "an age as a number": Refused(_usd(maxAge=5), "maxAge", "such as 90s"),
    "a day that is none": Refused(_usd(date="28.6.2024"), "date", "day of the calendar"),
    "a day before all others": Refused(_usd(date="1998-12-31"), "date", "or later"),
    "a day with an interval": Refused(_usd(date=DATE, refreshInterval="1h"), "refreshInterval", "either this field or"),
    "a day with an age": Refused(_usd(date=DATE, maxAge="24h"), "maxAge", "either this field or date"),
    "a day that gets stale": Refused(_usd(date=DATE, onStale="Keep"), "onStale", "either this field or date"),
    "a day with a least move": Refused(_usd(date=DATE, minChangePercent="1"), "minChangePercent", "either this fie"),
    "a day with a largest move": Refused(_usd(date=DATE, maxChangePercent="1"), "maxChangePercent", "either this fie"),
    "no move": Refused(_usd(minChangePercent="0"), "minChangePercent", "decimal number in quotes"),
    "a move as a number": Refused(_usd(maxChangePercent=5), "maxChangePercent", "decimal number in quotes"),
    "a move beyond all": Refused(_usd(maxChangePercent="1001"), "maxChangePercent", "at most 1000"),
    "a least move that is the largest": Refused(
        _usd(minChangePercent="5", maxChangePercent="5"), "minChangePercent", "must be less than"
    ),
    "a fate that nobody knows": Refused(_usd(onStale="Drop"), "onStale", "Keep, Withdraw"),
    "a text as a truth value": Refused(_usd(suspend="true"), "suspend", "write true or false"),
    "a text as the target": Refused(_usd(target="dollar"), "target", "is not an object"),
    "an empty text as the target": Refused(_usd(target=""), "target", "is not an object"),
    "a list as the labels": Refused(_target(labels=[]), "target.labels", "map of strings"),
    "a ConfigMap's name in capitals": Refused(_target(name="A B"), "target.name", "is not a ConfigMap name"),
    "a ConfigMap's name that is too long": Refused(_target(name="a" * 254), "target.name", "is not a ConfigMap name"),
    "a key with a space": Refused(_target(key="a b"), "target.key", "is not a ConfigMap key"),
    "a key that is taken": Refused(_target(key="date"), "target.key", "is taken"),
    "a key that is too long": Refused(_target(key="a" * 254), "target.key", "is not a ConfigMap key"),
    "immutable without a day": Refused(_target(immutable=True), "target.immutable", "write date too"),
    "a text as immutable": Refused(_usd(date=DATE, target={"immutable": "yes"}), "target.immutable", "true or false"),
    "a number as a label": Refused(_target(labels={"team": 1}), "target.labels", "numbers in quotes"),
    "a label that is too long": Refused(_target(labels={"team": "a" * 64}), "target.labels.team", "at most 63"),
    "more than 32 labels": Refused(_target(labels={f"l{n}": "x" for n in range(33)}), "target.labels", "at most 32"),
    "the operator's label": Refused(
        _target(labels={"app.kubernetes.io/managed-by": "me"}), "target.labels", "the operator's own"
    ),
    "the operator's annotation": Refused(
        _target(annotations={"app.kubernetes.io/managed-by": "me"}), "target.annotations", "the operator's own"
    ),
    "an annotation that is too long": Refused(
        _target(annotations={"note": "a" * 4097}), "target.annotations.note", "at most 4096"
    ),
    "a key that nobody knows": Refused({"name": "x", "curency": "USD"}, "curency", "did you mean currency?"),
    "a target's key that nobody knows": Refused(_target(lables={"a": "b"}), "target.lables", "did you mean labels?"),
    "a name in capitals": Refused({"name": "Dollar", "currency": "USD"}, "name", "lower-case letters"),
    "a name with two dots": Refused({"name": "a..b", "currency": "USD"}, "name", "lower-case letters"),
    "a ConfigMap's name with two dots": Refused(
        _target(name="a..b"), "target.name", "lower-case letters", config_map=True
    ),
    "a dot as the key": Refused(_target(key="."), "target.key", "a key that is not '.'", config_map=True),
    "a key that begins with two dots": Refused(
        _target(key="..a"), "target.key", "not begin with '..'", config_map=True
    ),
    "a label with a space": Refused(
        _target(labels={"team": "a b"}), "target.labels.team", "at most 63", config_map=True
    ),
    "a label's key with a space": Refused(_target(labels={"a b": "x"}), "target.labels", "'a b'", config_map=True),
    "a label's key of two slashes": Refused(
        _target(labels={"a/b/c": "x"}), "target.labels", "'a/b/c'", config_map=True
    ),
    "a label's key without a name": Refused(
        _target(labels={"a.com/": "x"}), "target.labels", "'a.com/'", config_map=True
    ),
    "a label's domain in capitals": Refused(
        _target(labels={"A.com/b": "x"}), "target.labels", "'A.com/b'", config_map=True
    ),
    "an annotation's key with a space": Refused(
        _target(annotations={"a b": "x"}), "target.annotations", "'a b'", config_map=True
    ),
}
"""By what is wrong with them."""
