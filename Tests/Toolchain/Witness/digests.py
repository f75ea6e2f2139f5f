"""Digests of what llama.cpp makes of seeded numbers, for QuantizationDigestTests.

digests.py PATH/libggml-base.so             prints a line for each of its formats
digests.py --numbers OUT                    writes the numbers as float32, for other judges
digests.py --digest FILE...                 digests of what these made of them
"""

import ctypes
import sys

import numpy as np

MASK = (1 << 64) - 1
TYPES = {
    "Q4_0": 2, "Q4_1": 3, "Q5_0": 6, "Q5_1": 7, "Q8_0": 8, "Q2_K": 10, "Q3_K": 11, "Q4_K": 12, "Q5_K": 13,
    "Q6_K": 14, "IQ4_NL": 20, "IQ4_XS": 23, "BF16": 30, "F16": 1, "TQ1_0": 34, "TQ2_0": 35, "MXFP4": 39,
}


class SplitMix64:
    def __init__(self, seed):
        self.state = seed

    def uniform(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        z ^= z >> 31
        return (z >> 11) * 2.0**-53


def numbers():
    """Twelve kinds of 2048 numbers each."""
    random = SplitMix64(8)
    result = []
    for kind in range(12):
        common = 1.0
        for i in range(2048):
            x = random.uniform() + random.uniform() + random.uniform() + random.uniform() - 2
            if i % 64 == 0:
                common = random.uniform()
            if kind == 1:
                x *= 0.02
            elif kind == 2 and i % 61 == 0:
                x *= 30
            elif kind == 3:
                x = 0.0
            elif kind == 4:
                x = common - 0.5
            elif kind == 5:
                x *= 1e-12
            elif kind == 6:
                x *= 1e4
            elif kind == 7:
                x = common if i % 2 == 0 else -common
            elif kind == 8:
                x *= 2.0 ** -(i // 16 % 24)
            elif kind == 9:
                x = 0.0 if abs(x) < 0.25 else 0.75 if x > 0 else -0.75
            elif kind == 10:
                x = -abs(x)
            elif kind == 11:
                x = x * x * x
            result.append(x)
    return np.array(result, dtype=np.float64).astype(np.float32)


def digest(data):
    """FNV-1a."""
    value = 0xCBF29CE484222325
    for byte in bytes(data):
        value = (value ^ byte) * 0x100000001B3 & MASK
    return f"{value:016x}"


def main():
    if sys.argv[1] == "--numbers":
        numbers().tofile(sys.argv[2])
    elif sys.argv[1] == "--digest":
        for path in sys.argv[2:]:
            print(path, digest(np.fromfile(path, dtype=np.uint8)))
    else:
        library = ctypes.CDLL(sys.argv[1])
        chunk = library.ggml_quantize_chunk
        chunk.restype = ctypes.c_size_t
        chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p] + [ctypes.c_int64] * 3 + [ctypes.c_void_p]
        values = numbers()
        for name, number in TYPES.items():
            out = np.zeros(values.size * 4, dtype=np.uint8)
            size = chunk(number, values.ctypes.data, out.ctypes.data, 0, values.size // 2048, 2048, None)
            print(name, digest(out[:size]))


main()
