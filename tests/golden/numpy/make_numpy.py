"""Writes the arrays that formats/npy_test.c and formats/npz_test.c read: what numpy itself saves."""
import pathlib

import numpy as np

here = pathlib.Path(__file__).parent

arrays = {
    "f4": np.arange(6, dtype="<f4").reshape(2, 3) / 4,
    "f8": np.array(2.5),
    "f2": np.array([1.0, -0.0, 65504.0], dtype="<f2"),
    "i8": np.array([[[-(2**63), 2**63 - 1]]], dtype="<i8"),
    "u1": np.arange(256, dtype="u1"),
    "b1": np.array([True, False]),
    "empty": np.zeros((0, 3), dtype="<i4"),
    "growth": np.zeros((0, 123456789012345), dtype="<u2"),
    "dir/é": np.array([7], dtype="<i2"),
}
np.savez(here / "arrays.npz", **arrays)
for name in ("f4", "f8", "i8", "empty", "growth"):
    np.save(here / f"{name}.npy", arrays[name])
np.save(here / "fortran.npy", np.asfortranarray(arrays["f4"]))
np.save(here / "big_endian.npy", arrays["f4"].astype(">f4"))
np.save(here / "object.npy", np.array([None], dtype=object))
np.save(here / "record.npy", np.zeros(1, dtype=[("x", "<f4")]))
np.save(here / "text.npy", np.array(["ab"]))
np.savez_compressed(here / "compressed.npz", a=np.zeros(100))
for version in ((2, 0), (3, 0)):
    with open(here / f"version_{version[0]}.npy", "wb") as file:
        np.lib.format.write_array(file, arrays["f4"], version=version)

# What the library wrote (npz_test.c keeps it from changing) is read by numpy as it should be.
written = np.load(here / "written.npz")
assert written.files == ["a", "b", "d/é", "scalar"]
assert np.array_equal(written["a"], arrays["f4"]) and written["a"].dtype == np.float32
assert np.array_equal(written["b"], [1, 2, 3, 4]) and written["b"].dtype == np.uint8
assert written["d/é"].shape == (0,) and written["d/é"].dtype == np.int64
assert written["scalar"].shape == () and int(written["scalar"]) == 0x0605
