"""What is to be done next, after everything that can be seen of the cluster."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from exchangerates.agenda import MAX_BACKOFF_S, REPAIRS_AT_ONCE, Agenda
from exchangerates.api import Reason
from exchangerates.objects import OWN_LABELS, ConfigMap, ExchangeRate, ObjectKey
from exchangerates.observed import Observed

KEY = ObjectKey("default", "money")
RATE = ExchangeRate(KEY, "uid-1", 1, 1, deleting=False, spec={}, status={})
MAP = ConfigMap(KEY, "uid-2", 2, "uid-1", "money", OWN_LABELS, immutable=False, data={"rate": "1"})


@dataclass
class World:
    """An agenda with a clock that is set by hand."""

    now: float = 1000.0
    agenda: Agenda = field(init=False)

    def __post_init__(self) -> None:
        self.agenda = Agenda(Observed(), lambda: self.now, lambda: None)

    def served(self, key: ObjectKey = KEY, *, meanwhile: Callable[[], Any] = bool, again_s: float | None = 0.0) -> bool:
        """Serve a key that has to be due; give whether it was to look for a newer quote."""
        assert self.agenda.schedule.pop(self.now) == key
        refresh = self.agenda.begin(key)
        meanwhile()
        self.agenda.plan(key, Reason.PUBLISHED, again_s)
        self.agenda.schedule.done(key)
        return refresh

    def idle(self) -> bool:
        """Tell whether nothing is due."""
        return self.agenda.schedule.pop(self.now) is None


@pytest.fixture
def world() -> World:
    """A world with one object that was published and wants its next quote in an hour."""
    made = World()
    made.agenda.take_exchange_rate(RATE)
    assert made.served(again_s=3600.0)
    assert made.idle()
    return made


def test_a_changed_spec_or_a_new_request_asks_for_a_newer_quote(world: World) -> None:
    """A changed label of the object does not."""
    world.agenda.take_exchange_rate(replace(RATE, resource_version=2))
    assert world.idle()
    world.agenda.take_exchange_rate(replace(RATE, resource_version=3, generation=2))
    assert world.served(again_s=3600.0)
    world.agenda.take_exchange_rate(replace(RATE, resource_version=4, generation=2, refresh_request="now"))
    assert world.served(again_s=3600.0)


def test_what_changes_while_a_pass_runs_is_served_after_it(world: World) -> None:
    """The pass that was under way must not put it off to the old refresh time."""
    world.agenda.take_exchange_rate(replace(RATE, resource_version=2, generation=2))
    changed = replace(RATE, resource_version=3, generation=3)
    assert world.served(meanwhile=lambda: world.agenda.take_exchange_rate(changed), again_s=3600.0)
    assert world.served(again_s=60.0)
    assert world.idle()
    world.now += 64.0
    assert world.served()


def test_a_repair_leaves_the_time_of_the_refresh_alone(world: World) -> None:
    """It looks for no newer quote, and the refresh comes when it was planned."""
    world.agenda.take_config_map(MAP)
    assert not world.served()
    world.now += 3599.0
    assert world.idle()
    world.now += 200.0
    assert world.served(again_s=3600.0)


def test_a_failed_refresh_is_tried_again_as_a_refresh(world: World) -> None:
    """In growing intervals, up to five minutes."""
    world.now += 4000.0
    for _ in range(12):
        assert world.served(again_s=None)
        assert world.idle()
        world.now += MAX_BACKOFF_S
    assert world.served(again_s=3600.0)


def test_a_config_map_that_somebody_keeps_changing_is_repaired_ever_later(world: World) -> None:
    """The first times at once; then nobody fights hot."""
    repaired = 0
    for version in range(2, 102):
        world.agenda.take_config_map(replace(MAP, resource_version=version))
        if world.agenda.schedule.pop(world.now):
            assert not world.agenda.begin(KEY)
            world.agenda.plan(KEY, Reason.PUBLISHED, 0.0)
            world.agenda.schedule.done(KEY)
            repaired += 1
        world.now += 0.1
    assert repaired == REPAIRS_AT_ONCE + 2  # after two seconds, and after four more


def test_a_repair_that_was_put_off_is_not_forgotten(world: World) -> None:
    """A change that comes while a pass runs, and is to wait, is looked at before the next refresh."""

    def edited(version: int) -> None:
        world.agenda.take_config_map(replace(MAP, resource_version=version))

    for version in range(2, 2 + REPAIRS_AT_ONCE):
        edited(version)
        assert not world.served()
    world.agenda.schedule.wake(KEY, world.now)
    assert not world.served(meanwhile=lambda: edited(90))
    assert world.idle()
    world.now += 3.0
    assert not world.served()


def test_the_former_owner_of_a_config_map_is_told_that_it_lost_it(world: World) -> None:
    """An owner reference that somebody took off is noticed at once."""
    world.agenda.take_config_map(MAP)
    assert not world.served()
    world.agenda.take_config_map(replace(MAP, resource_version=3, owner_uid=None, owner_name=None))
    assert not world.served()


@pytest.mark.parametrize("known", [True, False])
def test_who_waits_for_a_name_is_woken_when_it_is_free(world: World, *, known: bool) -> None:
    """Also where the holder removed the ConfigMap itself and has forgotten it already."""
    wanted = {"target": {"name": MAP.key.name}}
    waiting = replace(RATE, key=ObjectKey("default", "waiting"), uid="uid-3", spec=wanted)
    world.agenda.take_exchange_rate(waiting)
    assert world.agenda.schedule.pop(world.now) == waiting.key
    world.agenda.begin(waiting.key)
    world.agenda.plan(waiting.key, Reason.TARGET_CONFLICT, None)
    world.agenda.schedule.done(waiting.key)
    if known:
        world.agenda.observed.note_config_map(replace(MAP, owner_name="elsewhere"))
    world.agenda.lose_config_map(ObjectKey("default", "another"), MAP.uid)
    world.agenda.lose_config_map(ObjectKey("elsewhere", MAP.key.name), MAP.uid)
    assert world.agenda.schedule.pop(world.now) is None
    world.agenda.lose_config_map(KEY, MAP.uid)
    assert world.agenda.schedule.pop(world.now) == waiting.key


def test_terminating_objects_are_left_alone(world: World) -> None:
    """Neither their own change nor their ConfigMap's end wakes them."""
    world.agenda.take_config_map(MAP)
    assert not world.served()
    world.agenda.take_exchange_rate(replace(RATE, resource_version=5, generation=2, deleting=True))
    world.agenda.lose_config_map(KEY, MAP.uid)
    world.now += 1e6
    assert world.idle()


def test_an_object_of_the_same_name_begins_anew(world: World) -> None:
    """Another uid is another object, also where no event told of the end of the first."""
    world.agenda.take_exchange_rate(replace(RATE, resource_version=9, uid="uid-9"))
    assert world.served()
