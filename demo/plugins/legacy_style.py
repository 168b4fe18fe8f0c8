"""Moves of stock as sku=A-17|qty=3|to=C1, read in the older style of plugins: configure() and consume().

Shows that plugins written for the older interface run as they are: a topic is registered when the plugin is
configured, and tables are published to it instead of yielded. New plugins are better off with execute().
"""

import pyarrow as pa

MANIFEST = {
    "pattern": "stock_moves/*.dat",
    "topic": "stock_moves",
    "version": "0.9",
    "config": {"separator": "|"},
}

SCHEMA = pa.schema(
    [("sku", pa.string()), ("qty", pa.int64()), ("from", pa.string()), ("to", pa.string())]
)


class Handler:
    def configure(self, context, config):
        self.context = context
        self.separator = config["separator"]
        self.moves = context.register_topic("stock_moves")

    def consume(self, event):
        with open(event.path, encoding="utf-8") as file:
            moves = [self.read_move(line.strip()) for line in file]
        self.context.publish(self.moves, pa.Table.from_pylist(moves, schema=SCHEMA))

    def read_move(self, line):
        move = dict(field.split("=", 1) for field in line.split(self.separator))
        return {**move, "qty": int(move["qty"])}
