"""Starts `calibration.py`, which measures the statistics and writes statistics.json.

    python reports/measured/statistics.py [--replicates 1000] [--only coverage] [--json PATH]

The standard library has a module of this name, which scripts in this folder would otherwise miss.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    from calibration import main

    main()
else:  # something in this folder wants the standard library's
    here = Path(__file__).resolve().parent
    path = sys.path
    sys.path = [entry for entry in path if Path(entry or ".").resolve() != here]
    del sys.modules[__name__]
    import statistics  # noqa: F401  (now the other one, which the importer gets)

    sys.path = path
