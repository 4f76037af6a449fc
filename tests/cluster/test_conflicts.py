"""Two that want one name: one has it, the other says so and waits, and what is a stranger's is never touched."""

from tests.cluster.operator_process import Operator
from tests.cluster.user import Namespace
from tests.cluster.waiting import eventually

from localcluster.client import Client, Reference

SHARED = {"name": "shared"}


def ready_message(namespace: Namespace, name: str) -> str:
    """Give the message of an object's Ready condition."""
    conditions = namespace.get(name)["status"]["conditions"]
    return next(str(condition["message"]) for condition in conditions if condition["type"] == "Ready")


def owner_of(namespace: Namespace) -> str:
    """Name the owner of the shared ConfigMap."""
    (reference,) = (namespace.config_map("shared") or {})["metadata"]["ownerReferences"]
    return str(reference["name"])


def contend(namespace: Namespace) -> None:
    """Have `first` hold the shared name and `second` wait for it."""
    namespace.rate("first", target=SHARED)
    namespace.wait("first")
    namespace.rate("second", currency="GBP", target=SHARED)
    namespace.wait("second", reason="TargetConflict")


def test_the_second_says_who_has_the_name(operator: Operator, namespace: Namespace) -> None:
    """The first one keeps it, and its ConfigMap is not written for the second."""
    assert operator.process.pid
    contend(namespace)
    assert "ConfigMap shared exists and belongs to ExchangeRate first" in ready_message(namespace, "second")
    assert namespace.ready("first") == ("True", "Published")
    assert namespace.data("shared")["currency"] == "USD"


def test_the_second_takes_over_when_the_first_moves_away(operator: Operator, namespace: Namespace) -> None:
    """The first one's new ConfigMap is made, its old one removed, and the name is taken at once."""
    assert operator.process.pid
    contend(namespace)
    namespace.change("first", target={"name": "elsewhere"})
    namespace.wait("first")
    namespace.wait("second")
    assert owner_of(namespace) == "second"
    assert namespace.data("shared")["currency"] == "GBP"
    assert namespace.data("elsewhere")["currency"] == "USD"


def test_the_second_takes_over_when_the_first_is_deleted(
    operator: Operator, namespace: Namespace, client: Client
) -> None:
    """As soon as garbage collection has removed the ConfigMap."""
    assert operator.process.pid
    contend(namespace)
    client.delete(Reference("operators.brennerm.github.io/v1", "ExchangeRate", namespace.name, "first"))
    namespace.wait("second", within_s=90.0)
    assert owner_of(namespace) == "second"


def test_a_target_that_became_a_strangers_is_not_removed_on_a_rename(
    operator: Operator, namespace: Namespace, client: Client
) -> None:
    """Only what the object still owns goes when it moves away."""
    assert operator.process.pid
    namespace.rate("money")
    namespace.wait("money")
    old = Reference("v1", "ConfigMap", namespace.name, "money")
    client.patch(old, {"metadata": {"ownerReferences": None}})
    namespace.wait("money", reason="TargetConflict")
    before = client.get(old)
    namespace.change("money", target={"name": "renamed"})
    namespace.wait("money")
    assert namespace.data("renamed")["rate"] == "1.1172"
    assert client.get(old) == before


def test_a_renamed_target_leaves_nothing_behind(operator: Operator, namespace: Namespace) -> None:
    """Also twice in a row, also back to the first name."""
    assert operator.process.pid
    namespace.rate("money")
    namespace.wait("money")
    for name in ("second", "third", "money"):
        namespace.change("money", target={"name": name})
        namespace.wait("money")
    assert namespace.data("money")
    eventually(lambda: not namespace.config_map("second") and not namespace.config_map("third"), "former ones are gone")
