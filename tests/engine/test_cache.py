"""The cache of compiled programs: a second process compiles nothing, and what cannot be trusted is never run."""

import json
import os
import subprocess
import sys
import textwrap
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

import minigrad.numpy as mnp
from minigrad import backends, config, counters
from minigrad.backends import cache, identity, loader
from minigrad.backends.cache import Entry, Refused, Store, pack, unpack
from minigrad.cli import main
from minigrad.errors import CacheWarning, CheckFailedError
from minigrad.op import Array
from minigrad.ops.effects import Assert
from minigrad.ops.sort import Sort
from minigrad.tracer import debug, grad, jit, lax, make_graph
from tests.graph.programs import graph_of

ROOT = Path(__file__).parents[2]
PROGRAM = """
import json, os, sys, warnings
import numpy as np
import minigrad, minigrad.numpy as mnp
from minigrad.tracer import jit

def run():
    "Compile and run one program; what it cost and what was said."
    before = minigrad.counters()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        w = mnp.asarray(np.linspace(0, 1, 12, dtype="f4").reshape(3, 4))
        f = jit(lambda x: mnp.sum(mnp.special.i0e(mnp.tanh(x @ w)) * 2.0))
        y = float(f(mnp.ones((2, 3))))
        g = float(jit(lambda x: mnp.sum(mnp.exp(x)))(mnp.ones(5)))
    after = minigrad.counters()
    return {"compiles": after.compiles - before.compiles, "hits": after.disk_hits - before.disk_hits,
            "y": y, "g": g, "said": [str(w.message) for w in said],
            "compilers": [name for name in ("numba", "llvmlite") if name in sys.modules]}
"""
COLD = {"compiles": 2, "hits": 0}
WARM = {"compiles": 0, "hits": 2}


@pytest.fixture(params=["llvm", "numba"])
def backend(request, monkeypatch):
    """Of this test and its children; numba compiles."""
    monkeypatch.setenv("MINIGRAD_BACKEND", request.param)
    monkeypatch.setenv("MINIGRAD_JIT", "1")
    with config.backend.using(request.param), config.jit.using(True):
        yield request.param


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A cache of this test's own, for it and its children."""
    place = tmp_path / "cache"
    monkeypatch.setenv("MINIGRAD_CACHE_DIR", str(place))
    config.cache_dir.reset()
    cache._warned.clear()
    with config.backend.using("llvm"):
        yield place
    monkeypatch.undo()
    config.cache_dir.reset()


def start(code: str = "print(json.dumps(run()))", **environment: str) -> "subprocess.Popen[str]":
    text = PROGRAM + textwrap.dedent(code)
    full = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True, env=full, cwd=ROOT)


def outcomes(*processes: "subprocess.Popen[str]") -> list[dict]:
    """What the processes printed, one JSON line each result."""
    found = []
    for p in processes:
        out, _ = p.communicate(timeout=120)
        assert p.returncode == 0
        found += [json.loads(line) for line in out.splitlines()]
    first = found[0]
    assert all((o["y"], o["g"]) == (first["y"], first["g"]) for o in found)
    return found


def fresh(code: str = "print(json.dumps(run()))", **environment: str) -> dict:
    (outcome,) = outcomes(start(code, **environment))
    return outcome


def counted(outcome: dict) -> dict:
    return {k: outcome[k] for k in ("compiles", "hits")}


# ── processes ────────────────────────────────────────────────────────────────────────────────────
def test_a_second_process_compiles_nothing(folder, backend) -> None:
    first, second = fresh(), fresh()
    assert counted(first) == COLD and counted(second) == WARM
    assert first["y"] == second["y"] and not first["said"] + second["said"]
    assert backend in ("llvm", *first["compilers"]) and not second["compilers"]  # they are not even loaded
    assert len(list(folder.iterdir())) == 2 and folder.stat().st_mode & 0o777 == 0o700


def test_switched_off(folder, backend) -> None:
    with config.cache.using(False):
        assert compile_one() == (True, [])
    assert not folder.exists()


def test_forked_and_spawned_processes_share_it(folder, backend) -> None:
    code = """
    import multiprocessing as m
    if __name__ == "__main__":
        print(json.dumps(run()), flush=True)
        child = os.fork()
        if not child:
            print(json.dumps(run()), flush=True)
            os._exit(0)
        os.waitpid(child, 0)
    """
    parent, forked = outcomes(start(code))
    assert counted(parent) == COLD and counted(forked) == WARM
    script = folder.parent / "script.py"
    spawn = """
    import multiprocessing
    if __name__ == "__main__":
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            for outcome in [pool.apply(run) for _ in range(2)]:
                print(json.dumps(outcome))
    """
    script.write_text(PROGRAM + textwrap.dedent(spawn))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    out = subprocess.run([sys.executable, script], stdout=subprocess.PIPE, text=True, env=environment, check=True)
    assert [counted(json.loads(line)) for line in out.stdout.splitlines()] == [WARM, WARM]


