"""A control group for each child, where the host has delegated some to the worker (version 2).

The kernel then counts all that a child and its descendants hold, files in memory and whatever they unmapped
among it, and ends all of them at once at the limit: nothing has to be sampled. The worker's launcher hands
over a folder, by a descriptor, as the file system of groups is not to be seen in a sandbox.
"""

import os

KILLED_EVENT = b"oom_kill "


class MemoryGroups:
    """`folder`: descriptor of the folder in which groups may be made."""

    def __init__(self, folder: int):
        self._folder = folder
        self._leaving = []

    def close(self):
        """In a child: it must not reach the groups of others."""
        os.close(self._folder)

    def enter(self, name: str, pid: int):
        """Makes a group and puts a process into it that has started nothing yet."""
        os.mkdir(_folder_name(name), dir_fd=self._folder)
        self._write(name, "memory.oom.group", "1")  # all of it, or a plugin goes on without its half
        try:
            self._write(name, "memory.swap.max", "0")
        except OSError:
            pass  # a kernel without swap has no such file
        self._write(name, "cgroup.procs", str(pid))

    def limit(self, name: str, limit_kib: int):
        self._write(name, "memory.max", str(limit_kib * 1024))

    def killed_at_limit(self, name: str) -> bool:
        """Whether the kernel ended processes of the group for want of memory."""
        events = self._read(name, "memory.events")
        counts = [line for line in events.splitlines() if line.startswith(KILLED_EVENT)]
        return any(int(line.split()[1]) > 0 for line in counts)

    def leave(self, name: str):
        """Ends what is left of the group; `remove_left` removes it once the last process is out."""
        try:
            self._write(name, "cgroup.kill", "1")
        except OSError:
            pass  # a kernel before 5.14: what is left is ended by other means
        self._leaving.append(name)
        self.remove_left()

    def remove_left(self):
        self._leaving = [name for name in self._leaving if not self._removed(name)]

    def _removed(self, name: str) -> bool:
        try:
            os.rmdir(_folder_name(name), dir_fd=self._folder)
        except FileNotFoundError:
            pass
        except OSError:
            return False  # its last processes are still on their way out
        return True

    def _write(self, name: str, file: str, text: str):
        descriptor = self._open(name, file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)

    def _read(self, name: str, file: str) -> bytes:
        try:
            descriptor = self._open(name, file, os.O_RDONLY)
        except FileNotFoundError:
            return b""
        try:
            return os.read(descriptor, 4096)
        finally:
            os.close(descriptor)

    def _open(self, name: str, file: str, flags: int) -> int:
        path = f"{_folder_name(name)}/{file}"
        return os.open(path, flags | os.O_CLOEXEC, dir_fd=self._folder)


def _folder_name(name: str) -> str:
    return f"casparian-{name}"
