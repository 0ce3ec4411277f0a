"""Every error minigrad raises on purpose. Each class's docstring is its manual page, with a trigger that runs.

Floor 0. A message says *what happened*, the user's line (added here, in one place), and *what to do*.
`lines` names further places where two parts of the user's program are involved.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from minigrad.source import UNKNOWN, Line, user_line


class MinigradError(Exception):
    """The base of them all: catch this to catch everything minigrad raises on purpose.

    >>> import minigrad
    >>> issubclass(minigrad.errors.BroadcastError, minigrad.errors.MinigradError)
    True
    """

    def __init__(self, what: str, *, hint: str | None = None, lines: Iterable[tuple[str, Line]] = ()) -> None:
        self.what, self.hint = what, hint
        self.line = user_line()
        self.lines = tuple(lines)
        super().__init__(self.message(self.line))

    def also(self, lines: Iterable[tuple[str, Line]]) -> None:
        """Name further lines, known to whoever passes the error on; those that say nothing new are left out."""
        named = {line for _, line in self.lines}
        self.lines += tuple((label, line) for label, line in lines if line not in named)
        self.args = (self.message(self.line),)

    def message(self, line: Line = UNKNOWN) -> str:
        """All of it; with no line, as for a mistake that stands in no program but on a command line."""
        parts = [self.what]
        if line is not UNKNOWN:
            parts.append(f"  at {line}")
        parts += [f"  {label} {line}" for label, line in self.lines if line is not UNKNOWN]
        if self.hint:
            parts.append(f"  {self.hint}")
        return "\n".join(parts)


class ShapeError(MinigradError, ValueError):
    """The shapes of the operands do not fit the op.

    >>> import minigrad.numpy as mnp
    >>> mnp.reshape(mnp.ones((2, 3)), (4,))
    Traceback (most recent call last):
    minigrad.errors.ShapeError: reshape: 6 elements of f32[2,3] cannot fill shape (4,)...
    """


class BroadcastError(ShapeError):
    """Two shapes do not broadcast: aligned at the right, sizes must be equal or 1.

    >>> import minigrad.numpy as mnp
    >>> mnp.ones((2, 3)) + mnp.ones((4,))
    Traceback (most recent call last):
    minigrad.errors.BroadcastError: add: shapes (2, 3) and (4,) do not broadcast: axis -1 has sizes 3 and 4...
    """


class DtypeError(MinigradError, TypeError):
    """An unknown dtype, or one the op does not take.

    >>> import minigrad.numpy as mnp
    >>> mnp.zeros(3, dtype="float16")
    Traceback (most recent call last):
    minigrad.errors.DtypeError: unknown dtype 'float16'...
    """


class ArgumentError(MinigradError, ValueError):
    """An argument has a value the function cannot use (an axis out of range, a negative count, ...).

    >>> import minigrad.numpy as mnp
    >>> mnp.sum(mnp.ones((2, 3)), axis=2)
    Traceback (most recent call last):
    minigrad.errors.ArgumentError: sum: axis 2 is out of range for f32[2,3] (rank 2)...
    """


class IndexRangeError(MinigradError, IndexError):
    """An index points outside its axis, or a key has more indices than the tensor has axes.

    >>> import minigrad.numpy as mnp
    >>> mnp.ones((2, 3))[0, 3]
    Traceback (most recent call last):
    minigrad.errors.IndexRangeError: index: 3 is out of range for axis 1 of size 3 of f32[2,3]...
    """


class ValueTypeError(MinigradError, TypeError):
    """A value of a kind minigrad cannot compute with reached an op.

    >>> import minigrad.numpy as mnp
    >>> mnp.sin("one")
    Traceback (most recent call last):
    minigrad.errors.ValueTypeError: sin: cannot compute with 'one' (a str)...
    """


class LinAlgError(MinigradError, np.linalg.LinAlgError):
    """A matrix has not what a function of linear algebra needs: it is singular, or not positive definite.

    Also when an iteration of LAPACK does not converge.

    >>> import minigrad.numpy as mnp
    >>> mnp.linalg.inv(mnp.ones((2, 2)))
    Traceback (most recent call last):
    minigrad.errors.LinAlgError: linalg: f32[2,2] is singular...
    """


class TreeError(MinigradError, ValueError):
    """Two nested containers do not have the same structure, or one cannot be taken apart.

    >>> from minigrad import tree
    >>> tree.map(lambda a, b: a, {"w": 1}, {"v": 1})
    Traceback (most recent call last):
    minigrad.errors.TreeError: ...
    """


class SettingError(MinigradError, ValueError):
    """A setting has a value it cannot take (argument, context manager or environment variable).

    >>> from minigrad import config
    >>> config.backend.set("cuda")
    Traceback (most recent call last):
    minigrad.errors.SettingError: ...
    """


class GraphError(MinigradError, ValueError):
    """A graph is not well formed, or a graph text cannot be read. Raised by `check(graph)` and `parse(text)`.

    >>> from minigrad.text import parse
    >>> parse("def f(x: 'f32[2]'):\\n    return y")
    Traceback (most recent call last):
    minigrad.errors.GraphError: ...
    """


class ConcretizationError(MinigradError, TypeError):
    """Python asked for the value of something that has none yet: `if`, `while`, `float()`, `int()`, indexing a list.

    Under `jit`, in a session graph and under `vmap` a value stands for many; use `where`, `cond`,
    `while_loop`, or mark the argument static.

    >>> import minigrad.tracer as mg
    >>> @mg.jit
    ... def f(x):
    ...     return x if x > 0 else -x
    >>> f(1.0)
    Traceback (most recent call last):
    minigrad.errors.ConcretizationError: bool() of a traced value bool[], which depends on argument x...
    """


class LeakError(MinigradError, TypeError):
    """A traced value was used after the trace that made it had ended.

    >>> import minigrad.tracer as mg
    >>> import minigrad.numpy as mnp
    >>> kept = []
    >>> _ = mg.jit(lambda x: kept.append(x) or x)(1.0)
    >>> mnp.sin(kept[0])
    Traceback (most recent call last):
    minigrad.errors.LeakError: sin: a traced value f32[] outlived its trace...
    """


class MixedFrontEndsError(MinigradError, TypeError):
    """Values of two front-ends met in one op: a tape Tensor and a session Tensor, or one of them inside a trace.

    >>> import minigrad.session as tf
    >>> import minigrad.tape as torch
    >>> with tf.Graph().as_default():
    ...     tf.constant(1.0) + torch.tensor(1.0)
    Traceback (most recent call last):
    minigrad.errors.MixedFrontEndsError: ...
    """


class NotDifferentiableError(MinigradError, TypeError):
    """A derivative was asked of an op that has none, or with respect to something that can have none.

    >>> import minigrad.tracer as mg
    >>> mg.grad(lambda n: n * n)(3)
    Traceback (most recent call last):
    minigrad.errors.NotDifferentiableError: grad: argument 0 is int64...
    """


class GradientError(MinigradError, ValueError):
    """A gradient was asked for in a way that has no meaning (non-scalar output, wrong cotangent).

    >>> import minigrad.tracer as mg
    >>> import minigrad.numpy as mnp
    >>> mg.grad(lambda x: x * 2)(mnp.ones(3))
    Traceback (most recent call last):
    minigrad.errors.GradientError: grad: the function must return a scalar, got f32[3]...
    """


class BackwardError(MinigradError, RuntimeError):
    """A tape cannot be walked backward: walked twice, nothing recorded, or a saved value was changed in place.

    >>> import minigrad.tape as torch
    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> y = (x * x).sum()
    >>> y.backward()
    >>> y.backward()
    Traceback (most recent call last):
    minigrad.errors.BackwardError: ...
    """


class ImmutableError(MinigradError, TypeError):
    """An immutable array was assigned to; `x.at[i].set(v)` gives a changed copy.

    >>> import minigrad.numpy as mnp
    >>> x = mnp.ones(3)
    >>> x[0] = 2.0
    Traceback (most recent call last):
    minigrad.errors.ImmutableError: ...
    """


class FeedError(MinigradError, ValueError):
    """A placeholder was not fed, or was fed a value whose shape or dtype does not fit.

    >>> import minigrad.session as tf
    >>> with tf.Graph().as_default(), tf.Session() as sess:
    ...     x = tf.placeholder(tf.float32, [None], name="x")
    ...     sess.run(x * 2.0)
    Traceback (most recent call last):
    minigrad.errors.FeedError: ...
    """


class SessionError(MinigradError, RuntimeError):
    """A session program cannot run: an uninitialised variable, a closed session, a finalised graph.

    >>> import minigrad.session as tf
    >>> with tf.Graph().as_default(), tf.Session() as sess:
    ...     v = tf.Variable(1.0, name="v")
    ...     sess.run(v)
    Traceback (most recent call last):
    minigrad.errors.SessionError: ...
    """


class UnknownNameError(MinigradError, KeyError):
    """A name was looked up that nothing has.

    >>> import minigrad.session as tf
    >>> tf.Graph().get_operation_by_name("loss")
    Traceback (most recent call last):
    minigrad.errors.UnknownNameError: the name 'loss' refers to an operation that is not in the graph...
    """

    __str__ = Exception.__str__  # KeyError would print the repr of the message


class SymbolicSizeError(MinigradError, TypeError):
    """The number behind a symbolic dimension was needed before it is known.

    >>> from minigrad.types import Dim
    >>> range(Dim.symbol("n"))
    Traceback (most recent call last):
    minigrad.errors.SymbolicSizeError: the size n is not known until the graph is fed...
    """


class CheckFailedError(MinigradError, AssertionError):
    """An `assert` op found its condition false while the program ran, or a gradient check found a wrong gradient.

    >>> import minigrad.numpy as mnp
    >>> from minigrad.testing import check_grads
    >>> from minigrad.tracer import custom_jvp
    >>> sine = custom_jvp(mnp.sin)
    >>> _ = sine.defjvp(lambda primals, tangents: (mnp.sin(*primals), tangents[0]))  # the cosine is missing
    >>> check_grads(sine, (mnp.asarray(1.0, dtype="float64"),), order=1)
    Traceback (most recent call last):
    minigrad.errors.CheckFailedError: ...
    """


class BackendError(MinigradError, RuntimeError):
    """A backend is unknown, not installed or not built yet.

    >>> import minigrad.tracer as mg
    >>> mg.jit(lambda x: x, backend="cuda")(1.0)
    Traceback (most recent call last):
    minigrad.errors.BackendError: unknown backend 'cuda'...
    """


class RetraceError(MinigradError, RuntimeError):
    """Inside `no_retrace()` something that is compiled already would have been traced and compiled again.

    >>> import minigrad
    >>> import minigrad.numpy as mnp
    >>> import minigrad.tracer as mg
    >>> @mg.jit
    ... def f(x):
    ...     return x * 2
    >>> y = f(mnp.ones(3))
    >>> with minigrad.no_retrace():
    ...     y = f(mnp.ones(4))
    Traceback (most recent call last):
    minigrad.errors.RetraceError: jit: f would be compiled again inside no_retrace: argument x: f32[3] -> f32[4]...
    """


class DonatedError(MinigradError, RuntimeError):
    """An array was used that had been donated to a compiled function, which has written into its memory.

    >>> import minigrad.numpy as mnp
    >>> import minigrad.tracer as mg
    >>> step = mg.jit(lambda w, g: w - 0.1 * g, donate_argnums=0)
    >>> w = mnp.ones(3)
    >>> new = step(w, mnp.ones(3))
    >>> w + 1
    Traceback (most recent call last):
    minigrad.errors.DonatedError: this array, f32[3], was donated to jit: f at ...
    """


class CacheWarning(UserWarning):
    """Compiled programs cannot be kept on disk, or what lies there cannot be trusted. Said once; all goes on without.

    The folder is full or read-only, belongs to another user or can be written by others; or an entry is damaged.
    `minigrad cache verify` looks at all of them, `MINIGRAD_CACHE_DIR` names another folder, `MINIGRAD_CACHE=off` does
    without.
    """


class RecompileWarning(UserWarning):
    """One function keeps being compiled again; the text says what changes from call to call and what to do.

    `minigrad.log_recompiles()` shows each recompile, `minigrad.no_retrace()` makes the next one an error.
    """
