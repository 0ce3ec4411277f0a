"""Loop nests as data, the scalar functions inside them, and their printers.

Floor 4. A kernel of the schedule is lowered to a `Nest`: loops over affine indices, loads, a scalar body, accumulators,
stores. Printers turn nests into something that runs; nests know nothing of printers.
"""
