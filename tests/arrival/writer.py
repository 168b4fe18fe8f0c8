"""Writes, appends to, renames, copies, touches, forges and deletes files in a folder of its own.

    writer.py FOLDER SEED SECONDS SETTLE_SECONDS

Prints a JSON line [path, sha256] for each content that a file may rightly be taken with: what it is when its writer
is done, and what it was whenever the writer of a file without an end of its own dawdled for as long as it settles.
"""

import gzip
import hashlib
import io
import json
import os
import random
import shutil
import sys
import time
import zipfile

FOLDER, SEED, SECONDS, SETTLE = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
chance = random.Random(SEED)
names = 0


def may_be_taken(name):
    with open(name, "rb") as file:
        print(json.dumps([name, hashlib.sha256(file.read()).hexdigest()]), flush=True)


def rows():
    return [f"{chance.randrange(10**6)};x" for _ in range(chance.randrange(1, 400))]


def content_of(name):
    text = "\n".join(rows()) + "\n"
    if name.endswith(".gz"):
        return gzip.compress(text.encode())
    if name.endswith(".json"):
        return json.dumps([{"row": row, "s": "]}"} for row in text.split()]).encode()
    if name.endswith(".xml"):
        return f"<r>{''.join(f'<r>{row}</r>' for row in text.split())}</r>".encode()
    if name.endswith(".zip"):
        whole = io.BytesIO()
        with zipfile.ZipFile(whole, "w") as archive:
            archive.writestr("rows.csv", text)
        return whole.getvalue()
    return text.encode()


def has_end(name):
    return not name.endswith(".csv")


def write(name, mode="wb"):
    """In pieces; a file with an end of its own may pause for longer than it settles."""
    content = content_of(name)
    cuts = sorted(chance.randrange(len(content)) for _ in range(chance.randrange(4)))
    written_at = time.monotonic()
    with open(name, mode) as file:
        for start, end in zip([0, *cuts], [*cuts, len(content)]):
            if start > 0:
                time.sleep(chance.choice([0.01, SETTLE * 1.3]) if has_end(name) else 0.01)
                if not has_end(name) and time.monotonic() - written_at > SETTLE * 0.8:
                    may_be_taken(name)
            file.write(content[start:end])
            file.flush()
            written_at = time.monotonic()
    may_be_taken(name)


def new_name():
    global names
    names += 1
    ending = chance.choice([".csv", ".csv", ".csv.gz", ".json", ".xml", ".zip"])
    return chance.choice(["", "deep/er/"]) + f"f{names}{ending}"


def deliver():
    name = new_name()
    os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
    write(name)


def deliver_renamed():
    name = new_name()
    os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
    content = content_of(name)
    with open(name + ".part", "wb") as file:
        file.write(content[: len(content) // 2])
        file.flush()
        time.sleep(SETTLE * 1.3)
        file.write(content[len(content) // 2 :])
    os.rename(name + ".part", name)
    may_be_taken(name)


def rename(name):
    other = new_name().rsplit("/", 1)[-1].split(".")[0] + "." + name.split(".", 1)[1]
    os.rename(name, other)
    may_be_taken(other)


def copy(name):
    other = "copy_" + name.rsplit("/", 1)[-1]
    if not os.path.exists(other):
        shutil.copyfile(name, other + ".part")
        shutil.copystat(name, other + ".part")
        os.rename(other + ".part", other)
        may_be_taken(other)


def forge(name):
    """Other bytes, the same size, the old mtime. ctime comes in seconds, so the last change must be over a second ago."""
    if has_end(name):
        return
    time.sleep(1.1)
    stat = os.stat(name)
    with open(name, "r+b") as file:
        file.write(b"9")
    os.utime(name, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    may_be_taken(name)


def touch(name):
    os.utime(name, chance.choice([None, (10**9, 10**9), (2 * 10**9, 2 * 10**9)]))


def existing():
    found = []
    for folder, _, files in os.walk("."):
        found += [os.path.join(folder, file)[2:] for file in files if not file.endswith(".part")]
    return sorted(found)


os.chdir(FOLDER)
end = time.monotonic() + SECONDS
while time.monotonic() < end:
    files = existing()
    act = chance.choice([deliver, deliver, deliver, deliver_renamed, rename, copy, forge, touch, os.remove, write])
    if act in (deliver, deliver_renamed):
        act()
    elif files:
        act(chance.choice(files))
    time.sleep(chance.random() * 0.2)
