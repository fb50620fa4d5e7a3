"""Who gets which item, and what happens when workers end: with workers that only say that they
work."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from vidsgg.errors import DataError
from vidsgg.execution import many
from vidsgg.execution.items import Answer, Ended, ItemWorker, Lost, Message, Ready, WorkerError, WorkFailed
from vidsgg.execution.pool import TRIES, Pool


@dataclass(eq=False)
class Told:
    """A worker that answers by a function of (node, item)."""

    number: int
    node: str
    asked: Any = None
    ready: bool = False
    stopped: bool = False
    given: list[Any] = field(default_factory=list)

    def give(self, item: Any) -> None:
        self.given.append(item)
        self.asked = item

    def stop(self) -> None:
        self.stopped = True


class Place:
    """Workers on nodes, in turn. answers: what a worker says to an item. latest: whether the worker
    that was asked last answers first."""

    def __init__(
        self, nodes: Sequence[str], answers: Callable[[str, Any], Message], room: int = 2, latest: bool = False
    ) -> None:
        self.nodes, self.answers, self.latest = nodes, answers, latest
        self.rooms = room
        self.started: list[Told] = []

    def room(self) -> int:
        return self.rooms

    def start(self, number: int) -> Told:
        self.started.append(Told(number, self.nodes[len(self.started) % len(self.nodes)]))
        return self.started[-1]

    def wait(self, workers: list[Told], seconds: float) -> list[tuple[Told, Message]]:
        starting = [worker for worker in workers if not worker.ready]
        if starting:
            starting[0].ready = True
            message = self.answers(starting[0].node, None)
            return [(starting[0], message if isinstance(message, (Ended, WorkFailed)) else Ready(starting[0].node))]
        worker = workers[-1 if self.latest else 0]
        return [(worker, self.answers(worker.node, worker.asked))]

    def close(self, workers: list[Told]) -> None:
        for worker in workers:
            worker.stop()


def run(place: Place, count: int, ahead: int | None = None, watch: Callable[[str], None] | None = None) -> list[Any]:
    return list(Pool(place, range(count), ahead, watch).run())


def test_every_item_has_one_result_and_no_more_workers_are_started_than_there_are_items() -> None:
    place = Place(["a", "b"], lambda node, item: Answer(item), room=5)
    said: list[str] = []
    assert sorted(run(place, 3, watch=said.append)) == [0, 1, 2]
    assert len(place.started) == 3 and all(worker.stopped for worker in place.started)
    assert said == ["1 worker on 1 node", "2 workers on 2 nodes", "3 workers on 2 nodes"]


def test_workers_are_added_while_there_is_more_room() -> None:
    def answer(node: str, item: Any) -> Message:
        place.rooms = 3
        return Answer(item)

    place = Place(["a"], answer, room=1)
    assert sorted(run(place, 6)) == list(range(6))
    assert [worker.number for worker in place.started] == [0, 1, 2]


def test_an_item_goes_to_another_node_when_its_worker_ends() -> None:
    place = Place(["a", "b"], lambda node, item: Ended("went") if (node, item) == ("a", 2) else Answer(item))
    assert sorted(run(place, 5)) == list(range(5))
    assert sum(2 in worker.given for worker in place.started if worker.node == "a") <= 1
    assert sum(2 in worker.given for worker in place.started if worker.node == "b") == 1
    # its replacement has the number, and with it the GPU, of the one that is gone
    assert {worker.number for worker in place.started} == {0, 1}


def test_an_item_at_which_workers_end_on_every_node_is_lost_after_some_tries() -> None:
    place = Place(["a", "b"], lambda node, item: Ended("went") if item == 0 else Answer(item))
    results = run(place, 9)
    (lost,) = (result for result in results if isinstance(result, Lost))
    assert lost.item == 0
    assert f"{TRIES} workers ended at it, the last one went on" in lost.problem
    assert sorted(result for result in results if result != lost) == list(range(1, 9))
    assert sum(worker.given.count(0) for worker in place.started) == TRIES


def test_items_that_are_tried_again_come_after_the_others() -> None:
    ended: list[int] = []

    def answer(node: str, item: Any) -> Message:
        if item == 1 and not ended:
            ended.append(item)
            return Ended("went")
        return Answer(item)

    assert run(Place(["a"], answer, room=1), 4) == [0, 2, 3, 1]


def test_workers_that_end_whatever_they_do_end_the_run() -> None:
    with pytest.raises(WorkerError, match="12 workers in a row ended without a result; the last one went on a at"):
        run(Place(["a"], lambda node, item: Answer(item) if item is None else Ended("went")), 100)
    with pytest.raises(WorkerError, match="3 workers in a row ended while they were set up; the last one went"):
        run(Place(["a"], lambda node, item: Ended("went")), 100)


def test_errors_end_the_run_and_stop_the_workers() -> None:
    place = Place(["a"], lambda node, item: WorkFailed(DataError("no video"), "") if item == 1 else Answer(item))
    with pytest.raises(DataError, match=r"^no video$"):
        run(place, 4)
    assert all(worker.stopped for worker in place.started)
    with pytest.raises(RuntimeError, match=r"(?s)worker 0 on a failed at 1:\ntrace of it"):
        run(Place(["a"], lambda n, item: WorkFailed(None, "trace of it") if item == 1 else Answer(item), room=1), 4)
    with pytest.raises(RuntimeError, match="worker 0 failed while it was set up"):
        run(Place(["a"], lambda n, item: WorkFailed(None, "trace of it"), room=1), 4)


@pytest.mark.parametrize("ahead", [0, 1, 3])
def test_items_are_begun_only_so_far_ahead_of_the_first_without_a_result(ahead: int) -> None:
    place = Place(["a"], lambda node, item: Answer(item), room=4, latest=True)
    unfinished: set[int] = set(range(10))
    for result in Pool(place, range(10), ahead, None).run():
        assert result <= min(unfinished) + ahead
        unfinished.remove(result)
    assert not unfinished


def test_results_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of items that are lost, and however late one is."""
    place = Place(["a"], lambda node, item: Ended("went") if item and item[0] == 4 else Answer(item), 3, True)
    monkeypatch.setattr(many, "ThisMachine", lambda setup, count: place)
    results = list(many.apply_in_order(Hungry(), "abcdefgh", many.Processes(3), ahead=5))
    assert [result.item if isinstance(result, Lost) else result for result in results] == list("abcdefgh")
    assert isinstance(results[4], Lost)
    assert list(many.apply_in_order(Hungry(), [3, 1, 2], many.Processes(1), ahead=0)) == [3, 1, 2]


def test_lack_of_memory_is_a_worker_that_has_to_be_replaced() -> None:
    worker = ItemWorker(pickle.dumps(Hungry()), 0)
    assert worker.prepare("a") == Ready("a")
    assert worker.do(1) == Answer(1)
    assert worker.do(0) == Ended("for lack of memory (tried to allocate too much)")


class Hungry:
    def __call__(self, number: int) -> Callable[[int], int]:
        return self.eat

    @staticmethod
    def eat(item: int) -> int:
        if item == 0:
            raise MemoryError("tried to allocate too much")
        return item
