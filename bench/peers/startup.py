"""Whole processes, from exec to exit with one vector printed: part startup.

The page cache is warm: each process runs once before it counts. qeff gets a compiled program, the others their converted
model. Memory is the peak resident set that the kernel reports. A child starts with its parent's peak, so this module
and what it imports stay small; the files of the peers are made by processes of their own."""
import os
import subprocess
import sys
import time
from pathlib import Path

from children import environment
from rounds import Rounds, held, rotated

TEXT = "A house is built from the ground up."
THREADS = 2
TOKENS = """
import sys
from pathlib import Path
import numpy as np
from tokenizers import Tokenizer
tokenizer = Tokenizer.from_file(MODEL + "/tokenizer.json")
tokenizer.no_padding()
ids = np.array([tokenizer.encode(TEXT).ids], np.int64)
mask = np.ones_like(ids)
"""
ONNXRUNTIME = TOKENS + """
import onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = THREADS
session = onnxruntime.InferenceSession(FILE, options, providers=["CPUExecutionProvider"])
print(*session.run(None, {"input_ids": ids, "attention_mask": mask})[0][0])
"""
OPENVINO = TOKENS + """
import openvino
compiled = openvino.Core().compile_model(FILE, "CPU", {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": THREADS,
                                                       "INFERENCE_PRECISION_HINT": "f32", "CACHE_DIR": FILE + ".cache"})
print(*compiled({"input_ids": ids, "attention_mask": mask})[0][0])
"""
CTRANSLATE2 = TOKENS + """
import ctranslate2
encoder = ctranslate2.Encoder(FILE, device="cpu", compute_type="float32", intra_threads=THREADS)
vector = np.array(encoder.forward_batch([ids[0].tolist()]).last_hidden_state)[0].mean(0)
print(*(vector / np.linalg.norm(vector)))
"""
LLAMA = """
import numpy as np
from llama_cpp import Llama
model = Llama(FILE, embedding=True, n_threads=THREADS, n_threads_batch=THREADS, n_ctx=512, verbose=False)
print(*model.embed(TEXT, normalize=True))
"""
SENTENCE_TRANSFORMERS = """
import torch
torch.set_num_threads(THREADS)
from sentence_transformers import SentenceTransformer
print(*SentenceTransformer(FILE, device="cpu").encode([TEXT], show_progress_bar=False)[0])
"""
# label: the program, and which function of convert.py makes its file
SCRIPTS = {"onnxruntime-fused": (ONNXRUNTIME, "fused_onnx"), "onnxruntime-fused-int8": (ONNXRUNTIME, "fused_int8_onnx"),
           "openvino": (OPENVINO, "exported"), "ctranslate2": (CTRANSLATE2, "ctranslate2"), "llama.cpp": (LLAMA, "model_gguf"),
           "sentence-transformers": (SENTENCE_TRANSFORMERS, "sentence_transformers")}
PACKAGES = {"onnxruntime-fused-int8": "onnxruntime", "onnxruntime-fused": "onnxruntime", "llama.cpp": "llama_cpp_python"}
CONVERT = "import sys; sys.path.insert(0, {here!r}); import convert, engines; from pathlib import Path; " \
    "print(convert.{name}(engines.Setup(*map(Path, sys.argv[1:]), {threads})))"


def output(command, env):
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1])
    return done.stdout.strip()


def program(options, precision, env):
    """A compiled program of this build of qeff."""
    folder = options.work / "programs" / f"{options.digest}-{precision}"
    if not folder.exists():
        output([options.build / "cli/qeff", "compile", options.model, "-o", folder, "--precision", precision], env)
    return folder


def commands(options, env):
    """({label: command}, {label: why it is left out})"""
    found, left_out = {}, {}
    for precision in ("fp32", "int8"):
        found["qeff" if precision == "fp32" else f"qeff-{precision}"] = [
            options.build / "cli/qeff", "embed", program(options, precision, env), "--threads", THREADS, TEXT]
    for label, (script, file) in SCRIPTS.items():
        try:
            code = CONVERT.format(here=str(Path(__file__).parent), name=file, threads=THREADS)
            path = output([sys.executable, "-B", "-c", code, options.build, options.model, options.work], env).splitlines()[-1]
            head = f"MODEL = {str(options.model)!r}\nFILE = {path!r}\nTHREADS = {THREADS}\nTEXT = {TEXT!r}\n"
            (options.work / f"startup-{label}.py").write_text(head + script)
            found[label] = [sys.executable, "-B", options.work / f"startup-{label}.py"]
            output(found[label], env)
        except RuntimeError as error:
            found.pop(label, None)
            left_out[label] = str(error)
            print(f"{label} is left out: {error}", file=sys.stderr)
    return {label: command for label, command in found.items() if not options.engines or label in options.engines}, left_out


def spend(command, env):
    """[milliseconds, MiB at most, milliseconds of CPU time] of a process."""
    with open(os.devnull, "w") as null:
        begin = time.perf_counter()
        child = subprocess.Popen(list(map(str, command)), stdout=null, stderr=null, env=env)
        _, status, usage = os.wait4(child.pid, 0)
        elapsed = time.perf_counter() - begin
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"{command}: exit {child.returncode}")
    return [1e3 * elapsed, usage.ru_maxrss / 1024, 1e3 * (usage.ru_utime + usage.ru_stime)]


def versions(labels, qeff):
    from importlib.metadata import version
    return {label: qeff if label.startswith("qeff") else version(PACKAGES.get(label, label)) for label in labels}


def measure(options, part):
    os.sched_setaffinity(0, range(THREADS))
    env = environment(options.work, THREADS)
    qeff = output([options.build / "cli/qeff", "--version"], env)
    import hashlib
    options.digest = hashlib.sha256((options.build / "cli/qeff").read_bytes()).hexdigest()[:12]
    processes, left_out = commands(options, env)

    def one_round(number):
        with held(options.lock):
            for label in rotated(list(processes), number):
                yield label, "process", spend(processes[label], env)

    weights = (options.model / "model.safetensors").stat().st_size / 2**20
    rounds = Rounds(options, part, {"threads": THREADS, "library": options.digest, "versions": versions(processes, qeff)},
                    {"left_out": left_out, "weights_mib": weights})
    for command in processes.values():
        spend(command, env)
    rounds.run(options.rounds or 9, one_round)
    return rounds.result
