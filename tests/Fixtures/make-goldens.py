#!/usr/bin/env python3
"""Makes tests/Fixtures/goldens out of a full set of reference values.

Usage: make-goldens.py FULL_SET

Copies the cases named below byte for byte, writes reduced manifests where a manifest speaks of several cases, and
leaves out the tensors that LEFT_OUT names: no test reads them, or another tensor says the same. Standard library only.
READMEs are written by hand and stay as they are.
"""

import fnmatch
import json
import pathlib
import shutil
import struct
import sys

HERE = pathlib.Path(__file__).parent / "goldens"

# One checkpoint a family. The third has tied embeddings, bfloat16 weights and three shards.
MODELS = ["tiny-llama2", "tiny-mistral", "tiny-llama31-tied-bf16"]

# Cases by folder of edit/: one that every rule of the method takes part in, and one for each rule that needs its own.
EDITS = {
    "rome": ["plain", "mom2"],
    "memit": ["batch"],
    "alphaedit": ["manifest"],
    "grace": ["cold", "cold_replace_all", "expand_cold"],
    "wise": ["nopad_single_memory"],
}

# One case a method. KL is the one whose reference is another model: from the start its gradient would be noise.
UNLEARN = ["ga", "gd", "idk", "dpo", "kl_other_reference"]

# One case for each method that the paper does not have.
MODERN = ["npo", "simnpo", "rmu"]

# Tensors by folder, as patterns of file and tensor.
LEFT_OUT = {
    "forward": [
        ("*", "batch_right.*"),
        ("*", "hidden.attn_probs.*"),
        ("*", "hidden.*_proj"),
        ("*", "hidden.*_norm"),
    ],
    "edit": [("*", "inv_C"), ("batch*", "*.cache_c_after")],
    "modern": [("*", "step1.*"), ("inputs", "rmu.*_activations")],
    "unlearn": [(case, tensor) for case in UNLEARN for tensor in ["*.embed_tokens.weight", "step1.*"]],
}
KEPT = ["hidden.final_norm"]


def tensors(path):
    """Names and entries of a safetensors file in the order of their bytes, and the bytes."""
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    header.pop("__metadata__", None)
    entries = sorted(header.items(), key=lambda e: e[1]["data_offsets"])
    return entries, data[8 + size :]


def reduce(source, target, patterns):
    """Copies a safetensors file without the tensors that match; byte for byte where none does."""
    entries, data = tensors(source)
    kept = [e for e in entries if e[0] in KEPT or not any(fnmatch.fnmatch(e[0], p) for p in patterns)]
    if len(kept) == len(entries):
        shutil.copyfile(source, target)
        return
    header, body = {}, b""
    for name, entry in kept:
        begin, end = entry["data_offsets"]
        header[name] = {**entry, "data_offsets": [len(body), len(body) + end - begin]}
        body += data[begin:end]
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    target.write_bytes(struct.pack("<Q", len(text)) + text + body)


def take(full, folder, name):
    """Copies one file of a case."""
    source, target = full / folder / name, HERE / folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix == ".safetensors":
        rules = LEFT_OUT.get(folder.split("/")[0], [])
        reduce(source, target, [tensor for file, tensor in rules if fnmatch.fnmatch(source.stem, file)])
    else:
        shutil.copyfile(source, target)


def main(full):
    for old in [p for p in HERE.rglob("*") if p.is_file() and p.name != "README.md"]:
        old.unlink()
    for model in MODELS:
        for file in sorted((full / "models" / model).iterdir()):
            take(full, f"models/{model}", file.name)
        for end in [".json", ".safetensors"]:
            take(full, "forward", model + end)
    for file in ["inputs.json", "second_moment.safetensors"]:
        take(full, "edit/common", file)
    for method, cases in EDITS.items():
        for case in cases:
            for file in sorted((full / "edit" / method).glob(case + ".*")):
                take(full, f"edit/{method}", file.name)
    for file in sorted((full / "edit" / "alphaedit").glob("batch*.safetensors")):
        take(full, "edit/alphaedit", file.name)
    take(full, "edit/wise", "merge_ops.safetensors")
    for file in sorted((full / "metrics").iterdir()):
        if file.suffix in (".json", ".safetensors"):
            take(full, "metrics", file.name)
    manifest = json.loads((full / "unlearn" / "manifest.json").read_text())
    for case in UNLEARN:
        for end in [".safetensors", ".stats.json"]:
            take(full, "unlearn", case + end)
    for file in ["inputs.safetensors", "other_reference.safetensors"]:
        take(full, "unlearn", file)
    kept = {k: v for k, v in manifest.items() if k in UNLEARN or k.startswith("_")}
    (HERE / "unlearn" / "manifest.json").write_text(json.dumps(kept, indent=1) + "\n")
    manifest = json.loads((full / "modern" / "manifest.json").read_text())
    for file in ["inputs"] + MODERN:
        take(full, "modern", file + ".safetensors")
    manifest["cases"] = {k: v for k, v in manifest["cases"].items() if k in MODERN}
    (HERE / "modern" / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
    files = [p for p in HERE.rglob("*") if p.is_file()]
    print(f"{len(files)} files, {sum(p.stat().st_size for p in files) / 1e6:.2f} MB")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]))
