"""The operator's rights, as the program gives them: what it needs, where it needs it, and no more."""

from tests.infra.conftest import Program, environment, of_kind

from exchangerates.settings import Settings
from exchangerates_infra.recorder import Recording


def test_watched_namespaces_get_roles_and_the_cluster_gets_none(program: Program) -> None:
    """An operator for some namespaces has no rights elsewhere, but for what it tells of itself in its own."""
    recording = program(watchNamespaces='["shop", "default"]')
    own = "exchange-rate-operator"
    assert {role.inputs["metadata"]["namespace"] for role in of_kind(recording, "Role")} == {"shop", "default", own}
    assert len(of_kind(recording, "RoleBinding")) == 3
    assert of_kind(recording, "ClusterRoleBinding") == []
    assert environment(recording)["EXCHANGERATES_WATCH_NAMESPACES"] == "shop,default"


def test_rights_name_what_they_grant(recording: Recording) -> None:
    """No wildcard, and no verb on a kind that the operator has no business with."""
    for role in of_kind(recording, "ClusterRole"):
        for rule in role.inputs["rules"]:
            assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
    rights = {
        (resource, verb)
        for role in of_kind(recording, "ClusterRole")
        if role.name.endswith("-rights")
        for rule in role.inputs["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert {resource for resource, _ in rights} == {"exchangerates", "exchangerates/status", "configmaps", "events"}
    assert ("exchangerates", "update") not in rights


def test_the_operators_own_namespace_may_be_watched_too(program: Program) -> None:
    """Its rights there for ExchangeRates and those for itself are two roles, and the account has both."""
    recording = program(watchNamespaces='["exchange-rate-operator", "own"]', rates="[]")
    roles = [
        (role.inputs["metadata"]["namespace"], role.inputs["metadata"]["name"]) for role in of_kind(recording, "Role")
    ]
    assert len(set(roles)) == len(roles) == 3
    bound = [
        (found.inputs["metadata"]["namespace"], found.inputs["roleRef"]["name"])
        for found in of_kind(recording, "RoleBinding")
    ]
    assert sorted(bound) == sorted(roles)


def test_the_operator_sees_no_deployment_but_its_own(recording: Recording) -> None:
    """It is told which one it is, and may read just that one."""
    (own,) = of_kind(recording, "Role")
    (deployment,) = of_kind(recording, "Deployment")
    metadata = deployment.inputs["metadata"]
    (rule,) = [rule for rule in own.inputs["rules"] if rule["resources"] == ["deployments"]]
    assert (rule["resourceNames"], rule["verbs"], rule["apiGroups"]) == ([metadata["name"]], ["get"], ["apps"])
    assert own.inputs["metadata"]["namespace"] == metadata["namespace"]
    assert Settings.from_environment(environment(recording)).deployment == (metadata["namespace"], metadata["name"])


def test_the_clusters_roles_take_up_the_roles_for_people(recording: Recording) -> None:
    """Who views may read, who edits or administers a namespace may write; neither touches a status."""
    prefix = "rbac.authorization.k8s.io/aggregate-to-"
    found = {
        tuple(label.removeprefix(prefix) for label in sorted(role.inputs["metadata"]["labels"])): role.inputs["rules"]
        for role in of_kind(recording, "ClusterRole")
        if "-people-" in role.name
    }
    assert found.keys() == {("view",), ("admin", "edit")}
    read, write = {"get", "list", "watch"}, {"create", "delete", "deletecollection", "patch", "update"}
    for targets, verbs in ((("view",), read), (("admin", "edit"), read | write)):
        (rule,) = found[targets]
        assert (rule["apiGroups"], rule["resources"]) == (["operators.brennerm.github.io"], ["exchangerates"])
        assert set(rule["verbs"]) == verbs