@pytest.mark.parametrize("backend", ["llvm", pytest.param("numba", marks=pytest.mark.slow)], indirect=True)
def test_eight_processes_at_once(folder, backend) -> None:
    found = outcomes(*[start() for _ in range(8)])
    assert all(o["compiles"] + o["hits"] == 2 and not o["said"] for o in found)
    assert not cache.configured().verify() and len(list(folder.iterdir())) == 2  # no halves left behind
    assert counted(fresh()) == WARM


# ── a disk that refuses ──────────────────────────────────────────────────────────────────────────
def cannot_keep(folder: Path, why: str) -> str:
    return (
        f"cache: cannot keep compiled programs: the folder {folder} cannot be used ({why})\n"
        "  choose another folder with MINIGRAD_CACHE_DIR, or keep none: MINIGRAD_CACHE=0"
    )


def not_used(folder: Path, why: str) -> str:
    return (
        f"cache: the folder {folder} {why}: no programs are taken from it or kept in it\n"
        "  make it yours alone (chmod 700), or choose another one with MINIGRAD_CACHE_DIR"
    )


def test_a_full_disk(folder) -> None:
    """No file may grow beyond 1000 bytes: writing gives EFBIG, which takes the way of ENOSPC."""
    code = """
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    print(json.dumps(run()))
    """
    outcome = fresh(code)
    assert counted(outcome) == COLD
    assert outcome["said"] == [cannot_keep(folder, "File too large")]
    assert list(folder.iterdir()) == []


def test_a_read_only_folder(folder) -> None:
    """Also for root, who has to give up the right to write everywhere first."""
    fresh()
    entries = sorted(folder.iterdir())
    entries[0].unlink()
    folder.chmod(0o500)
    code = """
    import ctypes
    if os.geteuid() == 0:
        head, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
        assert ctypes.CDLL(None).capset(head, none) == 0
    print(json.dumps(run()))
    """
    outcome = fresh(code)
    folder.chmod(0o700)
    assert counted(outcome) == {"compiles": 1, "hits": 1}
    assert outcome["said"] == [cannot_keep(folder, "Permission denied")]
    assert sorted(folder.iterdir()) == entries[1:]


# ── entries that cannot be trusted ───────────────────────────────────────────────────────────────
def compile_one():
    """(was it compiled anew, what was said)."""
    before = counters()
    graph = graph_of(lambda x: mnp.tanh(x) * 2.0, "f32[5]")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        exe = backends.compile(graph)
    assert all(w.category is CacheWarning for w in said)
    np.testing.assert_allclose(exe([np.ones(5, "f4")])[0], 2 * np.tanh(np.ones(5)), rtol=1e-6)
    after = counters()
    assert after.compiles + after.disk_hits == before.compiles + before.disk_hits + 1
    return after.compiles > before.compiles, [str(w.message) for w in said]


def damaged(folder: Path, why: str, spoil) -> None:
    """A spoilt entry is ignored with one warning and compiled again; then it is sound."""
    assert compile_one() == (True, [])
    (path,) = folder.iterdir()
    spoil(path)
    text = f"cache: {path} {why}: it is ignored, the program is compiled again"
    assert compile_one() == (True, [text])
    assert compile_one() == (False, [])  # rewritten


def test_a_truncated_file(folder, backend) -> None:
    damaged(folder, "is cut off", lambda p: p.write_bytes(p.read_bytes()[:-100]))


def test_an_empty_file(folder, backend) -> None:
    damaged(folder, "is not an entry", lambda p: p.write_bytes(b""))


def test_a_link(folder, backend) -> None:
    def spoil(path: Path) -> None:
        path.rename(folder.parent / "elsewhere")
        path.symlink_to(folder.parent / "elsewhere")

    damaged(folder, "is a symbolic link", spoil)


