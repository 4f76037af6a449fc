"""Watched namespaces that may not be read, such as where the operator's Role is gone: it is told, once per cause."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from exchangerates.objects import ObjectKey

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Unreadable:
    """What the last lists were refused.

    Attributes:
        namespaces: Where, and why; None stands for all namespaces at once.
    """

    namespaces: Mapping[str | None, str] = field(default_factory=dict)

    def note(self, refused: Mapping[str | None, str]) -> None:
        """Take up where lists were refused and why, and tell what is new of it."""
        for namespace, cause in refused.items():
            if self.namespaces.get(namespace) != cause:
                logger.warning(
                    "namespace %s cannot be read, nothing new in it is served: %s; give the operator's account its "
                    "Role there again (`pulumi up`), or take the namespace out of watchNamespaces",
                    namespace,
                    cause,
                )
        for namespace in self.namespaces.keys() - refused.keys():
            logger.info("namespace %s can be read again", namespace)
        self.namespaces = refused

    def may_be_gone(self, key: ObjectKey) -> bool:
        """Tell whether an object that no list shows is gone, and not only out of sight."""
        return key.namespace not in self.namespaces
