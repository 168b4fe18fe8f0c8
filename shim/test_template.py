"""The template and its children: forks, ends, signals, and that no state leaks from one to another."""

import os
import signal
import subprocess
import sys
import time
import unittest

from stand_in_worker import PATIENCE_S, SHIM, StandInWorker, SteeredTemplate, read_frame
from test_results import handler

CSV = "a,b,c,d,e\n" + "".join(f"{n},x{n},{n / 7},2020-01-01,foo\n" for n in range(100))


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def links(pid: int) -> "dict[str, str]":
    """What the descriptors of a process stand for."""
    folder = f"/proc/{pid}/fd"
    return {name: os.readlink(f"{folder}/{name}") for name in os.listdir(folder)}


def processes_with(mark: str) -> "list[int]":
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/cmdline") as file:
                if mark in file.read() and alive(int(name)):
                    found.append(int(name))
        except OSError:
            pass
    return found


def until(condition):
    """The kernel tells nobody when a process of somebody else's is gone, so look until it is."""
    limit_s = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > limit_s:
            raise TimeoutError
        time.sleep(0.002)


class TemplateTest(unittest.TestCase):
    def setUp(self):
        self.worker = StandInWorker()
        self.addCleanup(self.worker.close)
        self.template = SteeredTemplate(self.worker)
        self.addCleanup(self.template.close)

    def test_it_answers_a_ping_and_refuses_nonsense_without_falling(self):
        self.template.process.stdin.write(b'not json\n[]\n{"op":"dance"}\n{"op":"fork"}\n')
        for _ in range(4):
            self.template.answer("refused")
        self.template.tell(op="ping", n=3)
        self.assertEqual(self.template.answer("pong"), {"event": "pong", "n": 3})

    def test_one_child_runs_a_thousand_jobs_with_pandas_and_pyarrow(self):
        path = self.worker.file("a.csv", CSV)
        code = (
            "import pandas as pd, pyarrow.csv\nclass Handler:\n    def execute(self, path):\n"
            "        yield pd.read_csv(path)\n        yield 'arrow', pyarrow.csv.read_csv(path)\n"
        )
        child = self.template.fork()
        for n in range(1000):
            outcome = child.run(code if n == 0 else None, path, job_id=n)
            self.assertTrue(outcome.ended, outcome.error)
        self.assertEqual(outcome.table().num_rows, 100)
        self.assertEqual(outcome.table("arrow").num_rows, 100)
        self.assertEqual(child.close()["code"], 0)

    def test_two_hundred_forks_read_files_without_a_hang(self):
        path = self.worker.file("a.csv", CSV)
        large = self.worker.file("b.csv", CSV + CSV.partition("\n")[2] * 400)
        arrow = "import pyarrow.csv\nyield 'arrow', pyarrow.csv.read_csv(file_path)"
        body = f"yield pd.read_csv(file_path)\n{arrow}"
        for n in range(200):
            outcome = self.template.run(handler(body), large if n % 20 == 0 else path)
            self.assertTrue(outcome.ended, outcome.error)

    def test_children_work_side_by_side(self):
        path = self.worker.file("a.csv", CSV)
        children = [self.template.fork() for _ in range(8)]
        for child in children:
            child.start(handler("import time\ntime.sleep(0.05)\nyield pd.read_csv(file_path)"), path)
        for child in reversed(children):
            self.assertTrue(child.outcome().ended)
            child.close()

    def test_a_new_handler_serves_each_job_and_the_module_is_run_once(self):
        code = (
            "import os\nRUNS = []\nRUNS.append(1)\nclass Handler:\n    def __init__(self): self.seen = 0\n"
            "    def execute(self, path):\n        self.seen += 1\n        RUNS.append(1)\n"
            "        yield {'seen': [self.seen], 'runs': [len(RUNS)], 'job': [os.environ['BRIDGE_JOB_ID']]}\n"
        )
        child = self.template.fork()
        rows = [child.run(code if n == 0 else None, job_id=n).table().to_pylist()[0] for n in range(3)]
        wanted = [{"seen": 1, "runs": n + 2, "job": str(n)} for n in range(3)]
        self.assertEqual(rows, wanted)
        child.close()

    def test_children_draw_different_random_numbers(self):
        body = "import random, numpy\nyield {'r': [random.random()], 'n': [numpy.random.random()]}"
        rows = [self.template.run(handler(body)).table().to_pylist()[0] for _ in range(2)]
        self.assertNotEqual(rows[0]["r"], rows[1]["r"])
        self.assertNotEqual(rows[0]["n"], rows[1]["n"])

    def test_a_child_has_no_descriptor_but_its_own(self):
        sibling = self.template.fork()
        child = self.template.fork()
        child.start(handler("print('up')\nwhile True: pass"))
        read_frame(child.connection)
        of_template, of_sibling, of_child = map(links, (self.template.process.pid, sibling.pid, child.pid))
        output = {of_child["1"], of_child["2"]}
        self.assertEqual(of_child["0"], "/dev/null")
        private = {link for link in of_child.values() if link.startswith(("pipe:", "socket:"))}
        self.assertEqual(private & set(of_template.values()), output)
        self.assertEqual(private & set(of_sibling.values()), set())
        for ended in (sibling, child):
            self.template.tell(op="kill", child=ended.name)
            ended.close()

    def test_a_cancelled_generator_cleans_up_and_the_job_ends_as_cancelled(self):
        path = os.path.join(self.worker.folder, "cleaned")
        body = (
            "import time\ntry:\n    yield {'a': [1]}\n    print('waiting')\n"
            "    try:\n        time.sleep(600)\n    except Exception:\n        pass\n"
            f"finally:\n    open({path!r}, 'w').close()"
        )
        child = self.template.fork()
        child.start(handler(body))
        while read_frame(child.connection)["type"] != "log":
            pass
        self.template.tell(op="cancel", child=child.name)
        outcome = child.outcome()
        self.assertEqual(outcome.error, "Cancelled")
        self.assertTrue(os.path.exists(path))
        child.close()

    def test_how_far_a_job_had_come_is_told_whatever_ended_it(self):
        yields = "yield {'a': [1, 2]}\nyield {'a': [3]}\n"
        ends = {"raise": "raise ValueError", "exit": "import os; os._exit(0)", "crash": "os.abort()"}
        for name, end in ends.items():
            with self.subTest(name):
                child = self.template.fork()
                child.run(handler("yield {'a': [1] * 9}"))
                child.run(None)
                child.close()
                child = self.template.fork()
                child.run(handler(f"import os\n{yields}{end}"))
                exited = child.close()
                self.assertEqual((exited["rows"], exited["batches"]), (3, 2))

    def test_a_cancel_never_cuts_a_frame(self):
        child = self.template.fork()
        child.start(handler("table = pa.table({'s': ['x' * 100] * 30_000})\nwhile True: yield table"))
        for _ in range(3):
            read_frame(child.connection)
        self.template.tell(op="cancel", child=child.name)
        self.assertEqual(child.outcome().error, "Cancelled")
        child.close()

    def test_a_cancel_is_seen_however_close_it_comes_before_a_wait(self):
        for _ in range(60):
            child = self.template.fork()
            child.start(handler("import time\nprint('up')\ntime.sleep(600)"))
            read_frame(child.connection)
            self.template.tell(op="cancel", child=child.name)
            self.assertEqual(child.outcome().error, "Cancelled")
            child.close()

    def test_a_cancel_of_an_idle_child_ends_it(self):
        child = self.template.fork()
        self.template.tell(op="cancel", child=child.name)
        self.assertEqual(child.exited()["code"], 0)
        child.connection.close()

    def test_a_kill_ends_what_the_job_started_however_it_detached(self):
        for nested in (True, False):
            with self.subTest(nested=nested):
                mark = f"{self.worker.folder}/{nested}"
                # A session of its own, and a parent that ends at once: nothing ties it to the child.
                inner = f"(sleep 600; : {mark}) &"
                body = f"import subprocess\nsubprocess.run(['setsid', 'sh', '-c', {inner!r}])\nprint('up')\nwhile True: pass"
                child = self.template.fork(nested=nested)
                if nested and not child.nested:
                    self.skipTest("this kernel gives no PID namespace")
                child.start(handler(body))
                while read_frame(child.connection)["type"] != "log":
                    pass
                until(lambda: processes_with(mark))
                self.template.tell(op="kill", child=child.name)
                self.assertEqual(child.exited()["signal"], signal.SIGKILL)
                until(lambda: not processes_with(mark))
                child.connection.close()

    def test_what_a_job_leaves_running_is_ended_and_the_child_with_it(self):
        for nested in (True, False):
            with self.subTest(nested=nested):
                child = self.template.fork(nested=nested)
                if nested and not child.nested:
                    self.skipTest("this kernel gives no PID namespace")
                mark = f"{self.worker.folder}/left"
                inner = f"(sleep 600; : {mark}) & (setsid sleep 600; : {mark}) &"
                outcome = child.run(handler(f"import subprocess\nsubprocess.run(['sh', '-c', {inner!r}])"))
                self.assertTrue(outcome.ended)
                self.assertTrue(outcome.progress[-1]["last"])
                self.assertEqual(processes_with(mark), [])
                child.exited()
                child.connection.close()

    def test_a_child_that_left_nothing_goes_on(self):
        child = self.template.fork()
        outcome = child.run(handler("import subprocess\nsubprocess.run(['true'])\nyield {'a': [1]}"))
        self.assertNotIn("last", outcome.progress[-1])
        child.close()

    def test_the_end_of_its_input_ends_the_template_and_its_children(self):
        children = [self.template.fork(nested) for nested in (True, False)]
        for child in children:
            child.start(handler("import time\nprint('up')\ntime.sleep(600)"))
            self.assertEqual(read_frame(child.connection)["type"], "log")
        self.template.close()
        for child in children:
            self.assertFalse(child.outcome().ended)
            self.assertFalse(alive(child.pid))
            child.connection.close()

    def test_children_die_with_a_template_that_is_killed(self):
        children = [self.template.fork(nested) for nested in (True, False)]
        self.template.process.kill()
        self.template.process.wait()
        for child in children:
            self.assertFalse(child.outcome().ended)
            until(lambda: not alive(child.pid))
            child.connection.close()

    def test_ctrl_c_in_a_terminal_does_not_end_it(self):
        self.template.process.send_signal(signal.SIGINT)
        self.template.tell(op="ping", n=1)
        self.template.answer("pong")

    def test_memory_is_reported_with_each_job_and_at_the_end(self):
        child = self.template.fork()
        body = "keep = bytearray(64 << 20)\nkeep[::4096] = b'x' * len(keep[::4096])\nyield {'a': [1]}"
        outcome = child.run(handler(body))
        self.assertGreater(outcome.progress[-1]["rss_kib"], 30_000)
        self.assertGreater(child.close()["rss_peak_kib"], outcome.progress[-1]["rss_kib"])


class TemplateWithoutParts(unittest.TestCase):
    def test_a_worker_that_died_before_the_template_was_ready_leaves_nothing(self):
        command = [sys.executable, SHIM, "--template"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        process.stdin.close()
        process.stdout.close()
        self.assertIsNotNone(process.wait(PATIENCE_S))


if __name__ == "__main__":
    unittest.main()
