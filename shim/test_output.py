"""What a plugin prints: levels, order, bounds, and the ways around Python's own streams."""

import os
import textwrap
import time
import unittest

from bridge_logs import JOB_BYTES_MAX, MESSAGE_BYTES_MAX, _messages, truncated
from stand_in_worker import StandInWorker, SteeredTemplate, read_frame
from test_results import handler

HEAD = "import ctypes, logging, os, subprocess, sys, threading, warnings\n"


class OutputTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.worker = StandInWorker()
        cls.template = SteeredTemplate(cls.worker)

    @classmethod
    def tearDownClass(cls):
        cls.template.close()
        cls.worker.close()

    def logs(self, body: str) -> list:
        outcome = self.template.run(handler(textwrap.dedent(body), head=HEAD))
        self.assertIsNone(outcome.error)
        self.assertTrue(outcome.ended)
        return outcome.logs

    def test_prints_and_records_arrive_in_order_with_their_levels(self):
        body = """
        print("one", 1)
        print("two", file=sys.stderr)
        logging.getLogger().setLevel(logging.DEBUG)
        for level in (10, 20, 30, 40, 50):
            logging.log(level, "level %d", level)
        logging.getLogger("lib").info("named")
        print("three\\nfour")
        sys.stdout.buffer.write("bytes ü\\n".encode())
        """
        wanted = [(0, "one 1"), (1, "two"), (2, "level 10"), (3, "level 20"), (4, "level 30")]
        wanted += [(5, "level 40"), (5, "level 50"), (3, "lib: named"), (0, "three\nfour"), (0, "bytes ü")]
        self.assertEqual(self.logs(body), wanted)

    def test_a_record_brings_its_traceback(self):
        body = """
        try:
            1 / 0
        except ZeroDivisionError:
            logging.exception("odd")
        """
        ((level, text),) = self.logs(body)
        self.assertEqual(level, 5)
        self.assertTrue(text.startswith("odd\nTraceback") and text.endswith("by zero"), text)

    def test_output_below_python_arrives_too(self):
        body = """
        os.write(1, b"raw\\n")
        subprocess.run(["sh", "-c", "echo child; echo fault >&2"], check=True)
        ctypes.CDLL(None).puts(b"from C")
        """
        logs = self.logs(body)
        self.assertEqual("\n".join(text for level, text in logs if level == 0), "raw\nchild\nfrom C")
        self.assertIn((1, "fault"), logs)

    def test_a_process_that_the_plugin_forks_prints_without_breaking_a_frame(self):
        body = """
        print("parent")
        if os.fork() == 0:
            print("forked", flush=True)
            os._exit(0)
        os.wait()
        """
        self.assertEqual(sorted(self.logs(body)), [(0, "forked"), (0, "parent")])

    def test_text_that_is_no_unicode_does_not_fail(self):
        self.assertEqual(self.logs('print("a\\udcffb\\ud800")'), [(0, "a\\udcffb\\ud800")])
        self.assertEqual(self.logs('os.write(1, b"a\\xffb\\n")'), [(0, "a\ufffdb")])

    def test_a_half_line_is_sent_at_the_end_or_when_flushed_and_its_break_is_no_line(self):
        self.assertEqual(self.logs('print("half", end="")'), [(0, "half")])
        body = 'print("a", end="", flush=True)\nprint()\nprint()\nprint("b")'
        self.assertEqual(self.logs(body), [(0, "a"), (0, ""), (0, "b")])

    def test_closing_or_replacing_a_stream_concerns_one_job_only(self):
        child = self.template.fork()
        body = "sys.stdout.close()\nsys.stderr = None\nsys.stdin.read()"
        self.assertTrue(child.run(handler(body, head=HEAD)).ended)
        self.assertTrue(child.run(None).ended)
        child.close()

    def test_each_message_is_at_most_64_kib_and_nothing_is_lost(self):
        logs = self.logs('print("ü" * 100_000 + "\\n" + "x" * 70_000)')
        self.assertLessEqual(max(len(text.encode()) for _, text in logs), MESSAGE_BYTES_MAX)
        self.assertEqual("".join(text for _, text in logs), "ü" * 100_000 + "x" * 70_000)

    def test_messages_are_cut_between_characters(self):
        for shift in range(4):
            text = b"x" * shift + "🦉".encode() * 40_000
            parts = list(_messages(text))
            self.assertEqual(b"".join(parts), text)
            for part in parts:
                part.decode()

    def test_many_lines_are_gathered_but_all_there(self):
        logs = self.logs("for n in range(20_000): print(n)")
        self.assertEqual("\n".join(text for _, text in logs).split("\n"), [str(n) for n in range(20_000)])
        self.assertLess(len(logs), 2_000)

    def test_a_flood_is_cut_off_and_costs_little(self):
        floods = {
            "lines": 'for n in range(800_000): print("x" * 63)',
            "one text": 'print("x" * 50_000_000)',
            "below Python": 'for n in range(800): os.write(1, b"x" * 65535 + b"\\n")',
        }
        for name, body in floods.items():
            with self.subTest(name):
                start_s = time.monotonic()
                logs = self.logs(body)
                self.assertEqual(logs[-1], (4, truncated(JOB_BYTES_MAX)))
                self.assertEqual([text for _, text in logs].count(truncated(JOB_BYTES_MAX)), 1)
                size = sum(len(text.encode()) + 1 for _, text in logs[:-1])
                self.assertLessEqual(size, JOB_BYTES_MAX + len(logs))
                self.assertGreater(size, JOB_BYTES_MAX * 0.98)
                self.assertLess(time.monotonic() - start_s, 20)

    def test_a_job_may_have_a_smaller_bound_and_the_next_one_its_own(self):
        child = self.template.fork()
        for log_bytes, lines in ((2 * 82, 2), (4 * 82, 4)):  # a line's break and cost count as well
            outcome = child.run(handler("for n in range(9): print('x' * 49)"), log_bytes=log_bytes)
            text = "\n".join(text for level, text in outcome.logs if level == 0)
            self.assertEqual(text.count("x"), lines * 49)
            self.assertEqual(outcome.logs[-1], (4, truncated(log_bytes)))
        child.close()

    def test_a_line_is_there_while_the_job_still_runs(self):
        child = self.template.fork()
        path = self.worker.file("gate")
        os.unlink(path)
        os.mkfifo(path)
        child.start(handler('print("alive")\nfor n in range(200): print(n)\nopen(file_path).read()'), path)
        seen = ""
        while not seen.endswith("199\n"):
            seen += read_frame(child.connection)["text"] + "\n"
        self.assertTrue(seen.startswith("alive\n0\n"))
        open(path, "w").close()
        self.assertTrue(child.outcome().ended)
        child.close()
        os.unlink(path)


if __name__ == "__main__":
    unittest.main()
