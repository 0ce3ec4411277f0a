"""Nested containers: round trips for every kind, paths, and the exact words of every refusal."""

import doctest
import pickle
from collections import OrderedDict, defaultdict, namedtuple
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigrad import tree
from minigrad.errors import TreeError

Pair = namedtuple("Pair", "left right")


@dataclass(frozen=True)
class Layer:
    weight: Any
    name: str = field(metadata={"static": True})
    bias: Any = None


@dataclass
class Strict:
    x: Any

    def __post_init__(self) -> None:
        assert self.x != "refused"


class Box:
    def __init__(self, *contents: Any) -> None:
        self.contents = contents

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Box) and self.contents == other.contents


tree.register(Box, lambda box: (box.contents, None), lambda static, children: Box(*children))


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    keyed = st.dictionaries(st.one_of(st.text(max_size=3), st.integers()), inner, max_size=4)
    return st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        keyed,
        keyed.map(OrderedDict),
        keyed.map(lambda d: defaultdict(list, d)),
        st.builds(Pair, inner, inner),
        st.builds(Layer, inner, st.text(max_size=3), inner),
        st.lists(inner, max_size=3).map(lambda xs: Box(*xs)),
        st.none(),
    )


trees = st.recursive(st.one_of(st.integers(), st.text(max_size=2), st.none()), containers, max_leaves=20)


@given(trees)
def test_round_trip(value: Any) -> None:
    leaves, structure = tree.flatten(value)
    rebuilt = structure.unflatten(leaves)
    assert rebuilt == value and type(rebuilt) is type(value)
    assert structure.num_leaves == len(leaves) == len(structure.paths())
    assert structure == tree.structure(rebuilt) and hash(structure) == hash(tree.structure(rebuilt))
    copy = pickle.loads(pickle.dumps(structure))
    assert copy == structure and repr(copy) == repr(structure) and copy.unflatten(leaves) == value
    assert repr(structure).count("*") >= len(leaves)


@given(trees)
def test_map_and_flatten_up_to_keep_places(value: Any) -> None:
    assert tree.map(lambda x: x, value) == value
    assert tree.map(lambda x, y: x, value, value) == value
    structure = tree.structure(value)
    assert structure.flatten_up_to(value) == tree.leaves(value)
    assert structure.flatten_up_to(structure.unflatten([(leaf,) for leaf in tree.leaves(value)])) == [
        (leaf,) for leaf in tree.leaves(value)
    ]


@given(st.lists(trees, min_size=1, max_size=3), trees)
def test_transpose_twice_is_nothing(outer_value: list[Any], inner_value: Any) -> None:
    outer, inner = tree.structure([0 for _ in outer_value]), tree.structure(inner_value)
    rows = [[f"{i},{j}" for j in range(inner.num_leaves)] for i in range(outer.num_leaves)]
    value = outer.unflatten([inner.unflatten(row) for row in rows])
    turned = tree.transpose(outer, inner, value)
    assert turned == inner.unflatten([list(column) for column in zip(*rows)])
    if inner.num_leaves:  # else nothing in `turned` remembers how many there were
        assert tree.transpose(inner, outer, turned) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.5, "*"),
        (None, "None"),
        ((), "()"),
        ((1,), "(*,)"),
        ({"b": (1, 2), "a": 3}, "{'a': *, 'b': (*, *)}"),
        ({1: 0, "a": 0}, "{1: *, 'a': *}"),
        ([1, [None]], "[*, [None]]"),
        (OrderedDict(b=1, a=2), "OrderedDict({'b': *, 'a': *})"),
        (defaultdict(list, b=1), "defaultdict(list, {'b': *})"),
        (Pair(1, (2,)), "Pair(left=*, right=(*,))"),
        (Layer(1, "first"), "Layer(weight=*, bias=None, name='first')"),
        (Box(1, 2), "Box(*, *)"),
    ],
)
def test_structure_reads_like_the_tree(value: Any, text: str) -> None:
    assert repr(tree.structure(value)) == text


def test_paths_are_python() -> None:
    params = {"layers": [Layer(1, "a"), Layer(2, "b", 3)], "pair": Pair(4, {7: 5}), "box": Box(6)}
    paths = [tree.path_text("params", path) for path, _ in tree.flatten_with_paths(params)]
    assert paths == [
        "params['box']<child 0>",
        "params['layers'][0].weight",
        "params['layers'][1].weight",
        "params['layers'][1].bias",
        "params['pair'].left",
        "params['pair'].right[7]",
    ]
    assert [eval(text, {"params": params}) for text in paths[1:]] == tree.leaves(params)[1:]
    assert tree.flatten_with_paths(3) == [((), 3)]


def test_dict_order_does_not_matter_but_ordered_dict_order_does() -> None:
    assert tree.structure({"a": 1, "b": 2}) == tree.structure({"b": 1, "a": 2})
    assert tree.structure(OrderedDict(a=1, b=2)) != tree.structure(OrderedDict(b=1, a=2))
    assert tree.structure([1]) != tree.structure((1,))
    assert tree.structure(Layer(1, "a")) != tree.structure(Layer(1, "b"))


def test_only_exact_classes_are_containers() -> None:
    class MyDict(dict):  # type: ignore[type-arg]
        pass

    @dataclass
    class Failure(Exception):
        code: int

    for leaf in (MyDict(a=1), Failure(1), Layer, {1, 2}, "text", range(3)):
        assert tree.leaves(leaf) == [leaf]