@pytest.mark.parametrize("at", [0.0, 0.01, 0.05, 0.5, 0.99])
def test_a_flipped_byte(folder, backend, at: float) -> None:
    def spoil(path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[int(at * len(data))] ^= 4
        path.write_bytes(data)

    assert compile_one() == (True, [])
    (path,) = folder.iterdir()
    spoil(path)
    anew, said = compile_one()
    assert anew and len(said) == 1 and said[0].startswith(f"cache: {path} is ")


def test_every_flipped_bit_of_an_entry_is_found() -> None:
    data = pack("k", Entry({"arena": 3}, b"code"))
    assert unpack("k", data) == Entry({"arena": 3}, b"code")
    for bit in range(8 * len(data)):
        spoilt = bytearray(data)
        spoilt[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Refused):
            unpack("k", bytes(spoilt))
    for length in range(len(data)):
        with pytest.raises(Refused):
            unpack("k", data[:length])
    with pytest.raises(Refused, match="another program"):
        unpack("another", data)


def test_an_entry_under_another_name(folder, backend) -> None:
    """Renamed to a key it was not made for: it says so itself."""
    compile_one()
    (path,) = folder.iterdir()
    other = graph_of(lambda x: mnp.tanh(x) * 3.0, "f32[5]")
    path.rename(cache.configured().path(identity.key(other, backend, True)))
    with pytest.warns(CacheWarning, match="was made for another program or machine"):
        exe = backends.compile(other)
    np.testing.assert_allclose(exe([np.ones(5, "f4")])[0], 3 * np.tanh(np.ones(5)), rtol=1e-6)


def test_writable_by_others(folder, backend) -> None:
    damaged(folder, "can be written by other users", lambda p: p.chmod(0o622))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user(folder, backend) -> None:
    damaged(folder, "belongs to another user", lambda p: os.chown(p, 12345, -1))


@pytest.mark.parametrize("give", ["write to others", "away"])
def test_a_folder_that_is_not_only_ours(folder, backend, capsys, give: str) -> None:
    if give == "away" and os.geteuid() != 0:
        pytest.skip("only root can give folders away")
    compile_one()
    before = [(p, p.stat().st_mtime_ns) for p in folder.iterdir()]
    why = "can be written by other users" if give != "away" else "belongs to another user"
    os.chown(folder, 12345, -1) if give == "away" else folder.chmod(0o777)
    assert compile_one() == (True, [not_used(folder, why)])
    assert compile_one() == (True, [])  # said once
    assert [(p, p.stat().st_mtime_ns) for p in folder.iterdir()] == before
    assert main(["cache", "verify"]) == 1
    told = capsys.readouterr().out.splitlines()
    assert told[1:] == [f"{folder.name} {why}: all that lies in it is ignored", "1 of them would be ignored"]


def test_no_folder_where_it_should_be(folder, backend, capsys) -> None:
    folder.write_text("something else")
    assert compile_one() == (True, [not_used(folder, "is not a folder")])
    assert compile_one() == (True, [])  # said once
    for action in ("show", "verify", "clear"):
        assert main(["cache", action]) == 2
        assert f"minigrad: cache: the folder {folder} cannot be read (Not a directory)" in capsys.readouterr().err
    assert folder.read_text() == "something else"


def test_a_folder_below_home(tmp_path, monkeypatch) -> None:
    """As it is written where no shell reads it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    with config.cache_dir.using("~/programs"):
        assert cache.folder() == tmp_path / "programs"


# ── keys ─────────────────────────────────────────────────────────────────────────────────────────
def test_other_processor_features_are_another_key(folder, backend, monkeypatch) -> None:
    compile_one()
    monkeypatch.setattr(identity, "processor", lambda: ("another", "no flags"))
    identity.surroundings.cache_clear()
    try:
        g = graph_of(lambda x: mnp.tanh(x) * 2.0, "f32[5]")
        assert cache.configured().load(identity.key(g, backend, True)) is None
    finally:
        monkeypatch.undo()
        identity.surroundings.cache_clear()


def test_the_key_sees_constants_types_and_settings_but_not_names_and_lines() -> None:
    def key(f, *types):
        return identity.key(graph_of(f, *types), "llvm", True)

    big = np.arange(100.0, dtype="f4")
    other = big.copy()
    other[50] = np.nextafter(other[50], np.float32(0))
    same = key(lambda x: x * 2.0, "f32[3]")
    assert same == key(lambda anything: anything * 2.0, "f32[3]")
    assert same != key(lambda x: x * np.nextafter(np.float32(2), np.float32(3)), "f32[3]")
    assert same != key(lambda x: x * 2.0, "f32[4]")
    assert key(lambda x: x * Array(big), "f32[100]") == key(lambda x: x * Array(big.copy()), "f32[100]")
    assert key(lambda x: x * Array(big), "f32[100]") != key(lambda x: x * Array(other), "f32[100]")
    with config.check_graphs.using(not config.check_graphs.get()):
        assert same != key(lambda x: x * 2.0, "f32[3]")
    with config.num_threads.using(7):
        assert same == key(lambda x: x * 2.0, "f32[3]")


def test_the_key_sees_which_numba_and_how_it_is_set(monkeypatch) -> None:
    def key(backend):
        return identity.key(graph_of(lambda x: x * 2.0, "f32[3]"), backend, True)

    llvm, before = key("llvm"), key("numba")
    monkeypatch.setenv("NUMBA_OPT", "1")
    after = key("numba")
    monkeypatch.setattr(identity, "_numba_version", lambda: b"another")
    assert len({llvm, before, after, key("numba")}) == 4 and key("llvm") == llvm


# ── linking ──────────────────────────────────────────────────────────────────────────────────────
def test_llvm_links_what_the_loader_does_not_know(folder, backend, monkeypatch) -> None:
    """Compiled with the one, run with the other: the same bits."""
    g = make_graph(grad(lambda x: mnp.sum(mnp.exp(mnp.sort(x @ x)) * mnp.special.erfinv(mnp.tanh(x)))))(
        mnp.ones((4, 4))
    )
    x = np.random.default_rng(0).uniform(-0.5, 0.5, (4, 4)).astype("f4")
    (first,) = backends.compile(g)([x])
    monkeypatch.setattr(loader, "load", lambda image, resolve: None)
    (second,) = backends.compile(g)([x])
    assert first.tobytes() == second.tobytes()


def test_the_loader_gives_up_on_other_files() -> None:
    assert loader.load(b"", int) is None
    assert loader.load(b"\x7fELF\x02\x01\x01" + bytes(100), int) is None
    with open(sys.executable, "rb") as file:
        assert loader.load(file.read(), int) is None


@pytest.mark.parametrize("backend", ["numba"], indirect=True)
def test_a_kernel_that_calls_what_this_process_lacks(folder, backend) -> None:
    """As a function of Intel's SVML, which numba loads. A kernel with another name is not there, either."""
    assert compile_one() == (True, [])
    (path,) = folder.iterdir()
    key, entry = path.stem, cache.configured().load(path.stem)
    lacking = entry.payload.replace(b"PyLong_FromLong", b"PyLong_FromLonq")
    ((_, size),) = entry.description["images"].items()
    for spoilt in (Entry(entry.description, lacking), Entry({"images": {"another": size}}, entry.payload)):
        assert spoilt != entry
        cache.configured().save(key, spoilt)
        assert compile_one() == (True, [])
        assert compile_one() == (False, [])


def test_kernels_run_as_python_are_not_kept(folder) -> None:
    graph = graph_of(lambda x: mnp.tanh(x) * 2.0, "f32[5]")
    with config.jit.using(False):
        backends.compile(graph, "numba")
    assert not folder.exists()


# ── what comes back ──────────────────────────────────────────────────────────────────────────────
def twice(g):
    """The graph compiled, and the same from the cache."""
    before = counters()
    first, between, second, after = backends.compile(g), counters(), backends.compile(g), counters()
    assert (between.compiles - before.compiles, between.disk_hits - before.disk_hits) == (1, 0)
    assert (after.compiles - between.compiles, after.disk_hits - between.disk_hits) == (0, 1)
    return first, second


def test_a_restored_program_is_the_same_program(folder, backend) -> None:
    """Small, folded and large constants, foreign kernels, gradients; and the graph after the passes, when asked for."""
    large = Array(np.random.default_rng(0).standard_normal((50, 60)).astype("f4"))

    def loss(x):
        return mnp.sum(mnp.special.i0e(mnp.tanh(x @ large) + mnp.cumsum(mnp.ones(60))) * mnp.arange(60.0))

    g = make_graph(grad(loss))(mnp.ones((4, 50)))
    x = np.random.default_rng(1).standard_normal((4, 50)).astype("f4")
    first, second = twice(g)
    np.testing.assert_array_equal(first([x])[0], second([x])[0])
    np.testing.assert_array_equal(second([x])[0], second([x])[0])
    assert (second.nodes, second.graph.in_types) == (first.nodes, first.graph.in_types)
    assert [r.name for r in second.history] == [r.name for r in first.history]
    assert str(second.schedule) == str(first.schedule)
    (path,) = folder.iterdir()
    assert path.stat().st_size < large.array.nbytes + 4096 * 8


def test_errors_of_foreign_kernels_name_the_line_of_this_program(folder, backend) -> None:
    def f(x):
        return [*Assert("x is positive")(mnp.all(x > 0.0)), *Sort(0)(x)]

    def g(x):
        return [*Assert("x is positive")(mnp.all(x > 0.0)), *Sort(0)(x)]  # the same graph, made here

    x = np.array([1.0, 0.0], "f4")
    for h in (f, g):
        before = counters().disk_hits
        exe = backends.compile(graph_of(h, "f32[2]"))
        assert counters().disk_hits - before == (h is g)
        with pytest.raises(CheckFailedError) as caught:
            exe([x])
        assert h.__name__ in {line.function for _, line in caught.value.lines}


def test_ops_that_a_pass_has_made(folder, backend) -> None:
    """A loop whose body gets simplified is another op than the one in the graph."""
    g = make_graph(lambda x: lax.scan(lambda c, i: (c * 1.0 + i, c + 0.0), x, mnp.ones((5, 3))))(mnp.ones(3))
    first, second = twice(g)
    x = np.arange(3, dtype="f4")
    for a, b in zip(first([x]), second([x]), strict=True):
        np.testing.assert_array_equal(a, b)


def test_python_functions_are_not_kept(folder, backend) -> None:
    seen = []

    @jit
    def f(x):
        debug.callback(seen.append, x)
        return x * 2

    f(mnp.ones(3))
    assert len(seen) == 1 and not folder.exists()


# ── size ─────────────────────────────────────────────────────────────────────────────────────────
def test_the_least_recently_used_go_first(tmp_path) -> None:
    store = Store(tmp_path / "s", 10_000)
    entry = Entry({}, bytes(3000))
    for k, name in enumerate("abc"):
        store.save(name, entry)
        os.utime(store.path(name), (1000 + k, 1000 + k))
    assert store.load("a") == entry  # now b is the oldest
    store.save("d", entry)
    assert {p.stem for p, _ in store.entries()} == {"a", "c", "d"}
    store.save("huge", Entry({}, bytes(20_000)))
    assert {p.stem for p, _ in store.entries()} == {"a", "c", "d"}


def test_a_folder_with_room_is_not_looked_through_for_every_entry(tmp_path, monkeypatch) -> None:
    looks, evict = [], Store._evict
    monkeypatch.setattr(Store, "_evict", lambda self: looks.append(self) or evict(self))
    store = Store(tmp_path / "s", 1_000_000)
    for k in range(200):
        store.save(str(k), Entry({}, bytes(1000)))
    assert len(looks) <= 4 and len(store.entries()) == 200


def test_eight_processes_that_fill_a_folder_hold_the_limit(tmp_path, monkeypatch) -> None:
    """Each knows only what it has written itself since it looked."""
    store, most = Store(tmp_path / "s", 1_000_000), 0
    known = [dict(cache._room) for _ in range(8)]
    for k in range(300):
        for process, room in enumerate(known):
            monkeypatch.setattr(cache, "_room", room)
            store.save(f"{process}-{k}", Entry({}, bytes(5000)))
        most = max(most, sum(size for _, size in store.entries()))
    assert 900_000 < most < 1_300_000


def test_files_left_by_the_dead_are_swept(tmp_path) -> None:
    store = Store(tmp_path / "s", 10_000)
    store.save("a", Entry({}, b""))
    old, new = store.folder / "x.1.part", store.folder / "y.2.part"
    old.write_bytes(b"half")
    new.write_bytes(b"half")
    os.utime(old, (time.time() - 7200,) * 2)
    store.save("b", Entry({}, b""))
    assert old.exists()  # there is room: nobody looks
    store.save("c", Entry({}, bytes(6000)))
    assert not old.exists() and new.exists()


def test_the_command(folder, backend, capsys) -> None:
    compile_one()
    (path,) = folder.iterdir()
    assert main(["cache"]) == 0
    assert main(["cache", "verify"]) == 0
    path.write_bytes(path.read_bytes()[:-1])
    assert main(["cache", "verify"]) == 1
    assert main(["cache", "clear"]) == 0
    assert not list(folder.iterdir())
    assert main(["cache"]) == 0
    line = f"{folder}: 1 program (1 {backend}), 0.0 of at most 512 MiB"
    assert capsys.readouterr().out.splitlines() == [
        line,
        line,
        "0 of them would be ignored",
        line,
        f"{path.name} is cut off",
        "1 of them would be ignored",
        f"deleted 1 of 1 program (1 {backend}) in {folder}",
        f"{folder}: 0 programs, 0.0 of at most 512 MiB",
    ]
