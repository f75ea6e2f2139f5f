"""Independent conversions between block formats and floats, by the `gguf` package of llama.cpp.

quants.py dequantize TYPE IN OUT   bytes of whole blocks -> float32
quants.py quantize   TYPE IN OUT   float32 -> bytes of whole blocks
"""

import sys

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, quants


def main():
    command, name, source, destination = sys.argv[1:]
    kind = GGMLQuantizationType[name]
    block_size, block_bytes = GGML_QUANT_SIZES[kind]
    # Half of the scales in random bytes overflow or are no numbers; that is what is tested.
    with np.errstate(all="ignore"):
        if command == "dequantize":
            rows = np.fromfile(source, dtype=np.uint8).reshape(-1, block_bytes)
            result = quants.dequantize(rows, kind).astype(np.float32)
        else:
            rows = np.fromfile(source, dtype=np.float32).reshape(-1, block_size)
            result = quants.quantize(rows, kind)
    result.tofile(destination)


main()
