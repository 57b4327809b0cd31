"""Typed JSON in many threads."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys, threading
from modelwatch.targets.register.codec import decode_register

sys.setswitchinterval(1e-6)
together, answers = threading.Barrier(8), []

def read():
    together.wait()
    answers.append(decode_register('{"group": "churn/accuracy", "episode": 1, "followers": [{}], "impact": {}}'))

threads = [threading.Thread(target=read) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(answers) == 8
assert len(set(answers)) == 1
"""


def test_eight_threads_can_read_their_first_register() -> None:
    """Without a lock one process of eight crashed."""
    running = [subprocess.Popen([sys.executable, "-c", CODE], stderr=subprocess.PIPE, text=True) for _ in range(12)]
    assert {(one.communicate()[1], one.returncode) for one in running} == {("", 0)}
