"""Property-testing one's own gradients: Hypothesis draws the arrays, `check_grads` compares with finite differences.

What to look at: the gradients of `huber` and `log1pexp` hold on every array drawn; a wrong one is caught, shrunk to
the smallest array that shows it, and the message says which element of which argument is off, and by how much.
"""

try:
    from hypothesis import given, settings
except ModuleNotFoundError:
    raise SystemExit("this example needs Hypothesis: pip install '.[examples]' in minigrad's folder") from None

import minigrad.numpy as jnp
import minigrad.tracer as jax
from minigrad.errors import CheckFailedError
from minigrad.testing import check_grads, strategies


# ── two functions with gradients of one's own ────────────────────────────────────────────────────────
@jax.custom_jvp
def log1pexp(x):
    """log(1 + eˣ). Its own derivative, because eˣ/(1 + eˣ) would be inf/inf for large x."""
    return jnp.logaddexp(x, 0.0)


@log1pexp.defjvp
def log1pexp_jvp(primals, tangents):
    (x,), (x_dot,) = primals, tangents
    return log1pexp(x), jax.nn.sigmoid(x) * x_dot


@jax.custom_vjp
def huber(x, width):
    """Half of x² up to ±width, straight beyond."""
    inside = jnp.abs(x) <= width
    return jnp.where(inside, x * x / 2, width * (jnp.abs(x) - width / 2))


def huber_forward(x, width):
    return huber(x, width), (x, width)


def huber_backward(saved, y_bar):
    x, width = saved
    beyond = jnp.maximum(jnp.abs(x) - width, 0.0)
    return y_bar * jnp.clip(x, -width, width), jnp.sum(y_bar * beyond)


huber.defvjp(huber_forward, huber_backward)


# ── the same mistake that is easily made: the slope beyond the width is forgotten ────────────────────
@jax.custom_vjp
def wrong_huber(x, width):
    return huber(x, width)


def wrong_backward(saved, y_bar):
    x, width = saved
    return y_bar * x, jnp.sum(y_bar * jnp.maximum(jnp.abs(x) - width, 0.0))


wrong_huber.defvjp(huber_forward, wrong_backward)

# ── the properties, as they would stand in a test file ───────────────────────────────────────────────
EXAMPLES = 25
drawn = {"log1pexp": 0, "huber": 0}


def away_from_kinks(x, width):
    """No element so near to ±width that a finite difference would reach across."""
    return bool((abs(abs(x) - width) > 0.1).all())


@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None)
@given(strategies.arrays(domain=(-30.0, 30.0)))
def test_log1pexp(x):
    drawn["log1pexp"] += 1
    check_grads(log1pexp, (x,), order=2)


@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None)
@given(strategies.arrays(domain=(-3.0, 3.0)).filter(lambda x: away_from_kinks(x, 1.0)))
def test_huber(x):
    drawn["huber"] += 1
    check_grads(huber, (x, 1.0), order=1, modes=("reverse",))


@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None)
@given(strategies.arrays(domain=(-3.0, 3.0)).filter(lambda x: away_from_kinks(x, 1.0)))
def test_wrong_huber(x):
    check_grads(wrong_huber, (x, 1.0), order=1, modes=("reverse",))


def main():
    """Returns how many arrays each right gradient was held to, and the error that the wrong one met."""
    test_log1pexp()
    test_huber()
    for name, count in drawn.items():
        print(f"{name}: {count} arrays, every gradient as the finite differences say")
    try:
        test_wrong_huber()
    except CheckFailedError as error:
        print(f"wrong_huber: caught.\n{error}")
        return drawn, str(error)
    raise SystemExit("wrong_huber: not caught")


if __name__ == "__main__":
    main()
