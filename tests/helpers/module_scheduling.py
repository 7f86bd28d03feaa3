"""Scheduler for pytest-xdist: workers take one module after another, and a crashed worker costs one test.

With pytest-xdist 3.8's own ``loadfile``, the test in which a worker crashed is run again and crashes the next worker,
and a worker that is given only finished tests waits for ever (pytest-dev/pytest-xdist, issues 1323, 1327 and 1378).
"""

from __future__ import annotations

from typing import Final

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

_FEW: Final = 2
"""A worker with this many tests left, or fewer, is given the next module: it starts a test only when it knows the next
one.
"""


class ModuleScheduling(LoadFileScheduling):  # type: ignore[misc]  # pytest-xdist has no type hints
    """Gives each worker one module after another, in the order of collection."""

    def remove_node(self, node: WorkerController) -> str | None:
        """Remove a worker that ended. If it crashed, return the id of its test, and have the others run what it left."""
        modules = self.assigned_work.pop(node)
        unfinished: list[str] = [
            test for tests in modules.values() for test, is_complete in tests.items() if not is_complete
        ]
        if self.collection is None:
            self.registered_collections.pop(node, None)
        if not unfinished:
            return None
        crashed = unfinished[0]
        for module, tests in reversed(modules.items()):
            tests.pop(crashed, None)
            if not all(tests.values()):
                self.workqueue[module] = tests
                self.workqueue.move_to_end(module, last=False)
        for other in self.nodes:
            self._reschedule(other)
        return crashed

    def _reschedule(self, node: WorkerController) -> None:
        """Give a worker that has few tests left the next modules, or let it end when there are none."""
        if node.shutting_down or node not in self.registered_collections:
            return
        while self.workqueue and self._pending_of(self.assigned_work[node]) <= _FEW:
            self._assign_work_unit(node)
        if not self.workqueue:
            node.shutdown()
