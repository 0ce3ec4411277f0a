"""The task the three MLP examples share: handwritten digits, one set of initial weights, one order of batches.

Because all three start from the same numbers and see the same batches, their losses can be laid on one another.
"""

import numpy as np

try:
    from sklearn.datasets import load_digits
except ModuleNotFoundError:
    raise SystemExit("the digits come with scikit-learn: pip install '.[examples]' in minigrad's folder") from None

HIDDEN = 64


def load():
    """(train images, train labels, test images, test labels): 1437 and 360 images as float32 [n, 64] in 0..1."""
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(images))
    images, labels = (images[order] / 16).astype(np.float32), labels[order]
    return images[:1437], labels[:1437], images[1437:], labels[1437:]


def initial_weights():
    """w1 [64, HIDDEN], b1, w2 [HIDDEN, 10], b2: He's initialization, zeros for the biases."""
    rng = np.random.default_rng(1)
    w1 = rng.normal(size=(64, HIDDEN)) * np.sqrt(2 / 64)
    w2 = rng.normal(size=(HIDDEN, 10)) * np.sqrt(2 / HIDDEN)
    zeros = np.zeros
    return [p.astype(np.float32) for p in (w1, zeros(HIDDEN), w2, zeros(10))]


def batches(images, labels, steps, size=64):
    """`steps` random batches, the same ones for everybody."""
    rng = np.random.default_rng(2)
    for _ in range(steps):
        chosen = rng.integers(0, len(images), size)
        yield images[chosen], labels[chosen]
