"""What is due when."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchangerates.schedule import DUE_AT_ONCE, MOST_VOID, WOKEN_IN_A_ROW, Schedule


def one_group(key: str) -> str:
    """Have no turns to take."""
    del key
    return ""


def test_the_woken_go_before_the_due() -> None:
    """New objects do not queue behind refreshes."""
    schedule = Schedule[str](one_group)
    for key in ("a", "b"):
        schedule.at(key, 1.0)
    schedule.wake("new", 0.0)
    assert [schedule.pop(2.0) for _ in range(4)] == ["new", "a", "b", None]


def test_nothing_is_due_before_its_time() -> None:
    """And the next time is told."""
    schedule = Schedule[str](one_group)
    schedule.at("a", 5.0)
    assert schedule.pop(4.9) is None
    assert schedule.next_due() == 5.0
    assert schedule.pop(5.0) == "a"
    assert schedule.next_due() is None


def test_a_later_word_replaces_an_earlier_one() -> None:
    """Both ways: sooner and later."""
    schedule = Schedule[str](one_group)
    schedule.at("a", 5.0)
    schedule.at("a", 9.0)
    assert schedule.next_due() == 9.0
    schedule.at("a", 1.0)
    assert schedule.pop(1.0) == "a"
    assert schedule.pop(100.0) is None


def test_a_key_is_never_out_twice_and_no_wake_is_lost() -> None:
    """What wakes a key while it is out makes it due again when it comes back."""
    schedule = Schedule[str](one_group)
    schedule.wake("a", 0.0)
    assert schedule.pop(0.0) == "a"
    schedule.wake("a", 0.0)
    schedule.wake("a", 0.0)
    assert schedule.pop(0.0) is None
    schedule.done("a")
    assert schedule.pop(0.0) == "a"
    schedule.done("a")
    assert schedule.pop(0.0) is None


def test_a_key_that_falls_due_while_it_is_out_comes_again() -> None:
    """Its due time is not lost either."""
    schedule = Schedule[str](one_group)
    schedule.wake("a", 0.0)
    schedule.pop(0.0)
    schedule.at("a", 1.0)
    assert schedule.pop(2.0) is None
    schedule.done("a")
    assert schedule.pop(2.0) == "a"


def test_a_forgotten_key_does_not_come() -> None:
    """From neither lane."""
    schedule = Schedule[str](one_group)
    schedule.wake("a", 0.0)
    schedule.at("a", 1.0)
    schedule.forget("a")
    assert schedule.pop(2.0) is None
    assert schedule.backlog(0.0) == 0


@given(
    st.lists(st.tuples(st.sampled_from(["wake", "at", "pop", "done", "forget"]), st.integers(0, 3), st.integers(0, 9)))
)
def test_any_sequence_serves_what_was_asked_and_nothing_twice_at_once(calls: list[tuple[str, int, int]]) -> None:
    """Everything that is wanted comes out in the end, nothing more often than it was asked for.

    A key that is woken and due may come twice: waking leaves its due time as it is.
    """
    schedule, wanted, out, asked = Schedule[int](lambda key: key % 2), set[int](), set[int](), Counter[int]()
    for call, key, due in calls:
        if call == "wake":
            schedule.wake(key, 0.0)
        elif call == "at":
            schedule.at(key, float(due))
        if call in {"wake", "at"}:
            wanted.add(key)
            asked[key] += 1
        elif call == "forget":
            schedule.forget(key)
            wanted.discard(key)
            asked[key] = 0
        elif call == "done" and key in out:
            schedule.done(key)
            out.discard(key)
        elif call == "pop" and (popped := schedule.pop(100.0)) is not None:
            assert asked[popped] > 0
            assert popped not in out
            asked[popped] -= 1
            out.add(popped)
            wanted.discard(popped)
    for key in out:
        schedule.done(key)
    left = set()
    while (popped := schedule.pop(100.0)) is not None:
        left.add(popped)
        schedule.done(popped)
    assert wanted <= left


def test_backlog_and_lag_tell_who_waits() -> None:
    """The woken and the due, each once; the lag is that of the one that waits longest."""
    schedule = Schedule[str](one_group)
    assert (schedule.backlog(0.0), schedule.lag_s(0.0)) == (0, 0.0)
    schedule.at("due", 1.0)
    schedule.at("later", 9.0)
    schedule.wake("woken", 3.0)
    schedule.at("woken", 2.0)
    assert (schedule.backlog(4.0), schedule.lag_s(4.0)) == (2, 3.0)
    assert schedule.pop(4.0) == "woken"
    assert schedule.pop(4.0) == "due"
    assert (schedule.backlog(4.0), schedule.lag_s(4.0)) == (1, 2.0)


def name(key: str) -> str:
    """Give the first letter, which is a key's group here."""
    return key[0]


