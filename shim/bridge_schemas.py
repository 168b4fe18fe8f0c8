"""Schemas of a topic: which column types travel, and when two batches belong together.

Within a job all batches of a topic have the columns of the first. Columns are matched by name, so their
order may differ. A column that holds nothing but nulls so far (type `null`) fits any type.
"""

import pyarrow as pa
import pyarrow.compute as pc


class PluginError(Exception):
    """The plugin broke a rule of the plugin contract; the message is for its author."""

    __module__ = "builtins"  # a traceback then calls it PluginError, without a module that nobody knows


_FOR_PARQUET = {pa.time32("s"): pa.time32("ms"), pa.date64(): pa.date32()}


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """The schema as it is sent: no metadata, all nullable, plain column types, names unique.

    pandas writes its own version into the metadata, and a column is marked "not null" by chance of
    where it came from: two runs over the same file must not differ by that.
    """
    names = schema.names
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise PluginError(
            f"Cannot take table as its column names must be unique: {_listed(twice)} occurs twice"
        )
    return pa.schema([pa.field(field.name, plain_type(field.type)) for field in schema])


def plain_type(kind: pa.DataType) -> pa.DataType:
    """Encodings of a type (dictionary, run-length, view) become the type that they encode.

    A dictionary would be repeated in every frame, and may differ from one to the next. Times in seconds,
    and dates in milliseconds, become what Parquet can hold: no value changes by that.
    """
    if kind in _FOR_PARQUET:
        return _FOR_PARQUET[kind]
    if pa.types.is_timestamp(kind) and kind.unit == "s":
        return pa.timestamp("ms", kind.tz)
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return plain_type(kind.value_type)
    if pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_binary_view(kind):
        return pa.binary()
    if pa.types.is_list(kind) or pa.types.is_list_view(kind):
        return pa.list_(plain_type(kind.value_type))
    if pa.types.is_large_list(kind) or pa.types.is_large_list_view(kind):
        return pa.large_list(plain_type(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, plain_type(field.type)) for field in kind])
    if pa.types.is_map(kind):
        return pa.map_(plain_type(kind.key_type), plain_type(kind.item_type))
    return kind


def merge_schemas(known: pa.Schema, new: pa.Schema) -> pa.Schema:
    """`known` with its null columns given the types of `new`; raises ValueError with the differences."""
    differences = [*_missing(known, new), *_changed(known, new)]
    if differences:
        raise ValueError("; ".join(differences))
    return pa.schema([_wider(field, new.field(field.name)) for field in known])


def conform(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch with the columns, order and types of `schema`, which merge_schemas() let through."""
    columns = [_cast(batch.column(field.name), field) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _cast(column: pa.Array, field: pa.Field) -> pa.Array:
    if column.type.equals(field.type):
        return column
    if pa.types.is_null(column.type):
        return pa.nulls(len(column), field.type)
    if pa.types.is_run_end_encoded(column.type):
        return _cast(pc.run_end_decode(column), field)
    try:
        return column.cast(field.type)
    except pa.ArrowException as error:
        raise PluginError(
            f"Cannot take column {field.name!r} as {column.type} must become {field.type}: {error}"
        ) from error


def _missing(known: pa.Schema, new: pa.Schema) -> "list[str]":
    gone = [f"column {name!r} is missing" for name in known.names if name not in new.names]
    extra = [
        f"column {field.name!r} ({field.type}) is new"
        for field in new
        if field.name not in known.names
    ]
    return gone + extra


def _changed(known: pa.Schema, new: pa.Schema) -> "list[str]":
    pairs = [(field, new.field(field.name)) for field in known if field.name in new.names]
    return [
        f"column {before.name!r} was {before.type} and is now {after.type}"
        for before, after in pairs
        if not (
            before.type.equals(after.type)
            or pa.types.is_null(before.type)
            or pa.types.is_null(after.type)
        )
    ]


def _wider(known: pa.Field, new: pa.Field) -> pa.Field:
    return new if pa.types.is_null(known.type) else known


def _listed(names: "list[str]") -> str:
    return ", ".join(map(repr, names))
