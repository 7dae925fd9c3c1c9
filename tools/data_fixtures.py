"""Writes the small data files that the tests of quaver-data read, with the libraries that people write theirs with.

    python tools/data_fixtures.py crates/quaver-data/tests/fixtures

Versions used: pyarrow, pandas, polars and Pillow as `versions.txt` beside the files says.
"""

import io
import json
import sys
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import PIL
import polars as pl
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
from PIL import Image

out = Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)

# What the tests expect: feature j of row i is i + j / 4, its label i % 3.
N = 20
features = {f"f{j}": [i + j / 4 for i in range(N)] for j in range(3)}
labels = [i % 3 for i in range(N)]
frame = pd.DataFrame({**features, "label": labels})
frame["label"] = frame["label"].astype("int64")

# Numbers in columns, in several row groups and packings; pandas adds its index as a column.
# Brotli is not read, and its name is said.
for compression in ["snappy", "zstd", "lz4", "none", "gzip", "brotli"]:
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), out / f"columns_{compression}.parquet",
                   row_group_size=7, compression=compression)
pl.DataFrame({**features, "label": labels}).write_parquet(out / "columns_polars.parquet")
indexed = frame.copy()
indexed.index = [100 + i for i in range(N)]
indexed.rename_axis(None).to_parquet(out / "columns_pandas.parquet")
named = pl.DataFrame({**features, "label": [["cat", "ant", "dog"][i % 3] for i in range(N)]})
named.write_parquet(out / "names.parquet")
named.write_ipc(out / "names.arrow")
pl.DataFrame({**features, "label": labels}).write_csv(out / "columns.csv")
frame.to_csv(out / "columns_pandas.csv")
frame.to_csv(out / "columns_semicolon.csv", sep=";", index=False)

# Arrays of shape [2, 3] in nested lists and in lists of fixed size; value i + k / 8 at flat position k.
nested = [[[i + (3 * a + b) / 8 for b in range(3)] for a in range(2)] for i in range(N)]
lists = pa.table({"pixels": pa.array(nested, pa.list_(pa.list_(pa.float32()))), "label": labels})
pq.write_table(lists, out / "lists.parquet", row_group_size=7)
pq.write_table(lists, out / "lists_gzip.parquet", row_group_size=7, compression="gzip", data_page_version="2.0")
fixed = pa.array(nested, pa.list_(pa.list_(pa.float32(), 3), 2))
fixed = pa.table({"pixels": fixed, "label": labels})
feather.write_feather(fixed, out / "fixed_lz4.feather", compression="lz4", chunksize=7)
feather.write_feather(fixed, out / "fixed_zstd.feather", compression="zstd", chunksize=7)
with pa.ipc.new_stream(out / "fixed_stream.arrow", fixed.schema) as writer:
    writer.write_table(fixed, max_chunksize=7)

# Token ids and a mask, as tokenizers write them.
tokens = pa.table({
    "input_ids": pa.array([[i, i + 1, 0, 0] for i in range(N)], pa.list_(pa.int64())),
    "attention_mask": pa.array([[1, 1, 0, 0] for i in range(N)], pa.list_(pa.int8())),
    "label": labels,
})
pq.write_table(tokens, out / "tokens.parquet", row_group_size=7)


def picture(seed, size, mode="RGB"):
    """Smooth colours with edges in them."""
    rng = np.random.default_rng(seed)
    height, width = size
    y, x = np.mgrid[0:height, 0:width]
    channels = [127 + 120 * np.sin(x / rng.uniform(1, 5) + y / rng.uniform(1, 5) + rng.uniform(0, 6)) for _ in range(3)]
    pixels = np.stack(channels, -1)
    pixels[height // 3 : height // 2, width // 4 : width // 2] = rng.integers(0, 256, 3)
    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8), "RGB")
    return image.convert(mode)


def encoded(image, kind="PNG"):
    stream = io.BytesIO()
    image.save(stream, kind)
    return stream.getvalue()


# Images as Hugging Face's datasets write them; the third is broken.
images = [encoded(picture(i, (5, 4))) for i in range(6)]
images[2] = images[2][:40]
cells = [{"bytes": data, "path": f"{i}.png"} for i, data in enumerate(images)]
image_type = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
info = {"info": {"features": {
    "image": {"_type": "Image"},
    "label": {"names": ["zero", "one", "two"], "_type": "ClassLabel"},
}}}
schema = pa.schema([("image", image_type), ("label", pa.int64())],
                   metadata={"huggingface": json.dumps(info)})
table = pa.Table.from_arrays([pa.array(cells, image_type), pa.array([0, 1, 2, 0, 1, -1])], schema=schema)
pq.write_table(table, out / "images.parquet", row_group_size=4)
with pa.ipc.new_stream(out / "images.arrow", schema) as writer:
    writer.write_table(table)

# A shard of WebDataset: the same images, labels as text or in JSON, and one long name.
with tarfile.open(out / "shard.tar", "w", format=tarfile.GNU_FORMAT) as archive:
    def add(name, data):
        member = tarfile.TarInfo(name)
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))

    for i, data in enumerate(images):
        key = f"train/{i:04}" if i != 4 else "train/" + "x" * 150
        add(f"{key}.png", data)
        if i % 2:
            add(f"{key}.json", json.dumps({"label": i % 3}).encode())
        else:
            add(f"{key}.cls", str(i % 3).encode())
    link = tarfile.TarInfo("train/9999.png")
    link.type = tarfile.SYMTYPE
    link.linkname = "/etc/passwd"
    archive.addfile(link)
with tarfile.open(out / "arrays.tar", "w", format=tarfile.PAX_FORMAT) as archive:
    for i in range(3):
        stream = io.BytesIO()
        np.save(stream, np.full((2, 3), i, np.float16))
        add(f"{i}.npy", stream.getvalue())
        add(f"{i}.cls", str(i).encode())

# Pillow's pixels: one image at other sizes, by every filter.
source = picture(7, (23, 31))
source.save(out / "pillow_source.png")
filters = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}
for name, code in filters.items():
    for height, width in [(9, 14), (40, 37), (23, 8)]:
        resized = source.resize((width, height), code)
        resized.save(out / f"pillow_{name}_{height}x{width}.png")
source.convert("L").resize((14, 9), 2).save(out / "pillow_grey_9x14.png")
(out / "versions.txt").write_text("".join(
    f"{module.__name__} {module.__version__}\n" for module in [pa, pd, pl, PIL, np]))
