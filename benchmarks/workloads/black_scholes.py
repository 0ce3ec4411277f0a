"""Call prices of a million options with their delta and vega (Black & Scholes 1973)."""

import numpy as np

from benchmarks.workload import Workload

OPTIONS = 1_000_000
RATE = 0.02


def arguments(rng):
    draw = lambda low, high: rng.uniform(low, high, OPTIONS).astype(np.float32)
    return draw(80, 120), draw(80, 120), draw(0.1, 0.5), draw(0.25, 2)  # spot, strike, volatility, years


def price(spot, strike, volatility, years, log, sqrt, exp, erf):
    cdf = lambda z: 0.5 * (1 + erf(z * 0.5**0.5))
    width = volatility * sqrt(years)
    d1 = (log(spot / strike) + (RATE + 0.5 * volatility * volatility) * years) / width
    return spot * cdf(d1) - strike * exp(-RATE * years) * cdf(d1 - width)


def tracer(jax, jnp):
    def greeks(spot, strike, volatility, years):
        value = lambda s, v: price(s, strike, v, years, jnp.log, jnp.sqrt, jnp.exp, jax.lax.erf)
        prices, pullback = jax.vjp(value, spot, volatility)
        return prices, *pullback(jnp.ones_like(prices))

    return greeks


def torch(torch, compile):
    f = compile(lambda *xs: price(*xs, torch.log, torch.sqrt, torch.exp, torch.erf))

    def greeks(spot, strike, volatility, years):
        prices = f(spot, strike, volatility, years)
        return prices, *torch.autograd.grad(prices, (spot, volatility), torch.ones_like(prices))

    return greeks


def tensorflow(tf):
    def greeks(spot, strike, volatility, years):
        with tf.GradientTape() as tape:
            tape.watch((spot, volatility))
            prices = price(spot, strike, volatility, years, tf.math.log, tf.sqrt, tf.exp, tf.math.erf)
        return prices, *tape.gradient(prices, (spot, volatility))

    return greeks


WORKLOAD = Workload("Black-Scholes, delta, vega, 1M", arguments, tracer, torch, tensorflow, wrt=(0, 2))
