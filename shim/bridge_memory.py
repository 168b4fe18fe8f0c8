"""How much memory children hold, with all that they started, and which of them hold too much.

What counts is PSS: a page that several processes share counts for each by its share, so a child does not
pay for what it has in common with its template. The kernel walks all pages of a process for it: 15 us for
each MiB, which for eight jobs every 50 ms would take a quarter of a core. So the cheap number (RSS, 6 us)
is looked at each time, and PSS only where RSS says that the limit may have been passed:

    PSS <= RSS                              below the limit by RSS is below it by PSS
    PSS now <= PSS then + RSS growth since  what was measured once holds until it has grown enough

The second holds as long as shared pages stay shared, so it is trusted for two seconds, and for a process alone,
which shares with its template at most what that holds.
"""

import os
import resource
import time

from bridge_processes import read_whole, tree_of

INTERVAL_S = 0.05
# Near the limit PSS is asked for again and again: at most this part of the time goes into it.
PSS_SHARE_MAX = 0.2
PSS_AGE_MAX_S = 2.0
PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024


class MemoryWatch:
    """`resident_kib` and `proportional_kib` measure one process, `tree_of` lists a child's processes,
    `now_s` is the time: as parameters for tests."""

    def __init__(self, resident_kib=None, proportional_kib=None, tree_of=tree_of, now_s=time.monotonic):
        self._resident_kib = resident_kib or resident_kib_of
        self._proportional_kib = proportional_kib or proportional_kib_of
        self._tree_of = tree_of
        self._now_s = now_s
        self._watched = {}
        self._next_s = 0.0

    def limit(self, pid: int, limit_kib: int):
        self._watched[pid] = _Watched(limit_kib)

    def forget(self, pid: int):
        self._watched.pop(pid, None)

    def wait_s(self) -> "float | None":
        """How long until `excesses` has something to do; None if nothing is watched."""
        return max(0.0, self._next_s - self._now_s()) if self._watched else None

    def excesses(self) -> "list[tuple[int, int]]":
        """Those over their limit as (pid, KiB held); nothing before it is time to look again."""
        now_s = self._now_s()
        if now_s < self._next_s:
            return []
        self._next_s = now_s + INTERVAL_S
        looked = [(pid, self._excess_kib(pid, watched)) for pid, watched in self._watched.items()]
        return [(pid, held_kib) for pid, held_kib in looked if held_kib is not None]

    def _excess_kib(self, pid: int, watched: "_Watched") -> "int | None":
        tree = self._tree_of(pid)
        resident_kib = sum(map(self._resident_kib, tree))
        started_s = self._now_s()
        shared_kib = watched.shared_kib(started_s) if len(tree) == 1 else 0
        if resident_kib - shared_kib <= watched.limit_kib or started_s < watched.ask_again_s:
            return None
        held_kib = sum(map(self._proportional_kib, tree))
        watched.measured(resident_kib - held_kib, started_s, self._now_s())
        return held_kib if held_kib > watched.limit_kib else None


class _Watched:
    def __init__(self, limit_kib: int):
        self.limit_kib = limit_kib
        self.ask_again_s = 0.0
        self._shared_kib = 0
        self._measured_s = float("-inf")

    def shared_kib(self, now_s: float) -> int:
        """How much of RSS was found to be the share of others, if that was not long ago."""
        return self._shared_kib if now_s - self._measured_s <= PSS_AGE_MAX_S else 0

    def measured(self, shared_kib: int, started_s: float, ended_s: float):
        self._shared_kib = shared_kib
        self._measured_s = ended_s
        self.ask_again_s = ended_s + (ended_s - started_s) / PSS_SHARE_MAX


def resident_kib_of(pid: int) -> int:
    try:
        return int(read_whole(f"/proc/{pid}/statm").split()[1]) * PAGE_KIB
    except (OSError, IndexError):
        return 0  # it is gone


def proportional_kib_of(pid: int) -> int:
    """Of a process that hides it (it is no longer dumpable, say) all that it shares counts in full."""
    try:
        rollup = read_whole(f"/proc/{pid}/smaps_rollup")
        return int(rollup.partition(b"\nPss:")[2].split(None, 1)[0])
    except (OSError, IndexError):
        return resident_kib_of(pid)


# Libraries reserve address space that they never use: importing pandas takes 365 MiB of it at 103 MiB held.
ADDRESS_SPACE_FACTOR = 4
ADDRESS_SPACE_SPARE_BYTES = 8 << 30


def bound_address_space(memory_bytes: int):
    """The wide backstop behind the watch: what asks for far more at once gets a MemoryError at once."""
    wanted = memory_bytes * ADDRESS_SPACE_FACTOR + ADDRESS_SPACE_SPARE_BYTES
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    bound = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
    resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
