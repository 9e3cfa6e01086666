#!/usr/bin/env python3
"""Runs every libFuzzer target for a while, two at a time, from its stored corpus: fuzz.py FUZZ_BUILD TEST_BUILD SECONDS

TEST_BUILD is a configured build with tests, whose list of replay tests says where each target's corpus is.
New inputs go to FUZZ_BUILD/corpus/<target>. A finding leaves its input in FUZZ_BUILD/findings/ and fails the run."""
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def corpora(test_build):
    """Target -> folder, from tests called fuzz.<target> with the command `replay_<target> <folder>`."""
    listed = subprocess.run(["ctest", "--test-dir", test_build, "--show-only=json-v1", "--tests-regex", r"^fuzz\."],
                            check=True, stdout=subprocess.PIPE, text=True).stdout
    return {test["name"].removeprefix("fuzz."): test["command"][-1] for test in json.loads(listed)["tests"]
            if "command" in test}


def fuzz(build, target, corpus, seconds):
    program = next(build.rglob(f"fuzz_{target}"), None)
    if not program:
        print(f"{target}: no program in {build}", flush=True)
        return False
    found = build / "corpus" / target
    found.mkdir(parents=True, exist_ok=True)
    log = build / f"fuzz_{target}.log"
    with open(log, "w") as out:
        code = subprocess.run([program, f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=1024",
                               "-print_final_stats=1", f"-artifact_prefix={build}/findings/{target}-", found, corpus],
                              stdout=out, stderr=subprocess.STDOUT).returncode
    text = log.read_text(errors="replace")
    if code:
        print(f"{target}: FOUND SOMETHING; {log} ends with\n{text[-3000:]}", flush=True)
        return False
    ran = re.search(r"number_of_executed_units: *(\d+)", text)
    print(f"{target}: {int(ran[1]):,} executions, nothing found", flush=True)
    return True


def main():
    build, test_build, seconds = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    (build / "findings").mkdir(parents=True, exist_ok=True)
    os.environ["UBSAN_OPTIONS"] = "halt_on_error=1:print_stacktrace=1"
    targets = corpora(test_build)
    built = {p.name.removeprefix("fuzz_") for p in build.rglob("fuzz_*") if p.is_file() and p.suffix == ""}
    if not targets or built != set(targets):
        sys.exit(f"targets with a corpus: {sorted(targets)}, built: {sorted(built)}")
    with ThreadPoolExecutor(2) as pool:
        good = list(pool.map(lambda item: fuzz(build, *item, seconds), sorted(targets.items())))
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