def test_dataclass_constructors_do_not_run() -> None:
    assert tree.map(lambda x: "refused", Strict(1)).x == "refused"


def test_is_leaf_stops_early() -> None:
    value = {"a": (1, 2), "b": None}
    assert tree.leaves(value, is_leaf=lambda x: isinstance(x, tuple) or x is None) == [(1, 2), None]
    assert tree.map(lambda x, y: y, [None], [3], is_leaf=lambda x: x is None) == [3]


def test_all_and_reduce() -> None:
    assert tree.all((1, [True, None])) and not tree.all({"a": 0}) and tree.all(())
    assert tree.reduce(lambda a, b: a - b, [10, (1, 2)]) == 7
    assert tree.reduce(lambda a, b: a + b, (), 5) == 5


def test_registering() -> None:
    class Named:
        def __init__(self, x: Any, unit: str) -> None:
            self.x, self.unit = x, unit

    assert tree.leaves(Named(1, "m"))[0].x == 1  # a leaf until it is registered
    tree.register(Named, lambda n: ((n.x,), n.unit, ("x",)), lambda unit, children: Named(*children, unit))
    value = tree.map(lambda x: x + 1, Named(1, "m"))
    assert (value.x, value.unit) == (2, "m") and repr(tree.structure(value)) == "Named(x=*)"
    assert tree.path_text("n", tree.flatten_with_paths(value)[0][0]) == "n.x"
    assert tree.structure(Named(1, "m")) != tree.structure(Named(1, "s"))

    @tree.register_leaf
    @dataclass
    class Whole:
        x: int

    assert tree.leaves(Whole(1)) == [Whole(1)]

    @dataclass
    class Step:
        x: Any
        n: int

    tree.register_dataclass(Step, static_fields=["n"])
    assert tree.leaves(Step(1, 2)) == [1] and tree.map(lambda x: -x, Step(1, 2)) == Step(-1, 2)


def deep(levels: int) -> Any:
    value: Any = 0
    for _ in range(levels):
        value = [value]
    return value


endless: list[Any] = []
endless.append(endless)
DEEP = "the tree is nested too deeply for Python's recursion limit of"


@pytest.mark.parametrize(
    ("refused", "message", "hint"),
    [
        (
            lambda: tree.map(max, {"a": [1, (2, 3)]}, {"a": [1, 2]}),
            "the trees differ at tree['a'][1]: expected (*, *), got a leaf",
            None,
        ),
        (
            lambda: tree.map(max, [{"w": 1, "b": 2}], [{"w": 1, "c": 2}]),
            "the trees differ at tree[0]: expected {'b': *, 'w': *}, got {'c': *, 'w': *}",
            "missing ['b']; unexpected ['c']",
        ),
        (
            lambda: tree.map(max, Pair(1, (2, 3)), Pair(1, (2,))),
            "the trees differ at tree.right: expected (*, *), got (*,)",
            "missing [1]",
        ),
        (
            lambda: tree.structure([(1, 2)]).flatten_up_to([3]),
            "the trees differ at tree[0]: expected (*, *), got a leaf",
            None,
        ),
        (
            lambda: tree.transpose(tree.structure([0, 0]), tree.structure((0, 0)), [(1, 2), (1,)]),
            "the trees differ at tree[1]: expected (*, *), got (*,)",
            "missing [1]",
        ),
        (
            lambda: tree.unflatten(tree.structure((1, 2)), [1]),
            "the structure (*, *) has 2 leaves, but 1 were given",
            None,
        ),
        (lambda: tree.reduce(max, []), "reduce of a tree without leaves needs an initial value", None),
        (lambda: tree.register(Box, iter, iter), "Box is registered already", None),
        (lambda: tree.register(dict, iter, iter), "dict is registered already", None),
        (
            lambda: tree.register_dataclass(Layer, ["wait"]),
            "Layer has no field 'wait'; its fields are weight, name, bias",
            None,
        ),
        (
            lambda: hash(tree.structure(Layer(1, []))),
            "the static part of Layer cannot be hashed: unhashable type: 'list'",
            "static parts are compared and hashed with the structure; make an array a child",
        ),
    ],
)
def test_refusals(refused: Any, message: str, hint: str | None) -> None:
    with pytest.raises(TreeError) as caught:
        refused()
    expected = [message] if hint is None else [message, hint]
    for part in expected:
        assert part in str(caught.value)


@pytest.mark.parametrize("use", [tree.flatten, tree.flatten_with_paths, lambda x: tree.map(abs, x, x)])
@pytest.mark.parametrize("value", [endless, deep(100_000)], ids=["endless", "deep"])
def test_too_deep_is_said(use: Any, value: Any) -> None:
    with pytest.raises(TreeError, match=DEEP):
        use(value)


@pytest.mark.parametrize("levels", [300, 450, 700, 900])
def test_deep_trees_work_or_say_so(levels: int) -> None:
    """Whatever the depth, each use either works or raises TreeError: never a bare RecursionError."""
    for use in (lambda v: tree.map(max, v, v), tree.flatten_with_paths, lambda v: repr(tree.structure(v))):
        try:
            use(deep(levels))
        except TreeError as error:
            assert DEEP in str(error)


def test_manual() -> None:
    assert doctest.testmod(tree).failed == 0
