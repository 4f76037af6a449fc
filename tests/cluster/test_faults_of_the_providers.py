"""Every way in which a rate provider can fail, three at a time: nothing wrong is published, and nothing forgotten."""

from collections.abc import Iterator, Mapping
from itertools import zip_longest

import pytest
from tests.cluster.waiting import eventually
from tests.faults.scene import PROVIDERS, Scene, settled_scene

from exchangerates_infra.recorder import Recording
from localcluster.control_plane import ControlPlane
from localcluster.rateserver import Fault
from localcluster.stack import AppliedStack

OWN = {"ecb": [Fault.ENTITIES], "exchangeratesapi": [Fault.QUOTA, Fault.ACCESS_REFUSED]}
"""What is a failure of one provider's format only."""


def rounds() -> list[Mapping[str, Fault]]:
    """Deal the faults to the providers, so that each is met, and all providers fail at once."""
    dealt = {provider: list(OWN.get(provider, [])) for provider in PROVIDERS}
    for fault in Fault:
        if not any(fault in own for own in OWN.values()):
            min(dealt.values(), key=len).append(fault)
    return [dict(zip(PROVIDERS, row, strict=True)) for row in zip_longest(*dealt.values(), fillvalue=Fault.HTTP_500)]


@pytest.fixture(scope="module")
def fed(
    stack: AppliedStack, control_plane: ControlPlane, recording: Recording, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    """An operator whose providers are going to fail."""
    assert stack.references()
    with settled_scene(control_plane, recording, tmp_path_factory.mktemp("fed", numbered=False)) as made:
        yield made


@pytest.mark.parametrize("faults", rounds(), ids=lambda faults: " ".join(faults.values()))
def test_no_failure_of_the_providers_makes_a_wrong_rate(
    fed: Scene, faults: Mapping[str, Fault], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old objects keep what they have, new ones wait; all are Ready soon after."""
    monkeypatch.setattr("localcluster.rateserver.server.RETRY_DATE_S", 2)  # a minute is long for a test
    rates = fed.market.rates
    calls = dict(rates.calls)
    fed.market.move()
    for provider, fault in faults.items():
        fed.market.distort(fault, provider)
    fed.one_of_each("fed", "-".join(faults.values()))

    def all_asked() -> bool:
        fed.wish("fed", *(f"rate-{number}" for number in range(len(PROVIDERS) + 2)))
        return all(rates.calls[provider] > calls[provider] for provider in PROVIDERS)

    eventually(all_asked, f"all are asked: {rates.calls} after {calls}", 60.0)
    rates.heal()
    # What no answer quotes is not looked for again before the refresh interval has passed, unless somebody wishes it.
    fed.settle("fed", wishing=Fault.DROPPED in faults.values())
