"""qeff through its C interface: an engine like those of engines.py, and what else is measured of it."""
import ctypes
import hashlib
import subprocess
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]


class Embeddings(ctypes.Structure):
    _fields_ = [("count", ctypes.c_size_t), ("dim", ctypes.c_size_t), ("values", ctypes.POINTER(ctypes.c_float))]


class Error(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int), ("message", ctypes.c_char * 1024), ("hint", ctypes.c_char * 256)]


class Options(ctypes.Structure):
    """qeff_auto_model_options up to n_threads, and room for what follows."""
    _fields_ = [("pooling", ctypes.c_char_p), ("normalize", ctypes.c_int), ("with_token_type_ids", ctypes.c_bool),
                ("target", ctypes.c_char_p), ("precision", ctypes.c_char_p), ("n_threads", ctypes.c_int),
                ("rest", ctypes.c_char * 256)]


class String(ctypes.Structure):
    _fields_ = [("data", ctypes.c_char_p), ("size", ctypes.c_size_t)]


def strings(texts):
    """An array of qeff_str over a list of str."""
    encoded = [text.encode() for text in texts]
    return (String * len(encoded))(*((data, len(data)) for data in encoded))


class Library:
    def __init__(self, build):
        self.path = build / "src/libqeff.so"
        self.lib, self.error = ctypes.CDLL(str(self.path), mode=ctypes.RTLD_GLOBAL), Error()
        self.lib.qeff_version.restype = self.lib.qeff_cpu_level.restype = ctypes.c_char_p

    def check(self, status):
        if status:
            raise RuntimeError(self.error.message.decode())

    def version(self):
        return f"{self.lib.qeff_version().decode()}, {self.lib.qeff_cpu_level().decode()}"

    def digest(self):
        return hashlib.sha256(self.path.read_bytes()).hexdigest()[:12]

    def probe(self, threads):
        """GFLOP/s of the multiply-adds that the cores do now: the best of three, since a core that was idle is slow at first; of
        one core in CPU time, as its samples are."""
        best, flops = 0, ctypes.c_double()
        for _ in range(3):
            elapsed, used = time.perf_counter(), time.process_time()
            self.check(self.lib.qeff_cpu_probe(ctypes.c_int(threads), ctypes.c_double(0.004), ctypes.byref(flops),
                                               ctypes.byref(self.error)))
            elapsed, used = time.perf_counter() - elapsed, time.process_time() - used
            best = max(best, 1e-9 * flops.value * (elapsed / used if threads == 1 else 1))
        return best


class Tokenizer(Library):
    """The tokenizer alone, in a loop that is C as well (tokenizer_loop.c): per text, a call from Python would cost as much
    as the text."""

    def __init__(self, build, model, work):
        super().__init__(build)
        loop = work / "tokenizer_loop.so"
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", f"-I{ROOT / 'include'}", f"-I{build / 'include'}",
                        Path(__file__).with_name("tokenizer_loop.c"), "-o", loop], check=True)
        self.loop, self.handle = ctypes.CDLL(str(loop)), ctypes.c_void_p()
        self.check(self.lib.qeff_tokenizer_open(str(model).encode(), None, ctypes.byref(self.handle), ctypes.byref(self.error)))

    def count(self, array):
        """Tokens of all texts of an array of qeff_str."""
        tokens = ctypes.c_size_t()
        self.check(self.loop.tokenizer_loop(self.handle, array, ctypes.c_size_t(len(array)), ctypes.byref(tokens),
                                            ctypes.byref(self.error)))
        return tokens.value


class Qeff(Library):
    sorts = False  # takes sequences of any lengths as they are

    def __init__(self, setup, precision="fp32"):
        super().__init__(setup.build)
        self.threads, self.model = setup.threads, ctypes.c_void_p()
        options = Options(precision=precision.encode(), n_threads=setup.threads)
        self.check(self.lib.qeff_auto_model_from_pretrained(str(setup.model).encode(), ctypes.byref(options),
                                                            ctypes.byref(self.model), ctypes.byref(self.error)))
        self.version = super().version()

    def vectors(self, out):
        found = out.contents
        values = np.ctypeslib.as_array(found.values, (found.count, found.dim)).copy()
        self.lib.qeff_embeddings_destroy(out)
        return values

    def prepare(self, batch):
        ids = np.concatenate([np.asarray(s, np.int64) for s in batch])
        offsets = np.concatenate([[0], np.cumsum([len(s) for s in batch])]).astype(np.uint64)
        return ids, offsets

    def run(self, prepared):
        ids, offsets = prepared
        out = ctypes.POINTER(Embeddings)()
        self.check(self.lib.qeff_auto_model_encode_ids(
            self.model, ids.ctypes.data_as(ctypes.c_void_p), offsets.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_size_t(len(offsets) - 1), None, ctypes.byref(out), ctypes.byref(self.error)))
        return self.vectors(out)

    def encode(self, texts):
        out, array = ctypes.POINTER(Embeddings)(), strings(texts)
        self.check(self.lib.qeff_auto_model_encode(self.model, array, ctypes.c_size_t(len(array)), None, ctypes.byref(out),
                                                   ctypes.byref(self.error)))
        return self.vectors(out)
