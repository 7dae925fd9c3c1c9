"""Runs the Python that docs/schema.md shows, in a folder that holds scores.parquet and a store called grams.

    pip install duckdb numpy pandas polars pyarrow
    python tools/check_schema.py FOLDER
"""

import os
import re
import sys
from pathlib import Path

page = (Path(__file__).resolve().parent.parent / "docs/schema.md").read_text()
examples = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
os.chdir(sys.argv[1])
names = {}
for example in examples:
    exec(example, names)  # what the page shows is what is run

scores, trace = names["scores"], names["trace"]
of_input = scores[(scores.block == "input") & scores.error.isna()]
found = float(of_input.fisher_trace.iloc[0])
# The formula of the page is a difference: a probability close to 1 costs it digits that the program keeps.
largest = float(names["p"] @ names["np"].diag(names["S"]))
assert abs(trace - found) <= 1e-12 * largest, (trace, found)
assert len(names["worst"]) == 20
print(f"{len(examples)} examples of docs/schema.md run; the trace from a store is that of the scores")
