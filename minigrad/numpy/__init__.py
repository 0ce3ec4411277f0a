"""The array namespace the three front-ends share: the Python Array API 2024.12 first, then the everyday NumPy names.

Floor 5. Functions are short composites of ops; they take values of any front-end, NumPy arrays and Python numbers,
and go wherever the ops go: eager, traced, recorded, batched.

    import minigrad.numpy as mnp
    mnp.sum(mnp.sin(mnp.arange(10.0)))
"""

from minigrad.numpy.array import Array as Array
from minigrad.numpy.creation import arange, array, asarray, empty, empty_like, eye, from_dlpack, full, full_like
from minigrad.numpy.creation import identity, linspace, meshgrid, ones, ones_like, tri, tril, triu, zeros, zeros_like
