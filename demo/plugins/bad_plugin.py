"""Orders, read by a plugin with a mistake in it. It is MEANT TO FAIL: the demo's two failed files are its work.

Shows what happens then: the files stand as failed with the traceback of these lines, every other file is
done, and nothing of a failed file is landed. Find the misspelt column, mend it, and publish the plugin again:
its two files are queued anew by themselves.
"""

import pandas as pd

MANIFEST = {"pattern": "orders/*.csv", "topic": "orders", "version": "1.0"}


class Handler:
    def execute(self, file_path):
        orders = pd.read_csv(file_path, parse_dates=["ordered_on"])
        orders["customer"] = "C" + orders["custmer_id"].astype("string")
        yield orders
