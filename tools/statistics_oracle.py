#!/usr/bin/env python3
"""Writes what SciPy says of pairs of samples, and statsmodels of many tests, for the tests of quaver::statistics.

    pip install scipy==1.17.1 statsmodels numpy
    tools/statistics_oracle.py > crates/quaver/src/statistics/scipy.tsv
    tools/statistics_oracle.py holm > crates/quaver/src/statistics/holm.tsv

One line per pair: name, both samples, and SciPy's answers, separated by tabs; "-" where SciPy has no exact answer. Of many
tests one line per family: p values, and those corrected after Holm.
"""

import sys

import numpy as np
import scipy
from scipy import stats

SHARES = [0.1, 0.25, 0.5, 0.75, 0.9]


def pairs():
    rng = np.random.default_rng(7)
    yield "normal", rng.normal(0, 1, 40), rng.normal(0.6, 1, 50)
    yield "far", rng.normal(0, 1, 60), rng.normal(3, 1, 45)
    yield "same", rng.normal(0, 1, 30), rng.normal(0, 1, 30)
    yield "scale", rng.exponential(1, 120), 3 * rng.exponential(1, 80)
    yield "few", np.array([1.5, 0.25]), np.array([3.0, -1.0, 2.0])
    yield "one", np.array([0.5]), np.array([0.75])
    yield "ties", rng.integers(0, 6, 50).astype(float), rng.integers(1, 8, 70).astype(float)
    yield "constant", np.full(8, 2.0), np.full(9, 2.0)
    yield "two values", np.array([0.0] * 10 + [1.0] * 5), np.array([0.0] * 3 + [1.0] * 20)
    yield "large", rng.lognormal(0, 2, 300), rng.lognormal(0.3, 2, 250)


def main():
    print(f"# scipy {scipy.__version__}, numpy {np.__version__}; written by tools/statistics_oracle.py")
    columns = ["name", "a", "b", "ks", "ks_location", "ks_exact_p", "u", "mw_p", "quantiles_a", "quantiles_b",
               "median_interval", "spearman"]
    print("\t".join(columns))
    row = lambda values: ",".join(repr(float(value)) for value in values)
    for name, a, b in pairs():
        # Six digits are exact in the file and in both programs.
        a, b = np.round(a, 6), np.round(b, 6)
        has_ties = len(np.unique(np.concatenate([a, b]))) < len(a) + len(b)
        ks = stats.ks_2samp(a, b, method="asymp" if has_ties else "exact")
        rank_sum = stats.mannwhitneyu(b, a, method="asymptotic", use_continuity=True)
        interval = "-"
        if len(a) >= 30 and not has_ties:
            found = stats.bootstrap(
                (a, b), lambda a, b, axis: np.median(b, axis=axis) - np.median(a, axis=axis),
                n_resamples=20000, method="percentile", rng=np.random.default_rng(1),
            ).confidence_interval
            interval = row([found.low, found.high])
        n = min(len(a), len(b))
        varies = len(np.unique(a[:n])) > 1 and len(np.unique(b[:n])) > 1
        spearman = repr(float(stats.spearmanr(a[:n], b[:n]).statistic)) if n > 1 and varies else "-"
        print("\t".join([
            name, row(a), row(b), repr(float(ks.statistic)), repr(float(ks.statistic_location)),
            "-" if has_ties else repr(float(ks.pvalue)),
            repr(float(rank_sum.statistic)), repr(float(rank_sum.pvalue)),
            row(np.quantile(a, SHARES)), row(np.quantile(b, SHARES)), interval, spearman,
        ]))


def families():
    rng = np.random.default_rng(11)
    yield np.array([0.03])
    yield np.array([0.01, 0.04, 0.03, 0.005])
    yield np.array([0.2, 0.2, 0.2])
    yield np.array([1.0, 0.0, 1e-300, 0.5, 0.5])
    yield rng.uniform(0, 1, 20)
    yield rng.beta(0.3, 4, 110)


def many():
    import statsmodels
    from statsmodels.stats.multitest import multipletests

    print(f"# statsmodels {statsmodels.__version__}; written by tools/statistics_oracle.py")
    print("p\tholm")
    row = lambda values: ",".join(repr(float(value)) for value in values)
    for p_values in families():
        print(f"{row(p_values)}\t{row(multipletests(p_values, method='holm')[1])}")


if __name__ == "__main__":
    many() if sys.argv[1:] == ["holm"] else main()
