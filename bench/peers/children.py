"""Engines as processes that wait for orders on their standard input, so that all of them are loaded before the first
sample and none pays for another's import. An order and its answer are one JSON object a line."""
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

# What holds the engines to AVX2, where they can be held. onnxruntime and the llama.cpp that pip builds have no such switch.
AVX2 = {"QEFF_CPU": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "DNNL_MAX_CPU_ISA": "AVX2", "CT2_FORCE_CPU_ISA": "AVX2",
        "ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}


def environment(work, threads, more=()):
    # Threads that wait for work spin for 0.2 s in some OpenMP libraries: into the next engine's time.
    return dict(os.environ, OMP_NUM_THREADS=str(threads), RAYON_NUM_THREADS=str(threads), KMP_BLOCKTIME="20",
                TOKENIZERS_PARALLELISM="true" if threads > 1 else "false", HF_HUB_OFFLINE="1", QEFF_HOME=str(work / "qeff"),
                TORCHINDUCTOR_CACHE_DIR=str(work / "inductor"), **dict(more))


class Child:
    """`mode` names a module with `serve(setup, engine, arguments)`, a generator that gives its greeting, is sent orders, and gives
    an answer to each."""

    def __init__(self, options, mode, engine, threads, arguments=(), more_environment=()):
        command = [sys.executable, "-B", __file__, mode, engine, options.build, options.model, options.work, threads, *arguments]
        self.log = open(options.work / f"{mode}-{engine}-{threads}.log", "w+")
        self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
                                        text=True, env=environment(options.work, threads, more_environment))
        self.greeting = self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.log.seek(0)
            raise RuntimeError((self.log.read().strip().splitlines() or ["it ended without a word"])[-1])
        return json.loads(line)

    def order(self, order):
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.log.close()


def start(options, mode, engines, arguments=(), more_environment=()):
    """({label: child}, {label: why it is left out}) for [(label, engine, threads)]."""
    children, left_out = {}, {}
    for label, engine, threads in engines:
        try:
            children[label] = Child(options, mode, engine, threads, arguments, more_environment)
            print(f"{label}: {children[label].greeting['version']}", file=sys.stderr)
        except RuntimeError as error:
            left_out[label] = str(error)
            print(f"{label} is left out: {error}", file=sys.stderr)
    return children, left_out


def main():
    from engines import Setup
    mode, engine, build, model, work, threads, *arguments = sys.argv[1:]
    os.sched_setaffinity(0, range(int(threads)))
    out = os.fdopen(os.dup(1), "w")  # engines may print what they like to stderr
    os.dup2(2, 1)
    server = importlib.import_module(mode).serve(Setup(Path(build), Path(model), Path(work), int(threads)), engine, arguments)
    print(json.dumps(next(server)), file=out, flush=True)
    for line in sys.stdin:
        print(json.dumps(server.send(json.loads(line))), file=out, flush=True)


if __name__ == "__main__":
    main()
