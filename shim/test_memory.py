"""What a child may hold, with all that it started: seen in time, charged fairly, ended whole."""

import os
import signal
import time
import unittest

from bridge_memory import INTERVAL_S, PSS_AGE_MAX_S, MemoryWatch, proportional_kib_of, resident_kib_of
from stand_in_worker import StandInWorker, SteeredTemplate, read_frame
from test_results import handler
from test_template import processes_with, until

MIB = 1024


class Machine:
    """Processes by hand: RSS and PSS of each in KiB, a tree for each child, a clock."""

    def __init__(self):
        self.resident = {}
        self.proportional = {}
        self.trees = {}
        self.now_s = 100.0
        self.pss_cost_s = 0.001
        self.pss_reads = 0
        self.watch = MemoryWatch(
            resident_kib=lambda pid: self.resident[pid],
            proportional_kib=self._read_pss,
            tree_of=lambda pid: self.trees.get(pid, [pid]),
            now_s=lambda: self.now_s,
        )

    def _read_pss(self, pid: int) -> int:
        self.pss_reads += 1
        self.now_s += self.pss_cost_s
        return self.proportional[pid]

    def hold(self, pid: int, resident_mib: float, proportional_mib: float):
        self.resident[pid] = round(resident_mib * MIB)
        self.proportional[pid] = round(proportional_mib * MIB)

    def look(self, after_s: float = INTERVAL_S) -> "list[tuple[int, int]]":
        self.now_s += after_s
        return self.watch.excesses()


class MemoryWatchTest(unittest.TestCase):
    def test_pss_is_not_read_below_the_limit_and_the_limit_itself_may_be_held(self):
        machine = Machine()
        machine.watch.limit(7, 100 * MIB)
        machine.hold(7, 100, 60)
        self.assertEqual(machine.look(), [])
        self.assertEqual(machine.pss_reads, 0)
        machine.hold(7, 101, 100)
        self.assertEqual(machine.look(), [])
        machine.hold(7, 102, 100.5)
        self.assertEqual(machine.look(), [(7, 100.5 * MIB)])

    def test_what_is_shared_is_measured_once_and_again_when_it_grew_or_grew_old(self):
        machine = Machine()
        machine.watch.limit(7, 100 * MIB)
        machine.hold(7, 150, 60)
        for _ in range(10):
            self.assertEqual(machine.look(), [])
        self.assertEqual(machine.pss_reads, 1)
        machine.look(PSS_AGE_MAX_S)
        self.assertEqual(machine.pss_reads, 2)
        machine.hold(7, 191, 101)
        self.assertEqual(machine.look(), [(7, 101 * MIB)])

    def test_a_tree_counts_as_a_whole_and_its_shares_are_not_trusted(self):
        machine = Machine()
        machine.watch.limit(7, 100 * MIB)
        machine.trees[7] = [7, 8]
        machine.hold(7, 60, 30)
        machine.hold(8, 60, 30)
        self.assertEqual(machine.look(), [])
        machine.proportional[8] = 71 * MIB  # it wrote to pages that they had shared: RSS stays
        self.assertEqual(machine.look(), [(7, 101 * MIB)])

    def test_near_the_limit_measuring_takes_a_part_of_the_time_only(self):
        machine = Machine()
        machine.pss_cost_s = 0.1
        machine.watch.limit(7, 100 * MIB)
        machine.trees[7] = [7, 8]
        machine.hold(7, 60, 30)
        machine.hold(8, 60, 30)
        start_s = machine.now_s
        while machine.now_s < start_s + 20:
            machine.look()
        self.assertLess(machine.pss_reads * machine.pss_cost_s, 0.25 * (machine.now_s - start_s))

    def test_it_looks_every_50_ms_and_not_at_all_when_nothing_is_watched(self):
        machine = Machine()
        self.assertIsNone(machine.watch.wait_s())
        machine.watch.limit(7, 100 * MIB)
        machine.hold(7, 10, 10)
        machine.look()
        self.assertAlmostEqual(machine.watch.wait_s(), INTERVAL_S)
        machine.hold(7, 200, 200)
        self.assertEqual(machine.look(INTERVAL_S / 2), [])
        self.assertEqual(machine.look(), [(7, 200 * MIB)])
        machine.watch.forget(7)
        self.assertIsNone(machine.watch.wait_s())

    def test_a_process_that_is_gone_holds_nothing(self):
        self.assertEqual((resident_kib_of(2**22 - 1), proportional_kib_of(2**22 - 1)), (0, 0))

    def test_eight_children_cost_under_one_percent_of_a_core(self):
        clock = iter(range(1_000_000))
        watch = MemoryWatch(now_s=lambda: next(clock))
        watch.limit(os.getpid(), 1 << 40)
        start_s, looks = time.process_time(), 200
        for _ in range(8 * looks):
            self.assertEqual(watch.excesses(), [])
        self.assertLess(time.process_time() - start_s, 0.01 * looks * INTERVAL_S)


