"""Load shedding: how handling gives way to a burst."""

from __future__ import annotations

import pytest

from soap_handler.fast.load_shedding import LoadShedding
from soap_handler.fast.scoreboard import Scoreboard, WorkerSlot


class Day:
    """A clock and a count of arrivals, both turned by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self._place = WorkerSlot(Scoreboard(), 0)
        self.shedding = LoadShedding(self._place, lambda: self.now)

    def pass_by(self, seconds: float, arrivals: int) -> None:
        self.now += seconds
        self._place.note_arrivals(arrivals)

    @property
    def arrived(self) -> int:
        return self._place.arrivals


def test_without_a_burst_all_that_is_wanted_is_granted() -> None:
    """A few arrivals a second leave room for both."""
    day = Day()
    for _ in range(20):
        day.pass_by(0.2, 10)
        assert day.shedding.allows(7) == 7
        assert not day.shedding.bursting
        assert day.shedding.pause == 0


def test_during_a_burst_a_share_of_what_arrives_is_granted() -> None:
    """Handling never stands still: at least a tenth of what arrives, and never as much as would hold receiving up."""
    day = Day()
    granted = 0
    for _ in range(45):
        day.pass_by(0.2, 1000)
        granted += day.shedding.allows(10_000)
        assert day.shedding.bursting
    assert 0.10 * day.arrived <= granted <= 0.20 * day.arrived


def test_what_takes_much_cpu_time_gets_a_smaller_share() -> None:
    """Five times the cost, a fifth of the share: receiving gives no more of the machine than to a cheap handler."""
    day = Day()
    granted = 0
    for _ in range(45):
        day.pass_by(0.2, 1000)
        granted += day.shedding.allows(10_000, 5.0)
    assert 0.02 * day.arrived <= granted <= 0.04 * day.arrived


def test_a_burst_is_noticed_by_what_arrived_not_only_by_the_clock() -> None:
    """More than belongs into a whole window is a burst at once: handling does not take its first moments."""
    day = Day()
    day.pass_by(0.2, 0)
    assert day.shedding.allows(10_000) == 10_000
    day.pass_by(0.005, 30)
    assert day.shedding.allows(10_000) == 10_000
    day.pass_by(0.005, 31)
    assert day.shedding.allows(10_000) < 61
    assert day.shedding.bursting


def test_a_crowd_without_a_burst_behind_it_waits_for_a_window_at_most() -> None:
    """Some dozens at once look like the beginning of a burst, but hold their handling up only as long as that."""
    day = Day()
    day.pass_by(0.2, 0)
    day.shedding.allows(1)
    day.pass_by(0.01, 100)
    day.shedding.allows(100)
    assert day.shedding.bursting
    day.pass_by(0.2, 0)
    assert day.shedding.allows(100) == 100


def test_a_burst_that_does_not_end_is_worked_off_all_the_same() -> None:
    """Under a load that goes on, handling takes its share back until it is faster than what arrives."""
    day = Day()
    granted = 0
    for _ in range(5 * 60):
        day.pass_by(0.2, 100)
        granted += day.shedding.allows(day.arrived - granted)
    assert granted == day.arrived


def test_what_was_not_taken_does_not_pile_up() -> None:
    """A share that was not asked for while it was due is not made up for later, all at once."""
    day = Day()
    for _ in range(40):
        day.pass_by(0.2, 1000)
        day.shedding.allows(0)
    assert day.shedding.allows(10_000) <= 600  # the shares of a few windows, of forty


def test_when_the_burst_is_over_everything_is_granted_again() -> None:
    """The backlog is worked off at full speed."""
    day = Day()
    day.pass_by(0.2, 1000)
    day.shedding.allows(1)
    day.pass_by(0.2, 0)
    assert day.shedding.allows(500) == 500
    assert not day.shedding.bursting


def test_a_destination_without_work_takes_nothing_from_the_others() -> None:
    """What it gives back is not its share: the one that has all the work is granted the whole of it."""
    now, place, here = 0.0, WorkerSlot(Scoreboard(), 0), list[LoadShedding]()
    here += [LoadShedding(place, lambda: now, here) for _ in range(3)]
    granted = 0
    for _ in range(45):
        now += 0.2
        place.note_arrivals(1000)
        for idle in here[:2]:
            idle.give_back(idle.allows(10_000))
        granted += here[2].allows(10_000)
    assert 0.10 * place.arrivals <= granted <= 0.20 * place.arrivals


def test_destinations_that_all_have_work_divide_the_share() -> None:
    """Receiving gives no more of the machine to three destinations than to one; what one leaves goes to the others."""
    now, place, here = 0.0, WorkerSlot(Scoreboard(), 0), list[LoadShedding]()
    here += [LoadShedding(place, lambda: now, here) for _ in range(3)]

    def burst(wanted: int) -> list[int]:
        nonlocal now
        granted = [0, 0, 0]
        for _ in range(20):
            now += 0.2
            place.note_arrivals(1000)
            for number, each in enumerate(here[:wanted]):
                granted[number] += each.allows(10_000)
        return granted

    shares = burst(3)
    assert 0.10 * 20_000 <= sum(shares) <= 0.20 * 20_000
    assert max(shares) < 1.2 * min(shares)
    assert 0.10 * 20_000 <= sum(burst(2)) <= 0.20 * 20_000


def test_processes_that_share_a_port_share_the_work() -> None:
    """Each sees what all take in, so one that takes in little gives way too, and owes a share of that little."""
    board, now = Scoreboard(3), 0.0
    places = [WorkerSlot(board, number) for number in range(3)]
    processes = [LoadShedding(place, lambda: now) for place in places]
    granted = [0, 0, 0]
    for _ in range(45):
        now += 0.2
        places[0].note_arrivals(1000)
        places[1].note_arrivals(500)
        for number, process in enumerate(processes):
            granted[number] += process.allows(10_000)
    assert all(process.bursting for process in processes)
    for place, given in zip(places, granted, strict=True):
        assert 0.10 * place.arrivals <= given <= 0.20 * place.arrivals


def test_those_to_whom_next_to_nothing_comes_do_the_work_of_all() -> None:
    """What they do holds up no answer. Who is gone is not counted on; where all are busy each does its own."""
    board, now = Scoreboard(4), 0.0
    places = [WorkerSlot(board, number) for number in range(4)]
    for place in places[:3]:
        place.join()
    processes = [LoadShedding(place, lambda: now) for place in places[:3]]
    granted = [0, 0, 0]

    def burst(*arrivals: int) -> int:
        nonlocal granted, now
        granted = [0, 0, 0]
        for _ in range(20):
            now += 0.2
            for place, count in zip(places, arrivals, strict=False):
                place.note_arrivals(count)
            granted = [given + process.allows(10_000) for given, process in zip(granted, processes, strict=True)]
        return 20 * sum(arrivals)

    arrived = burst(1000, 0, 4)
    assert granted[0] == 0
    assert granted[1] == granted[2]
    assert 0.10 * arrived <= sum(granted) <= 0.20 * arrived
    burst(0, 0, 0)
    places[2].leave()
    arrived = burst(1000, 0, 0)
    assert granted[::2] == [0, 0]
    assert 0.10 * arrived <= granted[1] <= 0.20 * arrived
    burst(0, 0, 0)
    arrived = burst(1000, 500, 0)
    assert all(
        0.10 * 20 * count <= given <= 0.20 * 20 * count for count, given in zip((1000, 500), granted, strict=False)
    )


def test_a_burst_that_does_not_end_is_worked_off_by_all() -> None:
    """After a while a process that takes in nothing handles what the others take in."""
    board, now = Scoreboard(2), 0.0
    places = [WorkerSlot(board, number) for number in range(2)]
    processes = [LoadShedding(place, lambda: now) for place in places]
    granted = [0, 0]
    for _ in range(5 * 60):
        now += 0.2
        places[0].note_arrivals(100)
        for number, process in enumerate(processes):
            granted[number] += process.allows(max(0, places[0].arrivals - sum(granted)))
    assert sum(granted) == places[0].arrivals
    assert granted[1] > 0.1 * places[0].arrivals


def test_a_small_part_of_a_share_adds_up() -> None:
    """A process that takes in little owes less than one in a window, and does not stand still all the same."""
    board, now = Scoreboard(2), 0.0
    busy, idle = WorkerSlot(board, 0), WorkerSlot(board, 1)
    process = LoadShedding(idle, lambda: now)
    granted = 0
    for _ in range(45):
        now += 0.2
        busy.note_arrivals(1000)
        idle.note_arrivals(4)
        granted += process.allows(10_000)
    assert process.bursting
    assert 0.10 * idle.arrivals <= granted + 1 <= 0.20 * idle.arrivals


def test_a_process_that_is_started_again_owes_nothing_for_the_one_before() -> None:
    """What was noted at its place before is neither an arrival nor a debt, to itself or to others."""
    now, board = 0.0, Scoreboard(2)
    place = WorkerSlot(board, 1)
    place.note_arrivals(5000)
    other = LoadShedding(WorkerSlot(board, 0), lambda: now)
    again = LoadShedding(place, lambda: now)
    now = 0.2
    for process in (again, other):
        assert process.allows(7) == 7
        assert not process.bursting


def test_a_process_that_has_not_looked_for_long_gives_way_too() -> None:
    """A process that slept through the beginning of a burst takes it for one, and not for what came in all the time."""
    day = Day()
    day.pass_by(1.0, 250)  # all of it just now, perhaps
    assert day.shedding.allows(10_000) < 250
    day.pass_by(0.25, 0)
    assert day.shedding.allows(10_000) == 10_000


@pytest.mark.parametrize("seconds", [0.01, 0.05, 0.099])
def test_between_two_claims_of_a_burst_the_others_are_left_alone(seconds: float) -> None:
    """During a burst claims are made ten times a second at most."""
    day = Day()
    day.pass_by(0.2, 1000)
    day.shedding.allows(1)
    day.pass_by(seconds, 50)
    assert day.shedding.pause == pytest.approx(0.1 - seconds)


def test_during_a_burst_deletes_have_a_gap_between_them_but_go_on() -> None:
    """They can wait longest. Under a load that goes on, and when it is over, they keep up with what is handled."""
    day = Day()
    gaps = []
    for arrivals in [20] * 5 + [1000] * 100 + [0] * 5:
        day.pass_by(0.2, arrivals)
        day.shedding.allows(10)
        gaps.append(day.shedding.delete_gap)
    assert gaps[:5] == [0] * 5
    assert gaps[5:50] == [1.0] * 45
    assert gaps[60:] == [0] * 50
