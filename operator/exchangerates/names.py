"""Kubernetes' rules for names, labels and annotations, as the API server has them."""

import re
from typing import Final

_LABEL: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DNS_LABEL: Final = re.compile(_LABEL)
_SUBDOMAIN: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_KEY_NAME: Final = re.compile("[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_MAX_LABEL_CHARS: Final = 63
_MAX_SUBDOMAIN_CHARS: Final = 253

NAMESPACE: Final = "a namespace's name: lower-case letters, digits and '-', at most 63"
OBJECT_NAME: Final = "a name of lower-case letters, digits, '-' and '.', such as exchange-rate-usd"
KEY: Final = "a key of at most 63 letters, digits, '-', '_' and '.', such as team or example.com/team"
LABEL_VALUE: Final = "a text (in quotes) of at most 63 letters, digits, '-', '_' and '.', the first two at both ends"
"""What to write where one of the rules below is broken."""


def is_namespace(value: object) -> bool:
    """Tell whether a namespace, or another DNS label, may have this name."""
    return isinstance(value, str) and bool(_DNS_LABEL.fullmatch(value)) and len(value) <= _MAX_LABEL_CHARS


def is_object_name(value: object) -> bool:
    """Tell whether an ExchangeRate, a ConfigMap and most other objects may have this name."""
    return isinstance(value, str) and bool(_SUBDOMAIN.fullmatch(value)) and len(value) <= _MAX_SUBDOMAIN_CHARS


def is_label_key(value: object) -> bool:
    """Tell whether a label may have this key."""
    if not isinstance(value, str):
        return False
    domain, slash, name = value.rpartition("/")
    return _is_key_name(name) and (not slash or is_object_name(domain))


def is_annotation_key(value: object) -> bool:
    """Tell whether an annotation may have this key: as a label's, in capital letters too."""
    return isinstance(value, str) and is_label_key(value.lower())


def is_entry(field: str, key: object, value: object) -> bool:
    """Tell whether an object's `labels` or `annotations` may have this entry, by the name of the field."""
    return is_label_key(key) and is_label_value(value) if field == "labels" else is_annotation_key(key)


def is_label_value(value: object) -> bool:
    """Tell whether a label may have this value."""
    return value == "" or _is_key_name(value)


def _is_key_name(value: object) -> bool:
    return isinstance(value, str) and bool(_KEY_NAME.fullmatch(value)) and len(value) <= _MAX_LABEL_CHARS
