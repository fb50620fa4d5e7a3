"""Workers that do items, one at a time each, wherever they run: who gets what, and what happens
when a worker ends."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic

from vidsgg.errors import counted
from vidsgg.execution.items import Answer, Ended, Handle, Item, Lost, Message, Ready, WorkerError, WorkFailed, Workplace

TRIES = 3  # workers that may end at one item before it is given up, and in a row while they start
_FEWEST = 4  # workers that are counted at least, when all of them end
_WAIT = 2.0  # seconds until the room for workers is looked at again


@dataclass(eq=False)
class _Task(Generic[Item]):
    """An item on its way. nodes: those on which a worker ended at it."""

    place: int  # in the order of the items
    item: Item
    ended: int = 0
    nodes: set[str] = field(default_factory=set)


@dataclass(eq=False)
class _Member(Generic[Item, Handle]):
    """A worker and what it is at. node: None until it is set up."""

    handle: Handle
    node: str | None = None
    task: _Task[Item] | None = None

    @property
    def idle(self) -> bool:
        return self.node is not None and self.task is None


class Pool(Generic[Item, Handle]):
    """Hands items to workers until every item has a result or is lost."""

    def __init__(
        self,
        workplace: Workplace[Handle],
        items: Sequence[Item],
        ahead: int | None,
        watch: Callable[[str], None] | None,
    ) -> None:
        self._workplace, self._ahead, self._watch = workplace, ahead, watch
        self._fresh = deque(_Task(place, item) for place, item in enumerate(items))
        self._again: list[_Task[Item]] = []  # a worker ended at each of them
        self._members: list[_Member[Item, Handle]] = []
        self._ended_in_a_row = self._ended_at_start = 0
        self._said = ""

    def run(self) -> Generator[Any, None, None]:
        """Results and ``Lost`` items as they come. Raises the first error of a worker."""
        try:
            while self._left():
                self._hire()
                self._hand_out()
                asked = [member for member in self._members if not member.idle]
                handles = {id(member.handle): member for member in asked}
                for handle, message in self._workplace.wait([member.handle for member in asked], _WAIT):
                    yield from self._hear(handles[id(handle)], message)
        finally:
            self._workplace.close([member.handle for member in self._members])

    def _left(self) -> int:
        return len(self._fresh) + len(self._again) + sum(member.task is not None for member in self._members)

    def _hire(self) -> None:
        """As many workers as there is room and work for."""
        for _ in range(min(self._workplace.room(), self._left()) - len(self._members)):
            taken = {member.handle.number for member in self._members}
            number = next(number for number in range(len(taken) + 1) if number not in taken)
            self._members.append(_Member(self._workplace.start(number)))

    def _hand_out(self) -> None:
        for member in self._members:
            if member.idle and (task := self._next_for(member)) is not None:
                member.task = task
                member.handle.give(task.item)

    def _next_for(self, member: _Member[Item, Handle]) -> _Task[Item] | None:
        """Take the next item for a worker; an item at which a worker ended is for another node,
        where there is one."""
        if self._fresh and self._in_reach(self._fresh[0]):
            return self._fresh.popleft()
        nodes = {other.node for other in self._members if other.node is not None}
        for number, task in enumerate(self._again):
            if member.node not in task.nodes or nodes <= task.nodes:
                return self._again.pop(number)
        return None

    def _in_reach(self, task: _Task[Item]) -> bool:
        """Whether an item is not too far ahead of the first one without a result."""
        if self._ahead is None:
            return True
        before = [*self._again, *(member.task for member in self._members if member.task)]
        return all(task.place <= other.place + self._ahead for other in before)

    def _hear(self, member: _Member[Item, Handle], message: Message) -> Generator[Any, None, None]:
        where = f" on {member.node}" if member.node else ""
        if isinstance(message, Ready):
            member.node = message.node
            self._ended_at_start = 0
            self._tell()
        elif isinstance(message, Answer):
            member.task = None
            self._ended_in_a_row = 0
            yield message.result
        elif isinstance(message, WorkFailed):
            what = f"at {member.task.item}" if member.task else "while it was set up"
            raise message.error or RuntimeError(f"worker {member.handle.number}{where} failed {what}:\n{message.trace}")
        else:
            yield from self._replace(member, message, where)

    def _replace(self, member: _Member[Item, Handle], message: Ended, where: str) -> Generator[Any, None, None]:
        """A worker is gone: its item is handed out again, or given up."""
        self._members.remove(member)
        member.handle.stop()
        self._tell()
        how, task = f"{message.how}{where}", member.task
        if task is None:
            self._ended_at_start += 1
            if self._ended_at_start >= TRIES:
                raise WorkerError(
                    f"{TRIES} workers in a row ended while they were set up; the last one {how}. What is finished is"
                    " kept: run the same command again, with fewer workers if it was memory."
                )
            return
        self._ended_in_a_row += 1
        if self._ended_in_a_row >= TRIES * max(_FEWEST, len(self._members) + 1):
            raise WorkerError(
                f"{self._ended_in_a_row} workers in a row ended without a result; the last one {how} at {task.item}."
                " What is finished is kept: run the same command again, with fewer workers if it was memory."
            )
        task.ended += 1
        task.nodes.add(member.node or "")
        if task.ended < TRIES:
            self._again.append(task)
            return
        yield Lost(
            task.item,
            f"{TRIES} workers ended at it, the last one {how}; the others were not affected. Run the same command again"
            " to try it once more, with fewer workers if it was memory.",
        )

    def _tell(self) -> None:
        nodes = {member.node for member in self._members if member.node is not None}
        if self._watch is None or not any(nodes):
            return
        text = f"{counted(sum(m.node is not None for m in self._members), 'worker')} on {counted(len(nodes), 'node')}"
        if text != self._said:
            self._said = text
            self._watch(text)
