"""Tables, goals and plots of what was measured: report.py [PART...] writes those of bench/peers/results into docs/performance.md."""
import json
import statistics
import sys
from pathlib import Path

import plots

ROOT = Path(__file__).resolve().parents[2]
STEADY = 0.9  # the lower of a sample's two probes, as a part of the other
QUIET = 0.85  # on two threads: the better probe of a sample, as a part of the best tenth of the run's
ONE_THREAD = " (1 thread)"
PACKAGES = ("qeff", "onnxruntime", "openvino", "ctranslate2", "pytorch", "sentence-transformers", "tokenizers", "llama.cpp")
FAMILIES = {"fp32": "fp32", "int8": "int8 weights and activations", "bf16": "bf16"}


def family(engine):
    return next((kind for kind in ("int8", "bf16") if kind in engine), "fp32")


def figure(value):
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def table(head, lines):
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in [head, ["---"] * len(head), *lines])


# --- samples ------------------------------------------------------------------------------------------------------


def probe(result, sample):
    """What the cores did beside a sample [time, probe before, probe after, ...]. Two threads that were idle, or share their cores with
    those of an engine that still spin, begin slower than they can: of their two probes the better one counts."""
    return max(sample[1:3]) if result["threads"] > 1 else statistics.mean(sample[1:3])


def keep(result):
    """A function that says whether a sample was taken on a steady machine."""
    probes = sorted(p for cells in result["samples"].values() for samples in cells.values() for s in samples for p in s[1:3])
    if result["threads"] > 1:
        return lambda s: probe(result, s) >= QUIET * probes[int(0.9 * (len(probes) - 1))]
    return lambda s: min(s[1:3]) >= STEADY * max(s[1:3])


def steady(result):
    """({engine: {cell: samples}}, how many are left out, how many there were)"""
    is_kept, kept, n, all_ = keep(result), {}, 0, 0
    for engine, cells in result["samples"].items():
        for cell, samples in cells.items():
            found = [s for s in samples if is_kept(s)]
            all_, n = all_ + len(samples), n + len(samples) - len(found)
            if found:
                kept.setdefault(engine, {})[cell] = found
    return kept, n, all_


def medians(result):
    """{cell: {engine: (ms, share of the probe)}} of a grid"""
    kept, found = steady(result)[0], {}
    for cell, flops in result["flops"].items():
        found[cell] = {}
        for engine in result["versions"]:
            samples = kept.get(engine, {}).get(cell)
            if samples:
                found[cell][engine] = (statistics.median(s[0] for s in samples),
                                       statistics.median(flops / (1e6 * s[0]) / probe(result, s) for s in samples))
    return found


def summary(result):
    kept, n, all_ = steady(result)
    least = min((len(samples) for cells in kept.values() for samples in cells.values()), default=0)
    probes = [p for cells in result["samples"].values() for samples in cells.values() for s in samples for p in s[1:3]]
    return (f"{about(result)} {result['rounds']} round{'s' * (result['rounds'] > 1)}; {n} of {all_} samples are left out as "
            f"unsteady, at least {least} of a cell and engine remain. Probe: median "
            f"{statistics.median(probes):.0f}, {min(probes):.0f} to {max(probes):.0f} GFLOP/s. {made_of(result)}")


def about(result):
    threads = result["threads"]
    return f"{result['machine']}; {threads} thread{'s' * (threads > 1)}; {result['model']}; {result['date']}."


def made_of(result):
    """Versions, each package once, and what is left out."""
    packages = {}
    for engine, version in result["versions"].items():
        name = next((known for known in PACKAGES if engine.startswith(known)), engine)
        packages.setdefault(name, version.removeprefix("qeff "))
    reasons = "; ".join(f"{engine} ({reason.rstrip('.')})" for engine, reason in result["left_out"].items())
    left_out = f" Left out: {reasons}." if reasons else ""
    return ", ".join(f"{name} {version}" for name, version in packages.items()) + "." + left_out


class Goals:
    """What is wanted beside what was found."""

    def __init__(self):
        self.lines = []

    def at_least(self, what, wanted, found, unit="x", note=""):
        self.add(what, f"at least {wanted:g}{unit}", found, f"{found:.{3 if unit else 5}g}{unit}", found >= wanted, note)

    def at_most(self, what, wanted, found, unit, note=""):
        self.add(what, f"at most {figure(wanted)}{unit}", found, figure(found) + unit, found <= wanted, note)

    def add(self, what, wanted, found, shown, met, note):
        self.lines.append([what, wanted, shown + (f" ({note})" if note else "") + ("" if met else ", **missed**")])

    def table(self):
        return table(["goal", "wanted", "found"], self.lines) if self.lines else ""


# --- grids --------------------------------------------------------------------------------------------------------


