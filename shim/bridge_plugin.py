"""A plugin's code: run once in this process, then asked for a new Handler for every job."""

import linecache
import sys
import types
from dataclasses import dataclass, field

from bridge_logs import JOB_BYTES_MAX
from bridge_results import TAKEN, is_iterable_of_results, is_result
from bridge_schemas import PluginError
from bridge_topics import Outputs
from bridge_traceback import MODULE_NAME, mark_place


@dataclass
class Job:
    """What a plugin is run on. `config` is MANIFEST's where the request has none."""

    file_path: str
    job_id: int = 0
    file_version_id: int = 0
    config: "dict | None" = None
    topic: "str | None" = None
    topics: "list[str] | None" = None
    log_bytes: int = JOB_BYTES_MAX


class Plugin:
    """`file_name` is what tracebacks show; `code` is text, or bytes with perhaps a coding line."""

    def __init__(self, name: str, code: "str | bytes", file_name: str):
        self.name = name
        self.file_name = file_name
        self._code = code
        self._module = None

    def run(self, job: Job, outputs: Outputs):
        """Raises whatever the plugin raises, and PluginError where it breaks the contract."""
        handler = self._new_handler()
        context = Context(outputs)
        if hasattr(handler, "configure"):
            config = self.manifest.get("config", {}) if job.config is None else job.config
            handler.configure(context, config)
        if hasattr(handler, "execute"):
            self._take(outputs, handler.execute(job.file_path))
        elif hasattr(handler, "consume"):
            self._take(outputs, handler.consume(_event(job)))
        else:
            raise PluginError(
                f"Cannot run plugin {self.name!r} as its Handler must have a method "
                "execute(self, file_path): it has none, nor consume(self, event)"
            )

    def load(self):
        """Runs the module's code, at most once."""
        if self._module is not None:
            return
        text = self._code if isinstance(self._code, str) else self._code.decode("utf-8", "replace")
        lines = text.splitlines(keepends=True)
        # Tracebacks show source lines although no such file need be here; None keeps the entry for good.
        linecache.cache[self.file_name] = (len(text), None, lines, self.file_name)
        compiled = compile(self._code, self.file_name, "exec", dont_inherit=True)
        module = types.ModuleType(MODULE_NAME)
        module.__file__ = self.file_name
        sys.modules[MODULE_NAME] = module  # dataclasses and pickle look a class's module up by name
        exec(compiled, module.__dict__)
        self._module = module

    @property
    def manifest(self) -> dict:
        manifest = getattr(self._module, "MANIFEST", None)
        return manifest if isinstance(manifest, dict) else {}

    def _new_handler(self):
        self.load()
        handler_class = getattr(self._module, "Handler", None)
        if not isinstance(handler_class, type):
            classes = [name for name, value in vars(self._module).items() if isinstance(value, type)]
            raise PluginError(
                f"Cannot run plugin {self.name!r} as it must define a class Handler: its classes are "
                f"{', '.join(classes) or 'none'}; add `class Handler:` with `execute(self, file_path)`"
            )
        return handler_class()

    def _take(self, outputs: Outputs, returned):
        if is_result(returned):
            outputs.add(returned)
        elif is_iterable_of_results(returned):
            self._take_each(outputs, returned)
        else:
            raise PluginError(
                f"Cannot take result as execute() must yield or return {TAKEN}: "
                f"got {type(returned).__qualname__}"
            )

    def _take_each(self, outputs: Outputs, results):
        """Closes a generator whatever happens, so that its `finally` runs on errors and on cancel."""
        try:
            for result in results:
                outputs.add(result)
        except BaseException as error:
            mark_place(error, self.file_name, results)
            raise
        finally:
            if isinstance(results, types.GeneratorType):
                results.close()


class Context:
    """The older style's way to publish: handler.configure(context, config) receives it."""

    def __init__(self, outputs: Outputs):
        self._outputs = outputs

    def register_topic(self, name: str, *_hints, **_more) -> str:
        """Returns the handle that publish() takes."""
        self._outputs.register(name)
        return name

    def publish(self, handle: str, data):
        """Sends a table, or whatever else execute() may yield, to a registered topic."""
        self._outputs.add(data, topic=handle)


@dataclass
class FileEvent:
    """What consume(event) gets."""

    path: str
    file_id: int
    job_id: int
    file_path: str = field(init=False)
    file_version_id: int = field(init=False)

    def __post_init__(self):
        self.file_path = self.path
        self.file_version_id = self.file_id


def _event(job: Job) -> FileEvent:
    return FileEvent(job.file_path, job.file_version_id, job.job_id)
