"""What a node costs in a session graph: to build, to differentiate, and in a run.

    python benchmarks/session_gradients.py [nodes]

Bars: building 15 µs a node, the walk backward 20 µs a node.
"""

import sys
import time

import numpy as np

import minigrad.session as tf
from minigrad.ops.elementwise import sin


def chain(n: int) -> tuple[tf.Tensor, tf.Tensor]:
    """n ops one after another on ten elements."""
    x = y = tf.placeholder(tf.float32, [10], name="x")
    for k in range(n):
        y = sin(y) if k % 3 == 0 else y + x if k % 3 == 1 else y * 0.5
    return x, y


def best(f, repeat: int = 3):
    """The shortest time of several, and the last result."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        y = f()
        times.append(time.perf_counter() - start)
    return min(times), y


def main(n: int) -> None:
    def differentiate():
        with tf.Graph().as_default():
            x, y = chain(n)
            start = time.perf_counter()
            (g,) = tf.gradients(y, x)
            return time.perf_counter() - start, x, g

    def build():
        with tf.Graph().as_default():
            chain(n)

    seconds, _ = best(build)
    print(f"build        {seconds / n * 1e6:7.2f} µs a node ({n} nodes)")
    runs = [differentiate() for _ in range(3)]
    seconds, x, g = min(runs, key=lambda r: r[0])
    print(f"gradients    {seconds / n * 1e6:7.2f} µs a node of the forward graph")
    with tf.Session(graph=g.graph) as sess:
        feed = {x: np.full(10, 0.5, np.float32)}
        first, _ = best(lambda: sess.run(g, feed), 1)
        again, _ = best(lambda: sess.run(g, feed), 5)
    nodes = len(g.graph.plans[(g,), (x,)].graph.nodes)
    print(f"first run    {first / nodes * 1e6:7.2f} µs a node (pruning, passes, compilation; {nodes} nodes)")
    print(f"later runs   {again / nodes * 1e6:7.2f} µs a node")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
