"""What gates never use is not imported by them, and is there for whoever uses it."""

from __future__ import annotations

import subprocess
import sys

_ASK = """
import sys
from expectations import gate
gate.preload()
real = [name for name in ("scipy.stats", "altair") if vars(sys.modules[name]).get("__file__")]
from scipy import stats
import altair
import scipy.stats
from altair.vegalite import v6
print(real, round(float(stats.entropy([0.5, 0.5])), 3), altair.Chart is v6.Chart, scipy.stats.norm.mean())
"""


def test_gates_import_no_statistics_and_no_charts_and_others_can() -> None:
    done = subprocess.run([sys.executable, "-c", _ASK], capture_output=True, text=True, check=False)
    assert done.stdout.split("\n")[0] == "[] 0.693 True 0.0", done.stderr
