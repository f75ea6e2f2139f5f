"""split.py OUT.gguf: a small model in several files, by the `gguf` package of llama.cpp."""

import sys
from pathlib import Path

import numpy as np
from gguf import GGUFWriter

writer = GGUFWriter(sys.argv[1], "llama", split_max_tensors=3)
writer.add_name("split")
for number in range(8):
    writer.add_tensor(f"t{number}.weight", np.full((2, 32), number, dtype=np.float32))
writer.write_header_to_file(Path(sys.argv[1]))
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