def test_groups_take_turns_in_both_lanes() -> None:
    """Whoever has a thousand waits with its own, and a second in a group comes after the others' first."""
    schedule = Schedule[str](name)
    for number in range(1000):
        schedule.wake(f"greedy-{number}", 0.0)
    for key in ("a", "b", "b2"):
        schedule.wake(key, 0.0)
    assert [schedule.pop(0.0) for _ in range(6)] == ["greedy-0", "a", "b", "greedy-1", "b2", "greedy-2"]
    schedule = Schedule[str](name)
    for number in range(1000):
        schedule.at(f"greedy-{number}", number / 1000)
    schedule.at("a", 0.9)
    schedule.at("late", 1.5)
    assert [schedule.pop(1.0) for _ in range(3)] == ["greedy-0", "a", "greedy-1"]
    assert schedule.lag_s(1.5) > 1.4
    assert [schedule.pop(1.5) for _ in range(2)] == ["greedy-2", "late"]


def test_the_due_come_though_the_woken_never_end() -> None:
    """Somebody changes objects faster than they can be served; who only wants a newer rate has it all the same."""
    schedule = Schedule[str](name)
    schedule.at("due", 0.0)
    served = []
    for number in range(WOKEN_IN_A_ROW + 1):
        schedule.wake(f"flipped-{number}", 0.0)
        schedule.wake(f"flipped-again-{number}", 0.0)
        served.append(schedule.pop(1.0))
    assert served[-1] == "due"


def test_the_due_leave_room_for_the_woken() -> None:
    """However many refreshes are due, only some are out at once; who comes back makes room for the next."""
    schedule = Schedule[str](one_group)
    for number in range(DUE_AT_ONCE + 2):
        schedule.at(f"due-{number}", 0.0)
    for number in range(DUE_AT_ONCE):
        assert schedule.pop(1.0) == f"due-{number}"
    assert schedule.pop(1.0) is None
    assert (schedule.next_due(), schedule.backlog(1.0), schedule.lag_s(1.0)) == (None, 2, 1.0)
    for number in range(2 * WOKEN_IN_A_ROW):
        schedule.wake(f"new-{number}", 1.0)
        assert schedule.pop(1.0) == f"new-{number}"
    schedule.done("new-0")
    assert schedule.pop(1.0) is None, "a woken one's place is none of the due ones'"
    schedule.wake("due-0", 1.0)
    schedule.done("due-0")
    assert [schedule.pop(1.0) for _ in range(3)] == ["due-0", f"due-{DUE_AT_ONCE}", None]
    schedule.done("due-0")
    assert schedule.pop(1.0) is None, "it was woken, this time"
    schedule.done("due-1")
    assert schedule.pop(1.0) == f"due-{DUE_AT_ONCE + 1}"


def test_what_was_put_off_after_its_time_had_come_comes_at_the_later_time() -> None:
    """And once."""
    schedule = Schedule[str](one_group)
    for key in ("a", "b"):
        schedule.at(key, 1.0)
    assert schedule.pop(1.0) == "a"
    schedule.at("b", 2.0)
    assert (schedule.pop(1.5), schedule.next_due()) == (None, 2.0)
    assert (schedule.pop(2.0), schedule.pop(9.0)) == ("b", None)


@pytest.mark.parametrize("gone", [False, True], ids=["put off again and again", "gone again and again"])
def test_what_is_void_takes_no_memory_for_long(*, gone: bool) -> None:
    """Each second a due time is put off for a month, or an object comes and goes, and nothing else is due."""
    schedule = Schedule[str](one_group)
    for number in range(10):
        schedule.at(f"other-{number}", 1e5 + number)
    month_s = 720 * 3600.0
    for second in range(5000):
        name = f"rate-{second}" if gone else "rate"
        schedule.at(name, second + month_s)
        if gone:
            schedule.forget(name)
        assert schedule.pop(float(second)) is None
        assert schedule.next_due() == 1e5
        assert len(schedule._heap) <= 2 * 11 + MOST_VOID  # noqa: SLF001 - the memory that it takes
    assert [schedule.pop(2e5) for _ in range(11)] == [*(f"other-{number}" for number in range(10)), None]
    assert schedule.next_due() == (None if gone else 4999 + month_s)


def test_the_same_time_again_is_nothing_new() -> None:
    """Also of a key whose time has come, while another is served before it."""
    schedule = Schedule[str](one_group)
    schedule.at("a", 5.0)
    schedule.wake("b", 6.0)
    assert schedule.pop(6.0) == "b"
    for _ in range(1000):
        schedule.at("a", 5.0)
    assert len(schedule._heap) <= 1  # noqa: SLF001 - the memory that it takes
    assert (schedule.next_due(), schedule.lag_s(6.0)) == (None, 1.0)
    assert schedule.pop(6.0) == "a"
    assert schedule.pop(1e9) is None
