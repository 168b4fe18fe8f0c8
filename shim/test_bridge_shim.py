"""All tests of the shim: `python shim/test_bridge_shim.py`, with a Python that has pyarrow and pandas.

A single file of them, or a single test, runs as `python shim/test_template.py [TestClass.test_name]`.
"""

import os
import sys
import unittest


def all_tests() -> unittest.TestSuite:
    folder = os.path.dirname(os.path.abspath(__file__))
    files = [name for name in os.listdir(folder) if name.startswith("test_") and name.endswith(".py")]
    modules = sorted(name.removesuffix(".py") for name in files)
    modules.remove("test_bridge_shim")
    return unittest.defaultTestLoader.loadTestsFromNames(modules)


if __name__ == "__main__":
    result = unittest.TextTestRunner(verbosity=1).run(all_tests())
    sys.exit(not result.wasSuccessful())
