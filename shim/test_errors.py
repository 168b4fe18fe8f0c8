"""What goes wrong in a plugin, and what its author gets to read."""

import os
import textwrap
import unittest

from stand_in_worker import SteeredTemplate, StandInWorker
from test_results import handler


class ErrorsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.worker = StandInWorker()
        cls.template = SteeredTemplate(cls.worker)

    @classmethod
    def tearDownClass(cls):
        cls.template.close()
        cls.worker.close()

    def error(self, code: str) -> str:
        outcome = self.template.run(textwrap.dedent(code))
        self.assertFalse(outcome.ended)
        self.assertIsNotNone(outcome.error)
        return outcome.error

    def test_a_traceback_holds_the_plugins_own_lines_only(self):
        code = """\
        import json
        class Handler:
            def execute(self, file_path):
                yield {"a": [1]}
                self.read("{")
            def read(self, text):
                json.loads(text)
        """
        lines = self.error(code).splitlines()
        self.assertEqual(lines[0], "Traceback (most recent call last):")
        self.assertEqual(lines[1], '  File "demo.py", line 5, in execute')
        self.assertEqual(lines[2], '    self.read("{")')
        self.assertTrue(lines[-1].startswith("json.decoder.JSONDecodeError: Expecting property"))
        self.assertNotIn("bridge_", "\n".join(lines))
        self.assertNotIn("decoder.py", "\n".join(lines))

    def test_causes_are_told_and_trimmed_as_well(self):
        code = """\
        import json
        class Mine(Exception): pass
        class Handler:
            def execute(self, file_path):
                try:
                    json.loads("{")
                except ValueError as error:
                    raise Mine("bad row") from error
        """
        error = self.error(code)
        self.assertIn("json.decoder.JSONDecodeError", error)
        self.assertIn("direct cause", error)
        self.assertNotIn("decoder.py", error)
        self.assertEqual(error.splitlines()[-1], "Mine: bad row")

    def test_a_syntax_error_shows_its_line(self):
        error = self.error("class Handler:\n    def execute(self, path)\n        pass\n")
        self.assertIn('File "demo.py", line 2', error)
        self.assertIn("def execute(self, path)", error)
        self.assertTrue(error.splitlines()[-1].startswith("SyntaxError: "), error)

    def test_a_missing_handler_or_method_says_what_to_add(self):
        error = self.error("class Reader: pass\n")
        self.assertIn("must define a class Handler: its classes are Reader", error)
        self.assertTrue(error.startswith("PluginError: "), error)
        self.assertIn("must have a method execute", self.error("class Handler: pass\n"))
        self.assertIn("must define a class Handler", self.error("Handler = 5\n"))

    def test_an_error_on_import_is_the_jobs_error(self):
        error = self.error("import no_such_module\nclass Handler: pass\n")
        self.assertIn('File "demo.py", line 1, in <module>', error)
        self.assertIn("ModuleNotFoundError: No module named 'no_such_module'", error)

    def test_the_shims_folder_is_not_on_the_plugins_path(self):
        self.assertIn("No module named 'stand_in_worker'", self.error("import stand_in_worker\n"))

    def test_leaving_early_is_an_error_also_with_code_0(self):
        for call, shown in (("sys.exit(0)", "(0)"), ("sys.exit()", "()"), ('sys.exit("bye")', "('bye')")):
            error = self.error(f"import sys\n{handler('yield dict(a=[1])' + chr(10) + call, head='')}")
            self.assertEqual(
                error.splitlines()[-1], f"SystemExit: The plugin called sys.exit{shown} before its end"
            )
            self.assertIn('File "demo.py", line 5, in execute', error)

    def test_memory_and_recursion_errors(self):
        self.assertTrue(self.error(handler("yield bytearray(1 << 62)")).startswith("MemoryError\n"))
        error = self.error("def f(): f()\n" + handler("f()"))
        self.assertIn("RecursionError: maximum recursion depth exceeded", error)
        self.assertLess(len(error), 4000)
        error = self.error("def f(n): g(n)\ndef g(n): f(n)\n" + handler("f(1)"))
        self.assertLess(len(error), 8000)

    def test_an_interrupt_a_base_exception_and_a_broken_str_are_errors_too(self):
        self.assertIn("KeyboardInterrupt", self.error(handler("raise KeyboardInterrupt")))
        self.assertIn("BaseException: x", self.error(handler('raise BaseException("x")')))
        code = "class Odd(Exception):\n    def __str__(self): raise ValueError\n" + handler("raise Odd")
        self.assertIn("Odd", self.error(code))

    def test_a_connection_error_of_the_plugin_is_its_own(self):
        error = self.error(handler('raise ConnectionRefusedError("no")'))
        self.assertIn("ConnectionRefusedError: no", error)

    def test_os_exit_and_a_crash_end_without_an_end_frame(self):
        for call, code, signal in (
            ("os._exit(0)", 0, None),
            ("os._exit(3)", 3, None),
            ("os.kill(os.getpid(), 9) or time.sleep(9)", None, 9),
            ("ctypes.string_at(0)", None, 11),
        ):
            with self.subTest(call):
                child = self.template.fork(nested=False)
                body = f"import ctypes, os, time\nprint('before')\nyield {{'a': [1]}}\n{call}"
                outcome = child.run(handler(body))
                self.assertFalse(outcome.ended)
                self.assertIsNone(outcome.error)
                self.assertEqual(outcome.text(0), ["before"])
                exited = child.close()
                self.assertEqual((exited["code"], exited["signal"]), (code, signal))
                if signal == 11:
                    self.assertIn("Segmentation fault", exited["output"])
                    self.assertIn('File "demo.py", line', exited["output"])

    def test_after_an_error_the_child_takes_no_further_job(self):
        child = self.template.fork()
        self.assertIsNotNone(child.run(handler("raise ValueError")).error)
        self.assertEqual(child.exited()["code"], 0)
        child.connection.close()

    def test_cleaning_up_happens_on_an_error_in_what_was_yielded(self):
        path = os.path.join(self.worker.folder, "cleaned")
        body = f"try:\n    yield 5\nfinally:\n    open({path!r}, 'w').close()"
        self.error(handler(body))
        self.assertTrue(os.path.exists(path))

    def test_odd_file_names_can_be_opened_and_named(self):
        body = 'print(file_path)\nyield {"text": [open(file_path).read()]}\nraise ValueError(file_path)'
        for name in ("a\nb.csv", "ü 🦉.csv", "bad\udcff.csv", "-x; rm *.csv"):
            with self.subTest(name):
                outcome = self.template.run(handler(body), self.worker.file(name, "content"))
                shown = name.encode("utf-8", "backslashreplace").decode()
                self.assertIn(shown, outcome.error)
                self.assertIn(shown, "\n".join(outcome.text(0)))


