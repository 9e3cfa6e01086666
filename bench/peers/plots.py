"""SVG plots, written without a library."""

# qeff is blue, its more exact forms lighter; one colour a peer, lighter for a second form of it.
COLORS = {"qeff": "#1b6ca8", "qeff-mixed": "#6fa8d6", "onnxruntime": "#d98b2b", "onnxruntime-fused": "#efc27a", "openvino": "#7a5195",
          "openvino-int8-bf16": "#b79bc9",
          "ctranslate2": "#4f9d69", "pytorch": "#c0504d", "pytorch-compiled": "#e29c99", "llama.cpp": "#8c8c8c",
          "sentence-transformers": "#c0504d", "tokenizers": "#d98b2b", "tokenizers-batch": "#d98b2b", "tokenizers-batch-fast": "#d98b2b"}
WIDTH, LEFT, PANEL = 960, 56, 330


def color(engine):
    name = engine.split(" ")[0]
    return COLORS.get(name) or COLORS.get(name.replace("-int8", "").replace("-bf16", ""), "#888")


def text(x, y, what, **more):
    attributes = "".join(f' {k.replace("_", "-")}="{v}"' for k, v in more.items())
    return f'<text x="{x:.1f}" y="{y:.1f}"{attributes}>{what}</text>'


def rectangle(x, y, width, height, fill, title=""):
    inside = f"<title>{title}</title>" if title else ""
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}">{inside}</rect>'


def page(height, parts):
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12" fill="#222">'
    return "\n".join([head, f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>', *parts, "</svg>"]) + "\n"


def legend(engines, top):
    letters = 6.6 * sum(map(len, engines))
    gap = min(40, (WIDTH - 20 - LEFT - letters) / len(engines))
    parts, x = [], LEFT
    for engine in engines:
        parts += [rectangle(x, top, 12, 12, color(engine)), text(x + 17, top + 10, engine)]
        x += gap + 6.6 * len(engine)
    return parts


def scale(most):
    """A round step for an axis up to `most`, and its end."""
    step = next(s for s in (20, 50, 100, 200, 500, 1000) if most / s <= 6)
    return step, -(-most // step) * step


def panel(top, title, engines, cells):
    """Groups of bars: `cells` is {cell: {engine: (percent, tooltip)}}. Figures stand on the bars of qeff alone."""
    step, end = scale(max(percent for row in cells.values() for percent, _ in row.values()))
    high, low = top + 52, top + PANEL - 46
    group = (WIDTH - LEFT - 20) / len(cells)
    bar = min((group - 16) / len(engines), 24)
    parts = [text(LEFT, top + 18, title, font_size=15), *legend(engines, top + 28)]
    for percent in range(0, int(end) + 1, step):
        y = low - (low - high) * percent / end
        parts += [f'<line x1="{LEFT}" x2="{WIDTH - 20}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>',
                  text(LEFT - 6, y + 4, f"{percent} %", text_anchor="end", fill="#555")]
    for i, (cell, row) in enumerate(cells.items()):
        x = LEFT + i * group + (group - bar * len(engines)) / 2
        for k, engine in enumerate(engines):
            if engine not in row:
                continue
            percent, tooltip = row[engine]
            y = low - (low - high) * percent / end
            parts.append(rectangle(x + k * bar, y, bar - 1, low - y, color(engine), tooltip))
            if engine.startswith("qeff"):
                parts.append(text(x + (k + 0.5) * bar, y - 3, f"{percent:.0f}", text_anchor="middle", font_size=10))
        parts.append(text(x + bar * len(engines) / 2, low + 16, cell, text_anchor="middle"))
    return [*parts, text((LEFT + WIDTH) / 2, low + 33, "sequences x tokens of one call", text_anchor="middle", fill="#555")]


def grouped(panels):
    """A page of panels, [(title, engines, cells)]."""
    parts = []
    for i, (title, engines, cells) in enumerate(panels):
        parts += panel(10 + i * PANEL, title, engines, cells)
    return page(10 + len(panels) * PANEL, parts)


def rows(groups):
    """Horizontal bars: [(title, [(engine, value, what to write)])], each group to its own scale."""
    parts, y, label = [], 12, 190
    for title, bars in groups:
        parts.append(text(20, y + 16, title, font_size=15))
        y += 28
        most = max(value for _, value, _ in bars)
        for engine, value, shown in bars:
            width = max((WIDTH - label - 140) * value / most, 1)
            parts += [text(label - 8, y + 14, engine, text_anchor="end"), rectangle(label, y + 2, width, 16, color(engine)),
                      text(label + width + 6, y + 14, shown)]
            y += 22
        y += 12
    return page(y, parts)