GROW = "kept = []\nwhile True: kept.append(bytes(1 << 20).replace(b'\\0', b'x'))"


class LimitTest(unittest.TestCase):
    def setUp(self):
        self.worker = StandInWorker()
        self.addCleanup(self.worker.close)
        self.template = SteeredTemplate(self.worker)
        self.addCleanup(self.template.close)

    def limited(self, body: str, mib: int, nested: bool = True, **request):
        child = self.template.fork(nested=nested)
        self.template.tell(op="limit", child=child.name, memory_kib=mib * MIB)
        child.start(handler(body), **request)
        return child

    def exit_of(self, child) -> dict:
        exited = child.exited()
        child.connection.close()
        return exited

    def test_a_child_that_grows_past_its_limit_is_killed_and_the_report_says_what_it_held(self):
        exited = self.exit_of(self.limited(GROW, 300))
        self.assertEqual(exited["signal"], signal.SIGKILL)
        self.assertGreater(exited["over_memory_kib"], 300 * MIB)
        self.assertLess(exited["over_memory_kib"], 3000 * MIB)

    def test_a_child_below_its_limit_is_left_alone_whatever_it_shares_with_its_template(self):
        # Its RSS is over the limit, as it shares what the template has imported.
        child = self.limited("import time\nprint(1)\ntime.sleep(0.3)\nyield {'a': [1]}", 55)
        read_frame(child.connection)
        self.assertGreater(resident_kib_of(child.pid), 55 * MIB)
        self.assertTrue(child.outcome().ended)
        self.assertNotIn("over_memory_kib", child.close())

    def test_processes_that_it_started_count_however_they_detached(self):
        for nested in (True, False):
            with self.subTest(nested=nested):
                mark = f"{self.worker.folder}/{nested}"
                grow = f"x = b'x' * (400 << 20); import time; time.sleep(600); {mark!r}"
                # A double fork in a session of its own: the parent between them ends at once.
                body = (
                    f"import subprocess, sys, time\ninner = [sys.executable, '-c', {grow!r}]\n"
                    "subprocess.run(['setsid', 'sh', '-c', '\"$@\" &', 'sh', *inner])\n"
                    "time.sleep(600)"
                )
                child = self.limited(body, 300, nested)
                if nested and not child.nested:
                    self.skipTest("this kernel gives no PID namespace")
                exited = self.exit_of(child)
                self.assertGreater(exited["over_memory_kib"], 300 * MIB)
                until(lambda: not processes_with(mark))

    def test_what_asks_for_64_gib_at_once_is_refused_or_killed_and_the_template_goes_on(self):
        for body in (
            "yield {'a': [len(bytearray(64 << 30))]}",
            "import numpy\nnumpy.full(8 << 30, 1.5)",
            "import mmap\nm = mmap.mmap(-1, 15 << 30)\nfor n in range(0, len(m), 4096): m[n] = 1",
        ):
            with self.subTest(body):
                child = self.limited(body, 512, memory_bytes=512 << 20)
                outcome = child.outcome()
                if outcome.error is None:
                    self.assertGreater(child.exited()["over_memory_kib"], 512 * MIB)
                else:
                    self.assertTrue(outcome.error.startswith("MemoryError\n"), outcome.error)
                    child.exited()
                child.connection.close()
        self.template.tell(op="ping", n=1)
        self.template.answer("pong")

    def test_the_kernel_would_end_a_child_before_its_template(self):
        child = self.template.fork()
        child.start(handler("import time\nprint(1)\ntime.sleep(600)"))
        read_frame(child.connection)
        scores = []
        for pid in (child.pid, self.template.process.pid):
            with open(f"/proc/{pid}/oom_score_adj") as file:
                scores.append(int(file.read()))
        self.assertGreaterEqual(scores[0], scores[1] + 500)
        self.template.tell(op="kill", child=child.name)
        self.exit_of(child)


if __name__ == "__main__":
    unittest.main()