def best_peer(row, kind):
    """(engine, share) of the fastest peer of a cell, None where there is none"""
    peers = {engine: entry[1] for engine, entry in row.items() if not engine.startswith("qeff") and family(engine) == kind}
    best = max(peers, key=peers.get, default=None)
    return best and (best, peers[best])


def name_of(kind):
    return "qeff" if kind == "fp32" else f"qeff-{kind}"


def grid_table(result, kind):
    times, own = medians(result), name_of(kind)
    engines = [e for e in result["versions"] if family(e) == kind and not e.endswith(ONE_THREAD)]
    compared = kind != "fp32" and "qeff" in result["versions"]
    lines = []
    for cell, row in times.items():
        best = best_peer(row, kind)
        line = [cell, *(f"{figure(row[e][0])} ({100 * row[e][1]:.0f} %)" if e in row else "-" for e in engines),
                f"{row[own][1] / best[1]:.2f} ({best[0]})" if best and own in row else "-"]
        if compared:
            line.append(f"{row[own][1] / row['qeff'][1]:.2f}" if own in row and "qeff" in row else "-")
        lines.append(line)
    for i, what in enumerate(["mean cosine, 300 texts", "worst cosine, 300 texts", "worst cosine, cells"]):
        lines.append([what, *(f"{min(result['cosines'][e][i], 1):.7f}" if kind == "fp32" else f"{result['cosines'][e][i]:.5f}"
                              for e in engines), ""] + [""] * compared)
    return table(["cell", *engines, f"{own} / best peer"] + ["/ own fp32"] * compared, lines)


def worst_ratio(goals, result, kind, what, wanted, chosen):
    """The goal of a ratio to the best peer in the chosen cells."""
    ratios = {}
    for cell, row in medians(result).items():
        best = best_peer(row, kind)
        if best and name_of(kind) in row and chosen(cell):
            ratios[cell] = (row[name_of(kind)][1] / best[1], best[0])
    if ratios:
        cell = min(ratios, key=ratios.get)
        goals.at_least(what, wanted, ratios[cell][0], note=f"{cell}, {ratios[cell][1]}")


def grid_goals(result):
    goals, times, wide = Goals(), medians(result), "avx512" in result["versions"].get("qeff", "")
    shares = {cell: 100 * row["qeff"][1] for cell, row in times.items() if "qeff" in row}
    if result["threads"] == 1 and "qeff-bf16" not in result["versions"]:
        long = min((c for c in shares if c not in ("1 x 8", "64 ragged")), key=shares.get, default=None)
        if long:
            goals.at_least("fp32, share of the probe, 16 tokens and more", 86 if wide else 91, shares[long], " %", long)
        if "1 x 8" in shares:
            goals.at_least("fp32, share of the probe, 8 tokens", 68 if wide else 78, shares["1 x 8"], " %")
    if any(best_peer(row, "fp32") for row in times.values()):
        worst_ratio(goals, result, "fp32", "fp32 to the best peer, 1 x 8 and 1 x 16", 1.6, lambda c: c in ("1 x 8", "1 x 16"))
        worst_ratio(goals, result, "fp32", "fp32 to the best peer, ragged", 1.35, lambda c: "ragged" in c)
        worst_ratio(goals, result, "fp32", "fp32 to the best peer, every cell", 1.13, lambda c: True)
    worst_ratio(goals, result, "int8", "int8 to the best int8 peer, every cell", 1.35 if wide else 1.2, lambda c: True)
    worst_ratio(goals, result, "int8", "int8 to the best int8 peer, 1 x 8 to 1 x 32", 1.6 if wide else 1.4,
                lambda c: c in ("1 x 8", "1 x 16", "1 x 32"))
    worst_ratio(goals, result, "int8", "int8 to the best int8 peer, ragged", 1.7, lambda c: "ragged" in c)
    ratios = {c: row["qeff-bf16"][1] / row["qeff"][1] for c, row in times.items() if "qeff-bf16" in row and "qeff" in row}
    if ratios:
        cell = min(ratios, key=ratios.get)
        goals.at_least("bf16 to own fp32, every cell", 1.75, ratios[cell], note=cell)
    if "qeff-int8" in result["cosines"]:
        accuracy_goals(goals, result["cosines"])
    for cell, wanted in (("32 x 16", 1.9), ("64 ragged", 1.9), ("1 x 32", 1.6)):
        for engine in ("qeff", "qeff-int8", "qeff-bf16"):
            one = times.get(cell, {}).get(engine + ONE_THREAD)
            if one and engine in times[cell]:
                goals.at_least(f"{engine}, 2 threads to 1, {cell}", wanted, times[cell][engine][1] / one[1])
    return goals.table()


