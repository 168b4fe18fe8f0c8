"""Letters, read as slowly as people read: a job that takes long enough to be watched.

Shows progress. What a plugin prints goes to the job's log while the job runs, and rows count as soon as they
are yielded. `timeout_s` ends a job that hangs, and only that job.
"""

import time

MANIFEST = {
    "pattern": "letters/*.txt",
    "topic": "letter_paragraphs",
    "version": "1.0",
    "timeout_s": 30,
    "priority": -10,  # whatever else is waiting goes first
}

SECONDS_PER_PARAGRAPH = 0.1


class Handler:
    def execute(self, file_path):
        with open(file_path, encoding="utf-8") as file:
            paragraphs = file.read().split("\n\n")
        for number, text in enumerate(paragraphs, start=1):
            time.sleep(SECONDS_PER_PARAGRAPH)
            print(f"paragraph {number} of {len(paragraphs)}")
            # A list of dicts is a table, too: here of a single row.
            yield [{"paragraph": number, "words": len(text.split()), "text": text.strip()}]