class PlainTest(unittest.TestCase):
    def setUp(self):
        self.worker = StandInWorker()
        self.addCleanup(self.worker.close)

    def test_a_plugin_runs_with_the_bridge_variables_alone(self):
        code = 'MANIFEST = {"topic": "sales"}\n' + handler('yield "sales", {"path": [file_path]}', head="")
        outcome, status = self.worker.run_plain(code, "/data/ü.csv")
        self.assertEqual(status, 0)
        self.assertTrue(outcome.ended)
        self.assertEqual(list(outcome.topics), ["output"])  # the default topic needs no topic frame
        self.assertEqual(outcome.progress[-1]["rows"], 1)

    def test_a_large_plugin_comes_as_a_file(self):
        code = handler('yield {"a": [1]}') + "# ü" * 100_000
        path = self.worker.file("large.py", code)
        outcome, status = self.worker.run_plain("", BRIDGE_PLUGIN_FILE=path)
        self.assertEqual((outcome.ended, status), (True, 0))
        outcome, status = self.worker.run_plain("", BRIDGE_PLUGIN_FILE=path + ".missing")
        self.assertIn("FileNotFoundError", outcome.error)
        self.assertEqual(status, 1)

    def test_a_failure_exits_with_1_and_code_in_another_encoding_is_read(self):
        code = "# coding: latin-1\n" + handler('raise ValueError("ü")', head="")
        outcome, status = self.worker.run_plain(code.encode("latin-1"))
        self.assertTrue(outcome.error.endswith("ValueError: ü"), outcome.error)
        self.assertEqual(status, 1)


if __name__ == "__main__":
    unittest.main()
