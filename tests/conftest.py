"""One BLAS thread in each test process: several processes with as many threads as cores wait for one another.

And a cache of compiled programs for this run alone, that no test finds what an earlier run has left.
"""

import os
import tempfile

# before NumPy is loaded, which reads it then
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
_folder = tempfile.TemporaryDirectory(prefix="minigrad-tests-")
os.environ["MINIGRAD_CACHE_DIR"] = _folder.name
