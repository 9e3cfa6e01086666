#!/usr/bin/env python3
"""Fails where a Markdown file links to a file of this repository, or to a heading, that is not there.
Run by ctest as lint.links."""
import re
import sys
from pathlib import Path

LINK = re.compile(r"\]\(([^)\s]+)\)")


def anchors(path):
    for line in path.read_text().splitlines():
        if match := re.match(r"#+ (.*)", line):
            yield re.sub(r"[^\w\- ]", "", match[1].lower()).replace(" ", "-")


def main():
    root = Path(__file__).resolve().parents[2]
    bad = []
    for page in [*sorted(root.glob("*.md")), *sorted((root / "docs").rglob("*.md"))]:
        for n, line in enumerate(page.read_text().splitlines(), 1):
            for target in LINK.findall(line):
                if re.match(r"[a-z]+:", target):
                    continue
                file, _, heading = target.partition("#")
                there = (page.parent / file).resolve() if file else page
                if not there.exists() or not there.is_relative_to(root):
                    bad.append(f"{page.relative_to(root)}:{n}: '{target}' does not exist")
                elif heading and heading not in anchors(there):
                    bad.append(f"{page.relative_to(root)}:{n}: '{target}' names no heading")
    sys.exit("\n".join(bad) or None)


if __name__ == "__main__":
    main()
