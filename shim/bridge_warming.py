"""Imports and first calls, done once in the template so that no child pays for them.

The first CSV in a cold process costs about ten times the second: lazy imports, page faults, caches.
"""

import importlib.util
import io
import os

# Several children share the machine: a pool of threads in each would only make them wait in turns.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "ARROW_IO_THREADS"):
    os.environ.setdefault(_name, "1")

import pyarrow as pa
import pyarrow.csv

from bridge_plugin import Job, Plugin
from bridge_topics import Outputs

_CSV = "a,b,c,d\n" + "1,x,2.5,2020-01-01\n,y,,\n" * 8

_PLUGIN = '''
class Handler:
    def execute(self, file_path):
        yield {"a": [1, 2], "b": ["x", None]}
        yield [{"a": 1, "b": "x"}]
'''


class _Nowhere:
    def send(self, *_parts, more=False):
        pass


def warm():
    pa.set_cpu_count(1)
    outputs = Outputs(_Nowhere(), "warm")
    # One thread only: what forks must have a single thread, or a lock may be held for ever in a child.
    options = pyarrow.csv.ReadOptions(use_threads=False)
    outputs.add(pyarrow.csv.read_csv(io.BytesIO(_CSV.encode()), read_options=options))
    Plugin("warm", _PLUGIN, "warm.py").run(Job("/"), Outputs(_Nowhere(), "warm"))
    outputs.finish()
    if importlib.util.find_spec("pandas") is not None:
        _warm_pandas()


def _warm_pandas():
    import pandas

    outputs = Outputs(_Nowhere(), "warm")
    for _ in range(3):
        outputs.add(pandas.read_csv(io.StringIO(_CSV)))
    outputs.add(pandas.read_csv(io.StringIO(_CSV), parse_dates=["d"]), topic="dates")
    outputs.finish()
