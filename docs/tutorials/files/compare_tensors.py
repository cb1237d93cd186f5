"""Names every tensor whose bytes differ between two checkpoint folders: python3 compare_tensors.py BEFORE AFTER.

It reads the files by itself (https://github.com/huggingface/safetensors, "Format") and needs the standard library only.
"""

import json
import pathlib
import struct
import sys


def tensors(folder):
    """Name, type, shape and bytes of every tensor."""
    for path in sorted(pathlib.Path(folder).glob("*.safetensors")):
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(length))
            for name, entry in header.items():
                if name == "__metadata__":
                    continue
                begin, end = entry["data_offsets"]
                file.seek(8 + length + begin)
                yield name, (entry["dtype"], entry["shape"], file.read(end - begin))


before, after = (dict(tensors(folder)) for folder in sys.argv[1:3])
if before.keys() != after.keys() or any(before[n][:2] != after[n][:2] for n in before):
    sys.exit("the folders do not hold the same tensors")
changed = sorted(name for name in before if before[name][2] != after[name][2])
for name in changed:
    print("changed:", name)
print(f"{len(changed)} of {len(before)} tensors changed, the others are the same byte for byte")
