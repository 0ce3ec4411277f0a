"""Session: runs parts of a graph and keeps the variables' values. Several may run one graph, each with its own.

Floor 6. `run` finds the plan for its fetches and feeds (plan.py), checks the feeds (feeds.py), calls the executable
compiled for their sizes, stores new variable values and puts the results into the structure of the fetches.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NoReturn, TypeAlias

import numpy as np

from minigrad import backends, config, tree
from minigrad.errors import ArgumentError, GraphError, SessionError, UnknownNameError, ValueTypeError
from minigrad.graph import Graph as PlainGraph
from minigrad.op import EVALUATE, Handle, ndarray, using
from minigrad.recompiles import Watch
from minigrad.session.feeds import bind_sizes, feed_array, feed_tensor, not_fed
from minigrad.session.graph_scope import Graph, get_default_graph, graphs
from minigrad.session.plan import Plan, Target
from minigrad.session.tensor import Draw, Operation, Tensor, sessions
from minigrad.session.variables import Variable
from minigrad.signatures import Part, Signature
from minigrad.source import user_line
from minigrad.types import TensorType

Feeds: TypeAlias = "dict[Any, Any]"
_NUMBER = re.compile(r"_\d+")  # that made a name unique


def get_default_session() -> Session | None:
    """The session of the innermost `with` block, if any."""
    return sessions.top()


class Session:
    """Runs a graph.

    >>> from minigrad.session.inputs import constant
    >>> with Graph().as_default(), Session() as sess:
    ...     x = constant([1.0, 2.0])
    ...     sess.run({"x": x, "both": [x * 2.0, x + x]})["both"][0].tolist()
    [2.0, 4.0]
    """

    def __init__(self, target: str = "", graph: Graph | None = None, config: Any = None) -> None:
        self.graph = graph if graph is not None else get_default_graph()
        self.values: dict[Variable, ndarray] = {}
        self._counts: dict[Operation, int] = {}  # how often each random operation has drawn here
        self._closed = False
        self._entered: list[ExitStack] = []

    # ── lifetime ─────────────────────────────────────────────────────────────────────────────────
    def __enter__(self) -> Session:
        stack = ExitStack()
        stack.enter_context(self.graph.as_default())
        stack.enter_context(self.as_default())
        self._entered.append(stack)
        return self

    def __exit__(self, *exc: object) -> None:
        self._entered.pop().close()
        self.close()

    @contextmanager
    def as_default(self) -> Iterator[Session]:
        """The session that `eval()` and `run()` of tensors and operations use, inside the block. It stays open."""
        with sessions.holding(self):
            yield self

    def close(self) -> None:
        """Give the variables' values back; the session cannot run any more."""
        self._closed = True
        self.values.clear()

    # ── running ──────────────────────────────────────────────────────────────────────────────────
    def run(self, fetches: Any, feed_dict: Feeds | None = None) -> Any:
        """The values of the fetches, in their structure: tensors, variables and names give arrays (numbers, if they
        have no axes), operations None.

        feed_dict gives values to placeholders, and to any other tensors, which then are not computed.
        """
        if self._closed:
            raise SessionError("the session is closed", hint="open another one, or run inside its `with` block")
        leaves, structure = _flatten(fetches)
        targets = self._targets(leaves)
        feeds = self._feeds(feed_dict)
        plan = self._plan(targets, tuple(feeds))
        fetched = self._execute(plan, feeds)
        results: list[Any] = []
        for t in targets:
            if isinstance(t, Operation):
                results.append(None)
            elif t in feeds:
                results.append(feeds[t])
            else:
                results.append(next(fetched))
        return structure.unflatten(results)

    def _targets(self, leaves: Sequence[Any]) -> tuple[Target, ...]:
        return tuple([x if type(x) is Tensor and x.op.graph is self.graph else self._target(x) for x in leaves])

    def _target(self, x: Any) -> Target:
        """What a leaf of the fetches stands for."""
        found = x
        if isinstance(x, str):
            try:
                found = self.graph.get_tensor_by_name(x) if ":" in x else self.graph.get_operation_by_name(x)
            except UnknownNameError as error:
                raise ArgumentError(f"cannot fetch {x!r}: {error.what}", hint=error.hint) from None
        elif isinstance(x, Variable):
            found = x.snapshot
        if not isinstance(found, (Tensor, Operation)):
            _refuse_fetch(x)
        if found.graph is not self.graph:
            line = found.line if isinstance(found, Operation) else found.op.line
            raise GraphError(
                f"cannot fetch {found.name}: it is not in the session's graph",
                hint="open the session on its graph: tf.Session(graph=x.graph)",
                lines=[(f"{found.name} made at", line)],
            )
        return found

    def _feeds(self, feed_dict: Feeds | None) -> dict[Tensor, ndarray]:
        if not feed_dict:
            return {}
        if not isinstance(feed_dict, dict):
            raise ValueTypeError(
                f"feed_dict must be a dict, got {feed_dict!r}", hint="run(fetches, feed_dict={x: value})"
            )
        tensors = [
            k
            if type(k) is Tensor and k.op.graph is self.graph and k not in self.graph.unfeedable
            else feed_tensor(self.graph, k)
            for k in feed_dict
        ]
        return {t: feed_array(t, value) for t, value in zip(tensors, feed_dict.values(), strict=True)}

    def _plan(self, targets: tuple[Target, ...], fed: tuple[Tensor, ...]) -> Plan:
        plan: Plan | None = self.graph.plans.get((targets, fed))
        if plan is None:
            plan = self.graph.plans[targets, fed] = Plan(targets, fed)
        return plan

    def _planned(self, fetches: Any, feed_dict: Feeds | None) -> tuple[Plan, dict[Tensor, ndarray]]:
        feeds = self._feeds(feed_dict)
        return self._plan(self._targets(_flatten(fetches)[0]), tuple(feeds)), feeds

    def compile(self, fetches: Any, feed_dict: Feeds | None = None) -> tuple[PlainGraph, backends.Executable]:
        """What `run` would run for feeds of these sizes, without running it: the pruned graph and its executable."""
        plan, feeds = self._planned(fetches, feed_dict)
        return plan.graph, self._executable(plan, feeds)

    def program(self, fetches: Any, feed_dict: Feeds | None = None) -> tuple[PlainGraph, list[ndarray]]:
        """The graph that `run` would run, after the passes, and the arrays it would run on: feeds, then state."""
        plan, feeds = self._planned(fetches, feed_dict)
        return self._executable(plan, feeds).graph, [*feeds.values(), *self._state(plan)]

    def _executable(self, plan: Plan, feeds: dict[Tensor, ndarray]) -> backends.Executable:
        """The plan's program for feeds of these sizes."""
        if plan.unfed:
            raise not_fed(plan, feeds)
        arrays = list(feeds.values())
        signature = (config.backend.get(), *[a.shape for a in arrays])
        exe = plan.executables.get(signature)
        if exe is None:
            sizes = bind_sizes(plan, arrays)
            with self._watch(plan).miss(_parts(plan, arrays, signature[0])):
                exe = plan.executable(sizes, signature)
        return exe

    def _watch(self, plan: Plan) -> Watch:
        """Of a plan that has run: its own. Of a new one: that of the user's line and the names, numbers aside, since a
        line may build what it runs at each step."""
        if plan.executables:
            return plan.watch
        line = user_line()
        watches = self.graph.watches
        names = tuple([_NUMBER.sub("", t.name) for t in plan.targets])
        plan.watch = watches.setdefault((line.filename, line.lineno, names), plan.watch)
        return plan.watch

    def _execute(self, plan: Plan, feeds: dict[Tensor, ndarray]) -> Iterator[Any]:
        """Run the plan's program on feeds and state, keep the new state, give the fetched values."""
        exe = self._executable(plan, feeds)
        with using(EVALUATE):
            outs = exe([*feeds.values(), *self._state(plan)])
        count = len(plan.fetched)
        self.values.update(zip(plan.writes, outs[count:], strict=True))
        return iter([a if a.ndim else a[()] for a in outs[:count]])

    def _state(self, plan: Plan) -> Iterator[ndarray]:
        """The inputs that come from the session: values of variables, whether they have one, and random keys."""
        for variable in plan.reads:
            value = self.values.get(variable)
            if value is None:
                raise self._uninitialized(plan, variable)
            yield value
        for variable in plan.lenient:
            value = self.values.get(variable)
            yield np.zeros(variable.type.shape, variable.dtype) if value is None else value
        for variable in plan.flags:
            yield np.asarray(variable in self.values)
        for operation in plan.draws:
            yield self._key(operation)

    def _uninitialized(self, plan: Plan, variable: Variable) -> SessionError:
        return SessionError(
            f"the variable {variable.name}, {variable.type}, is not initialized in this session, and "
            f"{plan.needs(plan.readers[variable])} needs it",
            hint="run tf.global_variables_initializer() first, made after the last variable",
            lines=variable.snapshot.made(),
        )

    def _key(self, operation: Operation) -> ndarray:
        """The key of this draw: seeds and a count, so that a new session repeats the sequence of a seeded graph."""
        role = operation.role
        assert isinstance(role, Draw)
        count = self._counts.get(operation, 0)
        self._counts[operation] = count + 1
        if role.graph_seed is None and role.op_seed is None:
            return np.random.default_rng().integers(0, 2**32, 2, dtype=np.uint32)
        seeds = [s % 2**64 for s in (role.graph_seed or 0, role.op_seed or 0)]
        return np.random.SeedSequence([*seeds, count]).generate_state(2, np.uint32)

    def load(self, variable: Variable, value: Any) -> None:
        """Give a variable a value, without any operation."""
        self.values[variable] = feed_array(variable.snapshot, value).copy()

    def make_callable(self, fetches: Any, feed_list: Sequence[Any] = ()) -> Callable[..., Any]:
        """A function of the fed values, in the order of feed_list, that runs the fetches."""
        keys = [feed_tensor(self.graph, k) for k in feed_list]

        def call(*values: Any) -> Any:
            if len(values) != len(keys):
                names = ", ".join(k.name for k in keys)
                raise ArgumentError(f"the callable takes {len(keys)} values ({names}), got {len(values)}")
            return self.run(fetches, dict(zip(keys, values, strict=True)))

        return call


