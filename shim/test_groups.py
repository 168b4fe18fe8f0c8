"""Control groups: their files by a folder that stands in, and the kernel's own where there are some."""

import os
import shutil
import signal
import tempfile
import unittest

from bridge_groups import MemoryGroups
from stand_in_worker import StandInWorker, SteeredTemplate
from test_results import handler
from test_template import processes_with, until

ROOT = "/sys/fs/cgroup"


def own_group() -> str:
    """A group of the kernel's that tests may use. Raises OSError, with the reason, if there is none."""
    with open(f"{ROOT}/cgroup.subtree_control") as file:
        if "memory" not in file.read().split():
            raise OSError("the controller memory is not enabled for groups")
    return tempfile.mkdtemp(prefix="casparian-test-", dir=ROOT)


class PretendGroupsTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.groups = MemoryGroups(os.open(self.folder, os.O_RDONLY))
        self.addCleanup(self.groups.close)

    def content(self, file: str) -> str:
        with open(f"{self.folder}/casparian-c1/{file}") as opened:
            return opened.read()

    def test_a_child_is_put_into_a_group_that_ends_whole_and_is_not_swapped_out(self):
        self.groups.enter("c1", 77)
        self.groups.limit("c1", 2048)
        wanted = {"cgroup.procs": "77", "memory.oom.group": "1", "memory.swap.max": "0"}
        wanted["memory.max"] = str(2048 * 1024)
        self.assertEqual({name: self.content(name) for name in wanted}, wanted)

    def test_only_the_kernels_own_kill_counts(self):
        self.groups.enter("c1", 77)
        self.assertFalse(self.groups.killed_at_limit("c1"))
        for events, killed in (("oom 3\noom_kill 0\n", False), ("oom 1\noom_kill 2\n", True)):
            with open(f"{self.folder}/casparian-c1/memory.events", "w") as file:
                file.write(events)
            self.assertEqual(self.groups.killed_at_limit("c1"), killed)

    def test_a_group_that_can_not_go_yet_goes_later(self):
        os.mkdir(f"{self.folder}/casparian-c1")
        os.mkdir(f"{self.folder}/casparian-c2")
        with open(f"{self.folder}/casparian-c1/busy", "w"):
            pass
        self.groups.leave("c1")
        self.assertEqual(self.content("cgroup.kill"), "1")
        for name in os.listdir(f"{self.folder}/casparian-c1"):
            os.unlink(f"{self.folder}/casparian-c1/{name}")
        self.groups.remove_left()
        self.assertEqual(os.listdir(self.folder), ["casparian-c2"])


class KernelGroupsTest(unittest.TestCase):
    def setUp(self):
        try:
            self.group = own_group()
        except OSError as error:
            self.skipTest(f"no control groups of version 2 here: {error}")
        self.addCleanup(os.rmdir, self.group)
        with open(f"{self.group}/cgroup.subtree_control", "w") as file:
            file.write("+memory")
        self.worker = StandInWorker()
        self.addCleanup(self.worker.close)
        self.template = SteeredTemplate(self.worker, groups=self.group)
        self.addCleanup(self.template.close)

    def limited(self, body: str, nested: bool = True):
        child = self.template.fork(nested=nested)
        self.template.tell(op="limit", child=child.name, memory_kib=100 << 10)
        child.start(handler(body))
        return child

    def test_the_kernel_ends_a_child_at_its_limit_and_the_report_says_so(self):
        child = self.limited("kept = b'x' * (300 << 20)\nyield {'a': [len(kept)]}")
        exited = child.exited()
        child.connection.close()
        self.assertEqual((exited["signal"], exited["over_memory_kib"]), (signal.SIGKILL, 100 << 10))
        self.assertEqual(self.groups(), [])

    def test_files_in_memory_and_processes_that_detached_count_and_end_with_it(self):
        fill = "head -c 60m /dev/zero >/dev/shm/casparian-test; sleep 600"
        mark = f"{self.worker.folder}/detached"
        hold = f"import time; kept = b'x' * (70 << 20); time.sleep(600); {mark!r}"
        body = (
            "import subprocess, sys, time\n"
            f"subprocess.run(['setsid', 'sh', '-c', '({fill}) & \"$@\" &', 'sh', sys.executable, '-c', {hold!r}])\n"
            "time.sleep(600)"
        )
        try:
            exited = (child := self.limited(body, nested=False)).exited()
            child.connection.close()
            self.assertEqual(exited["over_memory_kib"], 100 << 10)
            until(lambda: not processes_with(mark))
            until(lambda: self.groups() == [])
        finally:
            if os.path.exists("/dev/shm/casparian-test"):
                os.unlink("/dev/shm/casparian-test")

    def test_a_child_below_its_limit_runs_many_jobs_and_leaves_no_group(self):
        child = self.template.fork()
        self.template.tell(op="limit", child=child.name, memory_kib=100 << 10)
        for n in range(20):
            body = "yield {'a': [len(b'x' * (40 << 20))]}"
            self.assertTrue(child.run(handler(body) if n == 0 else None).ended)
        self.assertEqual(len(self.groups()), 1)
        self.assertNotIn("over_memory_kib", child.close())
        self.assertEqual(self.groups(), [])

    def groups(self) -> "list[str]":
        return [name for name in os.listdir(self.group) if name.startswith("casparian-")]


if __name__ == "__main__":
    unittest.main()
