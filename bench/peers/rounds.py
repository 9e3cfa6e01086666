"""Rounds of a measurement, kept in a file after each, so that a part that was stopped goes on where it was."""
import contextlib
import fcntl
import json
import os
import platform
import sys
import time
from datetime import date
from pathlib import Path


def machine():
    name, numbers = platform.processor() or platform.machine(), []
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = (part.strip() for part in line.partition(":"))
        if key == "model name":
            name = value
        if key in ("cpu family", "model"):
            numbers.append(f"{'family' if key == 'cpu family' else key} {value}")
    return f"{name}, {', '.join(dict.fromkeys(numbers))}, {os.cpu_count()} cores, Linux {platform.release().split('-')[0]}"


@contextlib.contextmanager
def held(path):
    """The lock of everybody who measures on this machine, where there is one."""
    if not path:
        yield
        return
    with open(path, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def rotated(names, number):
    """Turns of a round: each begins with another engine."""
    return names[number % len(names):] + names[:number % len(names)]


def dump(result):
    """JSON with one line for each list of samples, so that a later measurement shows as a small change."""
    head = {key: value for key, value in result.items() if key != "samples"}
    rows = [f'  {json.dumps(engine)}: {{\n' + ",\n".join(f"   {json.dumps(cell)}: {json.dumps(values)}" for cell, values in cells.items())
            + "\n  }" for engine, cells in result["samples"].items()]
    return json.dumps(head, indent=1)[:-2] + ',\n "samples": {\n' + ",\n".join(rows) + "\n }\n}\n"


class Rounds:
    """`head` is what a measurement is of; samples of an earlier call count on where it was of the same. `facts` may change from call
    to call. `samples` is {engine: {cell: [one list of numbers a sample]}}."""

    def __init__(self, options, part, head, facts):
        self.path, self.options = options.results / f"{part}.json", options
        self.result = {"part": part, "machine": machine(), "model": options.model.name, **head}
        known = json.loads(self.path.read_text()) if self.path.exists() else {}
        same = all(known.get(key) == value for key, value in json.loads(json.dumps(self.result)).items())
        if known and same and not options.again:
            self.result = known
        else:
            self.result |= {"rounds": 0, "samples": {}}
        self.result |= {"date": f"{date.today():%Y-%m-%d}", **facts}

    def run(self, wanted, one_round):
        """Calls one_round(number), which gives samples, until there are as many rounds as wanted or the time is over."""
        longest = 0
        while self.result["rounds"] < wanted:
            start = time.monotonic()
            if start - self.options.begin + longest > 60 * self.options.minutes:
                print(f"\n{self.result['rounds']} of {wanted} rounds; the same call adds the others", file=sys.stderr)
                break
            number = self.result["rounds"]
            print(f"round {number + 1} of {wanted}", file=sys.stderr)
            for engine, cell, values in one_round(number):
                self.result["samples"].setdefault(engine, {}).setdefault(cell, []).append([float(f"{v:.5g}") for v in values])
            self.result["rounds"] += 1
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fresh = self.path.with_suffix(".new")
            fresh.write_text(dump(self.result))
            os.replace(fresh, self.path)
            longest = max(longest, time.monotonic() - start)