class InteractiveSession(Session):
    """A session that is the default one as soon as it is made, until it is closed: for the prompt."""

    def __init__(self, target: str = "", graph: Graph | None = None, config: Any = None) -> None:
        super().__init__(target, graph, config)
        sessions.push(self)
        graphs.push(self.graph)

    def close(self) -> None:
        super().close()
        sessions.remove(self)
        graphs.remove(self.graph)


def _flatten(fetches: Any) -> tuple[list[Any], Any]:
    return tree.flatten(fetches, is_leaf=_is_none)


def _parts(plan: Plan, arrays: Sequence[ndarray], backend: str) -> Signature:
    """What the program of a run is made for, by the names the user knows it by."""
    parts = {"fetches": Part("fetches", ", ".join([t.name for t in plan.targets]))}
    for t, a in zip(plan.fed, arrays, strict=True):
        parts[f"feed {t.name}"] = Part("array", str(TensorType(a.shape, a.dtype)))
    parts["the setting backend"] = Part("setting", backend)
    return parts


def _is_none(x: Any) -> bool:
    return x is None


def _refuse_fetch(x: Any) -> NoReturn:
    if isinstance(x, Handle):
        raise ValueTypeError(f"cannot fetch {x!r}: it is a {x.front_end} value, not a tensor of a session graph")
    text = repr(x)
    if x is None:
        hint = "gradients() and optimizers give None for what the loss does not depend on"
    elif isinstance(x, (np.ndarray, np.generic)):
        hint = "this is a value, not a tensor: has `loss = sess.run(loss)` put the result in the tensor's place?"
    else:
        hint = "fetches are tensors, operations, variables and names, in any nesting"
    raise ValueTypeError(f"cannot fetch {text[:60]} (a {type(x).__name__})", hint=hint)
