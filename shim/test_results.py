"""Whatever a plugin may yield: what arrives, in which frames, and what is refused with which words."""

import unittest

import pyarrow as pa

from stand_in_worker import SteeredTemplate, StandInWorker

HEAD = "import pyarrow as pa\nimport pandas as pd\n"


def handler(body: str, head: str = HEAD) -> str:
    lines = "\n".join("        " + line for line in body.strip("\n").split("\n"))
    return f"{head}class Handler:\n    def execute(self, file_path):\n{lines}\n"


class ResultsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.worker = StandInWorker()
        cls.template = SteeredTemplate(cls.worker)

    @classmethod
    def tearDownClass(cls):
        cls.template.close()
        cls.worker.close()

    def rows(self, body: str, topic: str = "output") -> list:
        outcome = self.template.run(handler(body))
        self.assertIsNone(outcome.error)
        return outcome.table(topic).to_pylist()

    def error(self, body: str, **request) -> str:
        outcome = self.template.run(handler(body), **request)
        self.assertFalse(outcome.ended)
        self.assertIsNotNone(outcome.error)
        return outcome.error

    def test_every_kind_of_result_arrives_as_the_same_rows(self):
        wanted = [{"a": 1, "b": "x"}, {"a": 2, "b": None}]
        columns = '{"a": [1, 2], "b": ["x", None]}'
        for result in (
            columns,
            f"pa.table({columns})",
            f"pa.record_batch({columns})",
            f"pa.table({columns}).to_reader()",
            f"pd.DataFrame({columns})",
            f"pa.chunked_array([pa.record_batch({columns}).to_struct_array()])",
            f"pa.record_batch({columns}).to_struct_array()",
            '[{"a": 1, "b": "x"}, {"a": 2}]',
            '{"a": pa.array([1, 2]), "b": pd.Series(["x", None])}',
        ):
            for word in ("yield", "return"):
                with self.subTest(result, word=word):
                    self.assertEqual(self.rows(f"{word} {result}"), wanted)

    def test_an_iterator_a_list_of_tables_and_chunks_of_pandas_may_be_returned(self):
        self.assertEqual(self.rows('return iter([{"a": [1]}, {"a": [2]}])'), [{"a": 1}, {"a": 2}])
        self.assertEqual(self.rows('return [pa.table({"a": [1]}), {"a": [2]}]'), [{"a": 1}, {"a": 2}])
        body = 'import io\nreturn pd.read_csv(io.StringIO("a\\n1\\n2\\n3\\n"), chunksize=2)'
        self.assertEqual(self.rows(body), [{"a": 1}, {"a": 2}, {"a": 3}])

    def test_nothing_yielded_is_a_success_without_batches(self):
        for body in ("return", "yield None", "return []", "yield []\nyield pd.DataFrame()", "return {}"):
            with self.subTest(body):
                outcome = self.template.run(handler(body))
                self.assertTrue(outcome.ended)
                self.assertEqual(outcome.topics, {})

    def test_an_empty_table_still_tells_its_columns(self):
        for result in ('pa.table({"a": pa.array([], pa.int8())})',):
            outcome = self.template.run(handler(f"yield {result}\nyield {result}.to_reader()"))
            self.assertEqual(outcome.table().schema, pa.schema([("a", pa.int8())]))
            self.assertEqual(outcome.progress[-1]["rows"], 0)

    def test_pairs_go_to_their_topics_and_the_rest_to_the_default(self):
        outcome = self.template.run(
            handler('yield "x", {"a": [1]}\nyield {"b": [2]}\nyield "x", {"a": [3]}\nyield "y", {"c": [4]}')
        )
        tables = {topic: outcome.table(topic).to_pydict() for topic in outcome.topics}
        self.assertEqual(tables, {"x": {"a": [1, 3]}, "output": {"b": [2]}, "y": {"c": [4]}})

    def test_the_older_style_publishes_by_handles(self):
        code = """
class Handler:
    def configure(self, context, config):
        self.context, self.config = context, config
        self.good, self.bad = context.register_topic("good"), context.register_topic("bad")

    def consume(self, event):
        self.context.publish(self.good, {"path": [event.path], "same": [event.file_path == event.path]})
        self.context.publish(self.bad, [{"version": event.file_version_id, "c": self.config["c"]}])
"""
        outcome = self.template.run(code, "/data/f", config={"c": 3}, topics=["good", "bad"])
        self.assertEqual(outcome.table("good").to_pylist(), [{"path": "/data/f", "same": True}])
        self.assertEqual(outcome.table("bad").to_pylist(), [{"version": 7, "c": 3}])

    def test_configure_gets_the_manifests_config_where_the_request_has_none(self):
        code = """
MANIFEST = {"pattern": "*", "topic": "t", "config": {"sep": ";"}}
class Handler:
    def configure(self, context, config): self.config = config
    def execute(self, path): yield {"sep": [self.config["sep"]]}
"""
        self.assertEqual(self.template.run(code).table().to_pylist(), [{"sep": ";"}])

    def test_pandas_metadata_and_row_numbers_stay_behind_and_a_named_index_becomes_a_column(self):
        body = 'frame = pd.DataFrame({"a": [1.5]}, index=pd.Index(["k"], name="key"))\nyield frame'
        outcome = self.template.run(handler(body))
        self.assertEqual(outcome.table().to_pylist(), [{"key": "k", "a": 1.5}])
        self.assertIsNone(outcome.table().schema.metadata)
        self.assertEqual(self.rows('yield pd.DataFrame({"a": [1, 2, 3]})[1:]'), [{"a": 2}, {"a": 3}])

    def test_encoded_columns_arrive_as_plain_ones(self):
        body = """
import pyarrow.compute as pc
d = pa.array(["u", "v"]).dictionary_encode()
nested = pa.array([["u"], ["v", "u"]], pa.list_(pa.dictionary(pa.int8(), pa.string())))
view = pa.array(["p", "q"], pa.string_view())
yield {"d": d, "n": nested, "r": pc.run_end_encode(pa.array([1, 1])), "s": view}
yield {"d": ["w"], "n": [["z"]], "r": [2], "s": ["x"]}
yield pd.DataFrame({"d": ["w"], "n": [["z"]], "r": [2], "s": ["x"]}).astype({"d": object, "s": object})
"""
        outcome = self.template.run(handler(body))
        self.assertIsNone(outcome.error)
        types = {field.name: str(field.type) for field in outcome.table().schema}
        self.assertEqual(types["d"], "string")
        self.assertEqual(types["r"], "int64")
        self.assertEqual(types["s"], "string")
        self.assertEqual(outcome.table()["n"].to_pylist(), [["u"], ["v", "u"], ["z"], ["z"]])
        self.assertEqual(outcome.table()["d"].to_pylist(), ["u", "v", "w", "w"])

    def test_columns_in_another_order_and_columns_of_nulls_fit(self):
        tables = ('{"a": [1], "b": [None]}', '{"b": ["x"], "a": [2]}', '{"a": [None], "b": [None]}')
        body = "\n".join(f"yield {table}" for table in tables)
        wanted = [{"a": 1, "b": None}, {"a": 2, "b": "x"}, {"a": None, "b": None}]
        self.assertEqual(self.rows(body), wanted)

    def test_a_column_of_nulls_already_sent_cannot_take_a_type(self):
        body = 'yield {"a": pa.nulls(1), "b": ["x" * 2_000_000]}\nyield {"a": [1], "b": ["y"]}'
        error = self.error(body)
        self.assertIn("result 2", error)
        self.assertIn("column 'a' held only nulls", error)

    def test_two_schemas_for_one_topic_are_named_with_their_differences(self):
        error = self.error('yield {"a": [1], "b": [1]}\nyield {"a": [2.5], "c": [1]}')
        for part in (
            "result 2 to topic 'output'",
            "column 'a' was int64 and is now double",
            "column 'b' is missing",
            "column 'c' (int64) is new",
            "the first had (a: int64, b: int64), this one has (a: double, c: int64)",
            'File "demo.py", line 6, in execute',
        ):
            self.assertIn(part, error)

    def test_what_breaks_a_rule_is_refused_with_the_plugins_line(self):
        for body, part in (
            ('yield pa.table([[1], [2]], names=["a", "a"])', "'a' occurs twice"),
            ('yield pd.DataFrame([[1, 2]], columns=["a", "a"])', "'a' occurs twice"),
            ("yield 5", "got int"),
            ("return 5", "got int"),
            ('yield {"a": 1}', "column 'a' is int"),
            ('yield {"a": [1, 2], "b": [1]}', "{'a': 2, 'b': 1}"),
            ('yield [{"a": 1}, 2]', "item 1 is int"),
            ('yield [{"a": 1}, {"a": "x"}]', "column 'a' as its values must be of one type"),
            ('yield pd.DataFrame({"a": [1, "x"]})', "column 'a' as its values must be of one type"),
            ('yield "a/b", {"a": [1]}', "got 'a/b'"),
            ('yield "", {"a": [1]}', "got ''"),
            ('yield "x" * 129, {"a": [1]}', "at most 128"),
            ("yield {1: [1]}", "got 1"),
        ):
            with self.subTest(body):
                error = self.error(body)
                self.assertIn(part, error)
                self.assertTrue(error.splitlines()[-1].startswith("PluginError: Cannot "), error)
                if body.startswith("yield"):
                    self.assertIn('File "demo.py", line 5, in execute', error)

    def test_a_topic_that_the_manifest_does_not_name_is_refused(self):
        error = self.error('yield "x", {"a": [1]}', topics=["output", "y"])
        self.assertIn("it names output, y", error)

    def test_many_small_results_are_gathered_in_order(self):
        outcome = self.template.run(handler('for n in range(3000): yield [{"n": n, "s": "x" * (n % 9)}]'))
        self.assertEqual(outcome.table()["n"].to_pylist(), list(range(3000)))
        self.assertEqual(outcome.table().num_rows, 3000)
        self.assertEqual(len(outcome.topics["output"]), 1)
        self.assertEqual(outcome.table()["n"].num_chunks, 1)
        self.assertEqual(outcome.progress[-1]["batches"], 3000)

    def test_arrays_may_be_reused_after_a_yield(self):
        body = """
import numpy as np
array = np.zeros(4, dtype="int64")
for n in range(3):
    array[:] = n
    yield {"n": array}
"""
        self.assertEqual([row["n"] for row in self.rows(body)], [0] * 4 + [1] * 4 + [2] * 4)

    def test_a_large_table_is_cut_into_frames_below_the_limit(self):
        body = 'yield pa.table({"n": pa.array(range(3_000_000)), "s": pa.array(["abcdefgh"] * 3_000_000)})'
        outcome = self.template.run(handler(body))
        frames = outcome.topics["output"]
        self.assertGreater(len(frames), 1)
        self.assertLessEqual(max(map(len, frames)), 16 * 1024 * 1024)
        self.assertEqual(outcome.table()["n"].to_pylist(), list(range(3_000_000)))

    def test_rows_of_very_different_sizes_keep_to_the_limit_and_a_giant_row_goes_alone(self):
        body = """
sizes = [9_000_000] * 4 + [1] * 1000 + [20_000_000, 1]
yield pa.table({"n": list(range(len(sizes))), "s": ["x" * size for size in sizes]})
"""
        outcome = self.template.run(handler(body))
        self.assertEqual(outcome.table()["n"].to_pylist(), list(range(1006)))
        self.assertEqual(len([f for f in outcome.topics["output"] if len(f) > 16 * 1024 * 1024]), 1)

    def test_a_row_over_the_bridges_bound_is_refused(self):
        error = self.error('yield {"s": ["x" * (256 * 1024 * 1024)]}')
        self.assertIn("split its values over several rows", error)

    def test_the_same_input_gives_the_same_bytes(self):
        code = handler('for n in range(500): yield pd.DataFrame({"n": [n], "s": [str(n)]})')
        self.assertEqual(self.template.run(code).topics, self.template.run(code).topics)


if __name__ == "__main__":
    unittest.main()
