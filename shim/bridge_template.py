"""The template: a warmed process that holds no plugin's state and forks a child for each plugin.

It is steered by lines of JSON: commands on its standard input, answers on its standard output. The
worker is authoritative; the template only reports. It does nothing that takes long, so a template that
does not answer a ping is stuck and the worker kills it. The end of its input means that the worker is
gone: it kills all its children and exits. Children die with it in turn (PR_SET_PDEATHSIG).

    {"op":"fork","child":"c1","socket":"/run/b.sock","cwd":"/scratch","nested_pid":true}
        → {"event":"forked","child":"c1","pid":7,"nested":true}
          or {"event":"fork_failed","child":"c1","message":"why"}
    {"op":"cancel","child":"c1"}   SIGTERM: the job is asked to end by itself
    {"op":"kill","child":"c1"}     SIGKILL, to all it started
    {"op":"limit","child":"c1","memory_kib":N}   from now on: killed when it and all it started hold more
    {"op":"ping","n":1}            → {"event":"pong","n":1}
    when a child is gone           → {"event":"exited","child":"c1","code":0|null,"signal":9|null,
                                      "rss_peak_kib":N,"output":"what it wrote last",
                                      "rows":N,"batches":N of its last job,
                                      "over_memory_kib":N}   only if the limit ended it: what it held;
                                      the limit itself where the kernel held it to that
"""

import gc
import json
import mmap
import os
import select
import signal
import sys
import time
from dataclasses import dataclass

from bridge_child import OutputPipes, run_child
from bridge_frames import utf8
from bridge_groups import MemoryGroups
from bridge_memory import MemoryWatch
from bridge_namespaces import PidNamespaces
from bridge_processes import adopt_orphans, children_of, end_process, end_tree, sees_itself
from bridge_topics import Reached

OUTPUT_TAIL_BYTES = 8 * 1024
COMMAND_BYTES_MAX = 1024 * 1024
# Python looks for signals between two steps of its own. One that arrives the moment before a step begins
# to wait for something is seen only when the wait is over, so it is sent until the child has ended.
CANCEL_INTERVAL_S = 0.05


@dataclass
class Child:
    name: str
    pid: int
    nested: bool
    pipes: OutputPipes
    reached: mmap.mmap
    cancelled: bool = False
    limit_kib: "int | None" = None
    over_memory_kib: "int | None" = None


