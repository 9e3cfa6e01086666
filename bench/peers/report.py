"""Tables and plots of what peers.py measured: report.py RESULT.json [DOCS]. Plots are SVG, written here without a
library: bars of each engine's share of the probe, cell by cell."""
import json
import os
import platform
import statistics
import sys
from datetime import date
from pathlib import Path

STEADY = 0.9  # the lower of a sample's two probes, as a part of the other
COLORS = {"qeff": "#1b6ca8", "onnxruntime": "#d98b2b", "onnxruntime-fused": "#efc27a", "openvino": "#7a5195",
          "ctranslate2": "#4f9d69", "pytorch": "#c0504d"}


def machine():
    name, cache = platform.processor() or platform.machine(), []
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = (part.strip() for part in line.partition(":"))
        if key == "model name":
            name = value
        if key in ("cpu family", "model"):
            cache.append(f"{'family' if key == 'cpu family' else key} {value}")
    return f"{name}, {', '.join(dict.fromkeys(cache))}, {os.cpu_count()} cores, Linux {platform.release().split('-')[0]}"


def is_steady(sample):
    return min(sample["probe"]) >= STEADY * max(sample["probe"])


def share(result, sample):
    return result["flops"][sample["cell"]] / (1e-3 * sample["ms"]) / statistics.mean(sample["probe"])


def medians(result):
    """{cell: {engine: (ms, share of the probe, samples)}}"""
    found = {}
    for cell in result["flops"]:
        found[cell] = {}
        for engine in result["versions"]:
            kept = [s for s in result["samples"] if s["cell"] == cell and s["engine"] == engine and is_steady(s)]
            if kept:
                found[cell][engine] = (statistics.median(s["ms"] for s in kept),
                                       statistics.median(share(result, s) for s in kept), len(kept))
    return found


def figure(ms):
    return f"{ms:.2f}" if ms < 10 else f"{ms:.1f}" if ms < 100 else f"{ms:.0f}"


def ratio(row):
    """qeff's share of the probe over that of the best peer, and which that is."""
    peers = [e for e in row if e != "qeff"]
    if "qeff" not in row or not peers:
        return "-"
    best = max(peers, key=lambda e: row[e][1])
    return f"{row['qeff'][1] / row[best][1]:.2f} ({best})"


def table(result):
    engines = list(result["versions"])
    lines = ["| cell | " + " | ".join(engines) + " | qeff / best peer |", "|---|" + "---|" * (len(engines) + 1)]
    for cell, row in medians(result).items():
        shown = [f"{figure(row[e][0])} ({100 * row[e][1]:.0f} %)" if e in row else "-" for e in engines]
        lines.append(f"| {cell} | " + " | ".join(shown) + f" | {ratio(row)} |")
    worst = [f"{result['cosines'][e]:.7f}" for e in engines]
    return "\n".join([*lines, "| worst cosine | " + " | ".join(worst) + " | |"])


def summary(result):
    kept = [s for s in result["samples"] if is_steady(s)]
    probes = [p * 1e-9 for s in kept for p in s["probe"]]
    least = min(entry[2] for row in medians(result).values() for entry in row.values())
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    threads = result["threads"]
    return (f"{result['machine']}; {threads} thread{'s' * (threads > 1)}; {result['model']}, fp32; {date.today():%Y-%m-%d}. "
            f"{result['rounds']} rounds; {len(result['samples']) - len(kept)} of {len(result['samples'])} samples are left out as "
            f"unsteady, at least {least} a cell and engine remain. Probe: median {statistics.median(probes):.0f}, "
            f"{min(probes):.0f} to {max(probes):.0f} GFLOP/s. {versions}.")


# --- plots --------------------------------------------------------------------------------------------------------


def text(x, y, what, **more):
    attributes = "".join(f' {k.replace("_", "-")}="{v}"' for k, v in more.items())
    return f'<text x="{x:.1f}" y="{y:.1f}"{attributes}>{what}</text>'


def legend(engines, top):
    parts, x = [], 60
    for engine in engines:
        parts += [f'<rect x="{x}" y="{top}" width="12" height="12" fill="{COLORS.get(engine, "#888")}"/>', text(x + 17, top + 10, engine)]
        x += 40 + 7 * len(engine)
    return parts


def plot(result):
    """Share of the probe: one group of bars a cell."""
    times = medians(result)
    cells, engines = [c for c in times if times[c]], list(result["versions"])
    width, height, left, top, bottom = 960, 400, 50, 70, 360
    group = (width - left - 20) / len(cells)
    bar = (group - 14) / len(engines)

    def y_of(percent):
        return bottom - (bottom - top) * min(percent, 100) / 100

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12" '
             'fill="#222">', f'<rect width="{width}" height="{height}" fill="#fff"/>',
             text(left, 22, "Share of the processor's multiply-adds that each engine uses (fp32, "
                  f"{result['threads']} thread{'s' * (result['threads'] > 1)}); higher is faster", font_size=15)]
    parts += legend(engines, 36)
    for percent in range(0, 101, 20):
        y = y_of(percent)
        parts += [f'<line x1="{left}" x2="{width - 20}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ccc"/>',
                  text(left - 6, y + 4, f"{percent} %", text_anchor="end")]
    for i, cell in enumerate(cells):
        x = left + i * group + 7
        for k, engine in enumerate(engines):
            if engine not in times[cell]:
                continue
            percent = 100 * times[cell][engine][1]
            y = y_of(percent)
            parts += [f'<rect x="{x + k * bar:.1f}" y="{y:.1f}" width="{bar - 1:.1f}" height="{bottom - y:.1f}" '
                      f'fill="{COLORS.get(engine, "#888")}"><title>{engine}, {cell}: {figure(times[cell][engine][0])} ms</title></rect>',
                      text(x + (k + 0.5) * bar - 0.5, y - 3, f"{percent:.0f}", text_anchor="middle", font_size=9)]
        parts.append(text(x + (group - 14) / 2, bottom + 16, cell, text_anchor="middle"))
    parts.append(text((left + width) / 2, bottom + 34, "sequences x tokens of one call", text_anchor="middle", fill="#555"))
    return "\n".join([*parts, "</svg>"]) + "\n"


def show(result, docs):
    print(summary(result) + "\n\n" + table(result))
    if not docs:
        return
    threads = result["threads"]
    (docs / f"performance-{threads}.svg").write_text(plot(result))
    page = docs / "performance.md"
    begin, end = f"<!-- measured: {threads} -->", f"<!-- end: {threads} -->"
    before, _, rest = page.read_text().partition(begin)
    _, _, after = rest.partition(end)
    if not rest:
        sys.exit(f"{page} lacks the mark {begin}")
    block = f"{begin}\n\n{summary(result)}\n\n{table(result)}\n\n![Share of the probe by engine and cell](performance-{threads}.svg)\n\n{end}"
    page.write_text(before + block + after)


if __name__ == "__main__":
    show(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
