"""The floors of the house: one table for the import law and for the README's diagram."""

from typing import NamedTuple


class Floor(NamedTuple):
    """One floor: the modules and packages on it, by their name below `minigrad`."""

    name: str
    rooms: tuple[str, ...]
    separate: bool = False  # its rooms never import each other
    libraries: tuple[str, ...] | None = None  # outside the standard library; None: any


# From the ground up. A module may import from its own floor and from those below it.
FLOORS = (
    Floor(
        "ground",
        (
            "sizes",
            "types",
            "tree",
            "containers",
            "errors",
            "source",
            "config",
            "lazy",
            "frozen",
            "signatures",
            "recompiles",
        ),
        libraries=("numpy",),
    ),
    Floor("language", ("op", "graph", "text", "draw")),
    Floor("vocabulary", ("ops",)),
    Floor("meanings", ("interpreters", "control")),
    Floor("engine", ("passes", "loops", "backends")),
    Floor("arrays", ("numpy",)),
    Floor("front-ends", ("session", "tape", "tracer"), separate=True),
    Floor("around", ("testing", "compare", "cli", "__main__", "__init__")),
)


def room(module: str) -> str:
    """Which room a module is in: `minigrad.ops.reduce` is in `ops`, `minigrad` itself in `__init__`."""
    _, _, rest = module.partition(".")
    return rest.split(".")[0] or "__init__"


def floor_of(module: str) -> int | None:
    """The number of the floor a module of minigrad is on; None if the table does not know it."""
    return next((number for number, floor in enumerate(FLOORS) if room(module) in floor.rooms), None)


def may_import(importer: str, imported: str) -> bool:
    """The law: down or level, and from one front-end never into another."""
    here, there = floor_of(importer), floor_of(imported)
    if here is None or there is None or there > here:
        return False
    return not (here == there and FLOORS[here].separate and room(importer) != room(imported))


def render() -> str:
    """The house as text, roof first, as it stands in the README."""
    lines = []
    for number, floor in reversed(list(enumerate(FLOORS))):
        separator = "  |  " if floor.separate else "  "
        rooms = separator.join(name for name in floor.rooms if not name.startswith("__"))
        lines.append(f"{number}  {floor.name:<11} {rooms}")
    return "\n".join(lines)