def accuracy_goals(goals, cosines):
    for engine, i, wanted in (("qeff", 1, 0.999999), ("qeff-bf16", 1, 0.9999), ("qeff-int8", 0, 0.9988), ("qeff-int8", 1, 0.993),
                              ("qeff-int8-mixed", 1, 0.998)):
        if engine in cosines:
            goals.at_least(f"{engine}, {('mean', 'worst')[i]} cosine of 300 texts", wanted, cosines[engine][i], "")
    peers = [e for e in cosines if family(e) == "int8" and not e.startswith("qeff")]
    for i, what in enumerate(("mean", "worst")):
        best = max(peers, key=lambda e: cosines[e][i], default=None)
        if best:
            goals.at_least(f"qeff-int8, {what} cosine: closer than {best}", round(cosines[best][i], 5), cosines["qeff-int8"][i], "")


def scaling(result):
    """Two threads against one, of the engines that ran on both."""
    times = medians(result)
    engines = [e for e in result["versions"] if e + ONE_THREAD in result["versions"]]
    lines = [[cell, *(f"{row[e][1] / row[e + ONE_THREAD][1]:.2f}" if e in row and e + ONE_THREAD in row else "-" for e in engines)]
             for cell, row in times.items()]
    return [f"2 threads against 1, elapsed time of the same run:\n\n{table(['cell', *engines], lines)}"] if engines else []


def grid(result):
    times, tables, panels = medians(result), [], []
    for kind, what in FAMILIES.items():
        engines = [e for e in result["versions"] if family(e) == kind and not e.endswith(ONE_THREAD)]
        cells = {cell: {e: (100 * row[e][1], f"{e}, {cell}: {figure(row[e][0])} ms") for e in engines if e in row}
                 for cell, row in times.items()}
        if len(engines) < 2:  # own fp32 beside the others, to compare with
            continue
        tables.append(f"{what}: milliseconds (share of the fp32 probe)\n\n{grid_table(result, kind)}")
        if not any(cells.values()):
            continue
        threads = f"{result['threads']} thread{'s' * (result['threads'] > 1)}"
        panels.append((f"{kind}, {threads}: share of the fp32 probe; higher is faster", engines, cells))
    return [summary(result), *tables, *scaling(result), grid_goals(result)], plots.grouped(panels)


# --- encode, startup, tokenize ------------------------------------------------------------------------------------


def encode_rates(result):
    """{engine: texts/s}: its slices, each with its median. A slice takes seconds, so that the probes beside it say little of it: two
    threads that were idle reach 70 to 100 % of what they reach at work. All samples count, and ratios are those of times."""
    return {engine: sum(result["sizes"]) / sum(statistics.median(s[0] for s in samples) for samples in cells.values())
            for engine, cells in result["samples"].items() if len(cells) == len(result["sizes"])}


def encode_summary(result):
    times = [[s[0] for s in samples] for cells in result["samples"].values() for samples in cells.values()]
    scatter = statistics.median(max(t) / min(t) for t in times)
    return (f"{about(result)} At least {min(map(len, times))} samples of each slice and engine, in turns; the slowest takes {scatter:.2f} "
            f"times the fastest, in the median. {made_of(result)}")


def encode(result):
    rates, goals, lines, groups = encode_rates(result), Goals(), [], []
    own_fp32, st = rates.get("qeff"), rates.get("sentence-transformers")
    for kind in FAMILIES:
        of_kind = {e: rates[e] for e in result["versions"] if family(e) == kind and e in rates}
        peers = {e: r for e, r in of_kind.items() if not e.startswith("qeff")}
        own = of_kind.get(name_of(kind))
        best = max(peers, key=lambda e: peers[e] * (e != "sentence-transformers"), default=None)
        for engine, rate in of_kind.items():
            lines.append([engine, figure(rate), f"{own / rate:.2f}" if own and engine in peers else "",
                          *(f"{c:.5f}" for c in result["cosines"][engine])])
        groups.append((f"{kind}: texts a second, 2 threads, tokenisation included", [(e, r, figure(r)) for e, r in of_kind.items()]))
        if own and best and kind == "fp32" and st:
            goals.at_least("fp32 to sentence-transformers", 2.3, own / st)
            goals.at_least("fp32 to the best other", 1.4, own / peers[best], note=best)
        if own and best and kind == "int8":
            goals.at_least("int8 to the best int8 peer", 1.7, own / peers[best], note=best)
    shares = [100 * s[3] / s[0] for samples in result["samples"].get("qeff", {}).values() for s in samples]
    if own_fp32 and shares:
        goals.at_most("tokenisation of qeff's time in fp32", 3, statistics.median(shares), " %")
    head = ["engine", "texts/s", "qeff of these numbers / this", "mean cosine", "worst cosine"]
    return [encode_summary(result), table(head, lines), goals.table()], plots.rows([g for g in groups if g[1]])


