"""One BLAS thread in each test process: several processes with as many threads as cores wait for one another."""

import os

# before NumPy is loaded, which reads it then
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
