"""Frames against the golden vectors, which the worker's parser is held to as well."""

import io
import json
import os
import struct
import unittest

import bridge_frames

VECTORS = os.path.join(os.path.dirname(__file__), "..", "tests", "vectors", "bridge_frames.json")


def encode(frame: dict) -> bytes:
    kind = frame["type"]
    if kind == "batch":
        body = bytes.fromhex(frame["bytes"])
        return bridge_frames.batch_header(len(body)) + body
    if kind == "log":
        return bridge_frames.log_frame(frame["level"], frame["text"].encode())
    if kind == "error":
        return bridge_frames.error_frame(frame["message"])
    if kind == "topic":
        return bridge_frames.topic_frame(frame["topic"])
    if kind == "progress":
        return bridge_frames.progress_frame(json.loads(frame["json"]))
    return bridge_frames.END_FRAME


class FramesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(VECTORS, encoding="utf-8") as file:
            cls.vectors = json.load(file)

    def test_frames_are_written_as_the_vectors_say(self):
        for vector in self.vectors["frames"]:
            with self.subTest(vector["name"]):
                self.assertEqual(encode(vector["frame"]).hex(), vector["hex"])

    def test_requests_are_read_as_the_vectors_say_however_they_are_cut(self):
        for vector in self.vectors["requests"]:
            for part_bytes in (1, 3, 65536):
                with self.subTest(vector["name"], part_bytes=part_bytes):
                    stream = io.BytesIO(bytes.fromhex(vector["hex"]))
                    receive = lambda wanted: stream.read(min(wanted, part_bytes))
                    self.assertEqual(bridge_frames.read_request(receive), vector["request"])
                    self.assertIsNone(bridge_frames.read_request(receive))

    def test_a_request_cut_short_or_too_long_is_refused(self):
        whole = struct.pack(">I", 2) + b"{}"
        for length in (1, 4, 5):
            with self.assertRaises(ConnectionError):
                bridge_frames.read_request(io.BytesIO(whole[:length]).read)
        too_long = struct.pack(">I", bridge_frames.REQUEST_BYTES_MAX + 1)
        with self.assertRaises(ValueError):
            bridge_frames.read_request(io.BytesIO(too_long).read)

    def test_a_long_error_keeps_its_beginning_and_its_end(self):
        frame = bridge_frames.error_frame("first " + "ü" * 200_000 + " last")
        self.assertLess(len(frame), bridge_frames.ERROR_BYTES_MAX + 64)
        text = frame[8:].decode()
        self.assertTrue(text.startswith("first ") and text.endswith(" last"), text[:20])
        self.assertIn("bytes left out", text)


if __name__ == "__main__":
    unittest.main()