def startup(result):
    found = {e: [statistics.median(s[i] for s in cells["process"]) for i in range(3)] for e, cells in result["samples"].items()}
    found = {e: found[e] for e in result["versions"] if e in found}
    lines = [[e, figure(ms), figure(cpu), figure(mib), f"{ms / found['qeff'][0]:.1f}" if "qeff" in found else "-"]
             for e, (ms, mib, cpu) in found.items()]
    goals, others = Goals(), [e for e in found if e.startswith("onnxruntime") and family(e) == "fp32"]
    if "qeff" in found:
        goals.at_most("start to first vector", 30, found["qeff"][0], " ms")
        if others:
            goals.at_most("the same, of onnxruntime + tokenizers", 0.1, found["qeff"][0] / found[others[0]][0], "")
        goals.at_most("peak memory: the weights and 24 MiB", result["weights_mib"] + 24, found["qeff"][1], " MiB")
    text = f"{about(result)} {result['rounds']} runs each, in turns, after one that does not count. {made_of(result)}"
    head = ["process", "ms", "CPU ms", "peak MiB", "time / qeff"]
    groups = [("start to exit with one vector, ms", [(e, v[0], figure(v[0])) for e, v in found.items()]),
              ("peak memory, MiB", [(e, v[1], figure(v[1])) for e, v in found.items()])]
    return [text, table(head, lines), goals.table()], plots.rows(groups)


def tokenize(result):
    kept, goals, lines, rates = steady(result)[0], Goals(), [], {}
    for engine in result["versions"]:
        rates[engine] = {cell: (1e-3 * result["bytes"][cell] / statistics.median(s[0] for s in samples),
                                statistics.median(s[0] * probe(result, s) for s in samples))
                         for cell, samples in kept.get(engine, {}).items()}
        lines.append([engine, *(figure(rates[engine][cell][0]) if cell in rates[engine] else "-" for cell in result["bytes"])])
    own = rates.get("qeff", {})
    peers = {cell: min(((rates[e][cell][1], e) for e in rates if e != "qeff" and cell in rates[e]), default=None) for cell in own}
    lines.append(["qeff / best peer", *(f"{peers[cell][0] / own[cell][1]:.1f} ({peers[cell][1]})" if peers.get(cell) else "-"
                                        for cell in result["bytes"])])
    alone = rates.get("tokenizers", {})
    if "English" in own:
        goals.at_least("English", 40, own["English"][0], " MB/s")
    for cell, wanted in (("English", 20), ("90 languages", 12)):
        if cell in own and cell in alone:
            goals.at_least(f"{cell}, to `tokenizers` text by text", wanted, alone[cell][1] / own[cell][1])
    if "one letter" in own:
        goals.at_most("1 MB of one letter", 100, 1e-3 * result["bytes"]["one letter"] / own["one letter"][0], " ms")
    groups = [(f"{cell}: MB of text a second, 1 thread", [(e, rates[e][cell][0], figure(rates[e][cell][0])) for e in rates if cell in rates[e]])
              for cell in result["bytes"] if cell != "one letter" and any(cell in rates[e] for e in rates)]
    sizes = ", ".join(f"{cell} {size / 1e6:.2f} MB" for cell, size in result["bytes"].items())
    same = all(tokens == result["tokens"]["qeff"] for tokens in result["tokens"].values())
    says = f"Texts: {sizes}. All engines find {'the same' if same else 'different'} numbers of tokens."
    return [f"{summary(result)} {says}", table(["MB/s", *result["bytes"]], lines), goals.table()], plots.rows(groups)


# --- the page -----------------------------------------------------------------------------------------------------

BLOCKS = {"fp32": grid, "int8": grid, "threads": grid, "avx2": grid, "encode": encode, "startup": startup, "tokenize": tokenize}


def show(result, docs=None):
    """Prints the block of a part; with a folder, writes it into its performance.md between the marks, and the plot beside it."""
    part = result["part"]
    blocks, plot = BLOCKS[part](result)
    words = "\n\n".join(block for block in blocks if block)
    print(words)
    if not docs:
        return
    (docs / f"performance-{part}.svg").write_text(plot)
    page, begin, end = docs / "performance.md", f"<!-- measured: {part} -->", f"<!-- end: {part} -->"
    before, _, rest = page.read_text().partition(begin)
    _, mark, after = rest.partition(end)
    if not mark:
        sys.exit(f"{page} lacks the marks {begin} and {end}")
    page.write_text(f"{before}{begin}\n\n{words}\n\n![The table of part {part} as a plot](performance-{part}.svg)\n\n{end}{after}")


def main():
    folder = ROOT / "bench/peers/results"
    for path in sorted(folder.glob("*.json")):
        if len(sys.argv) == 1 or path.stem in sys.argv[1:]:
            show(json.loads(path.read_text()), ROOT / "docs")


if __name__ == "__main__":
    main()