class Template:
    def __init__(self, started_s: float, groups: "MemoryGroups | None" = None):
        self._started_s = started_s
        self._groups = groups
        self._commands = os.dup(0)
        self._answers = os.dup(1)
        os.dup2(2, 1)  # what an import prints must not end up among the answers
        self._wake_reader, self._wake_writer = os.pipe()
        self._children = {}
        self._namespaces = PidNamespaces()
        self._memory = MemoryWatch()
        self._sees_processes = sees_itself()
        self._line = b""

    def run(self):
        """Serves until its input ends."""
        self._catch_signals()
        adopt_orphans()
        gc.collect()
        gc.freeze()  # a collection in a child would otherwise write to, and so copy, every page
        try:
            self._report_ready()
            while self._turn():
                pass
        except BrokenPipeError:
            pass  # nobody reads the answers: the worker is gone
        finally:
            self._end_children()

    def _report_ready(self):
        self._answer(
            event="ready",
            pid=os.getpid(),
            warm_ms=round((time.monotonic() - self._started_s) * 1000),
            nested_pid=self._namespaces.available,
            python=sys.version.split()[0],
        )

    def _catch_signals(self):
        for descriptor in (self._wake_reader, self._wake_writer):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(self._wake_writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the group; the worker decides

    def _turn(self) -> bool:
        cancelled = [child for child in self._children.values() if child.cancelled]
        waits_s = [CANCEL_INTERVAL_S] if cancelled else []
        if self._memory.wait_s() is not None:
            waits_s.append(self._memory.wait_s())
        ready, _, _ = select.select(
            [self._commands, self._wake_reader], [], [], min(waits_s, default=None)
        )
        if not ready:
            for child in cancelled:
                os.kill(child.pid, signal.SIGTERM)
        self._end_excesses()
        if self._wake_reader in ready:
            os.read(self._wake_reader, 4096)
            self._reap()
        return self._commands not in ready or self._read_commands()

    def _read_commands(self) -> bool:
        data = os.read(self._commands, 65536)
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            self._obey(line)
        return bool(data) and len(self._line) <= COMMAND_BYTES_MAX

    def _obey(self, line: bytes):
        try:
            command = json.loads(line)
            obey = {
                "fork": self._fork,
                "limit": self._limit,
                "cancel": self._cancel,
                "kill": self._kill,
                "ping": self._ping,
            }
            obey[command["op"]](command)
        except (ValueError, KeyError, TypeError) as error:
            self._answer(event="refused", message=f"Cannot obey {line[:200]!r}: {error!r}")

    def _ping(self, command: dict):
        self._answer(event="pong", n=command["n"])

    def _fork(self, command: dict):
        name, socket_path, directory = command["child"], command["socket"], command["cwd"]
        nested = bool(command.get("nested_pid")) and self._namespaces.available
        pipes = OutputPipes()
        reached = Reached.shared()
        try:
            pid = self._namespaces.fork() if nested else os.fork()
        except OSError as error:
            pipes.close_writers()
            pipes.close_readers()
            reached.close()
            self._answer(event="fork_failed", child=name, message=str(error))
            return
        if pid == 0:
            self._let_go()
            run_child(name, socket_path, directory, pipes, Reached(reached))
        pipes.close_writers()
        self._children[pid] = Child(name, pid, nested, pipes, reached)
        self._enter_group(name, pid)
        self._answer(event="forked", child=name, pid=pid, nested=nested)

    def _enter_group(self, name: str, pid: int):
        if self._groups is None:
            return
        try:
            self._groups.enter(name, pid)
        except OSError as error:
            self._do_without_groups(error)

    def _do_without_groups(self, error: OSError):
        """A host may take its groups back at any time: the watch is left."""
        os.write(2, utf8(f"Memory is sampled from now on, as the control groups are gone: {error}\n"))
        self._groups = None

    def _let_go(self):
        """In the child: nothing of the template's may stay open."""
        signal.set_wakeup_fd(-1)
        for descriptor in (self._commands, self._answers, self._wake_reader, self._wake_writer):
            os.close(descriptor)
        self._namespaces.close()
        if self._groups is not None:
            self._groups.close()
        for sibling in self._children.values():
            sibling.pipes.close_readers()
            sibling.reached.close()

    def _limit(self, command: dict):
        for child in self._named(command["child"]):
            child.limit_kib = int(command["memory_kib"])
            if not self._is_limited_by_group(child) and self._sees_processes:
                self._memory.limit(child.pid, child.limit_kib)

    def _is_limited_by_group(self, child: Child) -> bool:
        if self._groups is None:
            return False
        try:
            self._groups.limit(child.name, child.limit_kib)
        except OSError as error:
            self._do_without_groups(error)
        return self._groups is not None

    def _end_excesses(self):
        for pid, held_kib in self._memory.excesses():
            self._children[pid].over_memory_kib = held_kib
            _kill_tree(self._children[pid])
            self._memory.forget(pid)

    def _cancel(self, command: dict):
        for child in self._named(command["child"]):
            child.cancelled = True
            os.kill(child.pid, signal.SIGTERM)

    def _kill(self, command: dict):
        for child in self._named(command["child"]):
            _kill_tree(child)

    def _named(self, name: str) -> "list[Child]":
        """None if it has ended meanwhile, which its "exited" has told or will tell."""
        return [child for child in self._children.values() if child.name == name]

    def _reap(self):
        for pid, status, usage in _ended():
            child = self._children.pop(pid, None)
            if child is not None:
                self._memory.forget(pid)
                self._report_exit(child, status, usage.ru_maxrss)
        self._end_orphans()
        if self._groups is not None:
            self._groups.remove_left()

    def _end_orphans(self):
        """What a child without a namespace of its own had started, however it detached, is ours now."""
        for pid in self._orphans():
            end_tree(pid)

    def _orphans(self) -> "list[int]":
        children = children_of(os.getpid()) if self._sees_processes else []
        return [pid for pid in children if pid not in self._children]

    def _report_exit(self, child: Child, status: int, rss_peak_kib: int):
        if not child.nested:
            _kill_group(child.pid)
        if self._groups is not None:
            if child.limit_kib is not None and self._groups.killed_at_limit(child.name):
                child.over_memory_kib = child.limit_kib
            self._groups.leave(child.name)
        output = child.pipes.rest(OUTPUT_TAIL_BYTES)
        child.pipes.close_readers()
        self._answer(
            event="exited",
            child=child.name,
            code=os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
            signal=os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
            rss_peak_kib=rss_peak_kib,
            output=output,
            **Reached.read(child.reached),
            **({} if child.over_memory_kib is None else {"over_memory_kib": child.over_memory_kib}),
        )
        child.reached.close()

    def _end_children(self):
        for child in self._children.values():
            _kill_tree(child)
        for pid in list(self._children):
            os.waitpid(pid, 0)
        for child in self._children.values() if self._groups is not None else []:
            self._groups.leave(child.name)
        self._children.clear()
        while self._orphans():
            self._end_orphans()
            os.waitpid(-1, 0)
        if self._groups is not None:
            self._groups.remove_left()

    def _answer(self, **fields):
        line = json.dumps(fields).encode() + b"\n"
        while line:
            line = line[os.write(self._answers, line) :]


def _ended():
    """Processes that have ended since it was asked last: (pid, status, what they used)."""
    while True:
        try:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        yield pid, status, usage


def _kill_tree(child: Child):
    end_process(child.pid)
    if not child.nested:
        _kill_group(child.pid)


def _kill_group(leader: int):
    """A child leads a group of its own from its first moments; before, there is nothing but itself."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        pass
