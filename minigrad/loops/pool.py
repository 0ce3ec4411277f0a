"""The native code that hands the blocks of a kernel to threads.

Floor 4. The process has one pool: a piece of memory (`POOL`), and threads that wait in `WORKER` for blocks of whatever
kernel is there; `backends.threads` makes both. Whoever runs a kernel takes blocks as well. If another program is using
the pool, a kernel runs on the thread that called it, which changes no bit of its results. A thread that finds nothing
to do spins for a while, since the next kernel is often near, and then sleeps. Every program that may use the pool
brings this code along.

Note [Ticket]. The ticket holds in its upper half the number of the kernel, in its lower half how many blocks nobody has
taken yet. To take one is to exchange the ticket for one with a block less. If that succeeds the kernel cannot end
before this block is done, so what the pool says of the kernel stays until then; and a ticket of an earlier kernel never
succeeds.

Note [Sleep]. Who goes to sleep first counts itself, then looks at the ticket again; who brings work first changes the
ticket, then looks whether anybody sleeps. Both in one total order: so work is not missed.
"""

from __future__ import annotations

import platform

POOL, RUN, WORKER = "minigrad_pool", "minigrad_run", "minigrad_worker"
SIZE, LIMIT, ALONE, KEPT, MUTEX, CONDITION = 512, 256, 264, 272, 384, 448  # bytes; where in the pool things are
_ROUNDS = 300  # of spinning, each 32 pauses: about 0.1 ms


def text() -> str:
    """LLVM's text: `RUN`(kernel, frame, blocks) and `WORKER`(number), which ends when there shall be fewer threads."""
    machine = platform.machine().lower()
    if machine in ("x86_64", "amd64"):
        declared, pause = "declare void @llvm.x86.sse2.pause()", "call void @llvm.x86.sse2.pause()"
    elif machine in ("arm64", "aarch64"):
        declared, pause = "declare void @llvm.aarch64.hint(i32)", "call void @llvm.aarch64.hint(i32 1)"
    else:
        declared, pause = "", "fence seq_cst"
    return f"{declared}\n" + _TEXT.replace("PAUSE", pause).replace("ROUNDS", str(_ROUNDS))


_TEXT = """\
%line = type [56 x i8]
%pool = type { i64, %line, i64, %line, ptr, ptr, i64, [40 x i8], i32, [60 x i8], i64, %line, i64, %line,
  [64 x i8], [64 x i8] }
@minigrad_pool = external global %pool
declare i32 @pthread_mutex_lock(ptr)
declare i32 @pthread_mutex_unlock(ptr)
declare i32 @pthread_cond_wait(ptr, ptr)
declare i32 @pthread_cond_broadcast(ptr)
declare i32 @sched_yield()

define internal void @minigrad_take(ptr %pool) nounwind {
entry:
  %done.at = getelementptr %pool, ptr %pool, i32 0, i32 2
  %kernel.at = getelementptr %pool, ptr %pool, i32 0, i32 4
  %frame.at = getelementptr %pool, ptr %pool, i32 0, i32 5
  %blocks.at = getelementptr %pool, ptr %pool, i32 0, i32 6
  br label %loop
loop:
  %ticket = load atomic i64, ptr %pool acquire, align 8
  %left = and i64 %ticket, 4294967295
  %none = icmp eq i64 %left, 0
  br i1 %none, label %end, label %try
try:
  %less = sub i64 %ticket, 1
  %exchanged = cmpxchg ptr %pool, i64 %ticket, i64 %less acq_rel monotonic
  %mine = extractvalue { i64, i1 } %exchanged, 1
  br i1 %mine, label %run, label %loop
run:
  %kernel = load ptr, ptr %kernel.at
  %frame = load ptr, ptr %frame.at
  %blocks = load i64, ptr %blocks.at
  %number = sub i64 %blocks, %left
  call void %kernel(ptr %frame, i64 %number)
  %before = atomicrmw add ptr %done.at, i64 1 release
  br label %loop
end:
  ret void
}

define internal void @minigrad_run(ptr %kernel, ptr %frame, i64 %blocks) nounwind {
entry:
  %busy.at = getelementptr %pool, ptr @minigrad_pool, i32 0, i32 8
  %limit.at = getelementptr %pool, ptr @minigrad_pool, i32 0, i32 10
  %limit = load atomic i64, ptr %limit.at monotonic, align 8
  %alone = icmp eq i64 %limit, 0
  br i1 %alone, label %serial, label %ask
ask:
  %asked = cmpxchg ptr %busy.at, i32 0, i32 1 acquire monotonic
  %ours = extractvalue { i32, i1 } %asked, 1
  br i1 %ours, label %start, label %serial
serial:
  %k = phi i64 [0, %entry], [0, %ask], [%next, %serial]
  call void %kernel(ptr %frame, i64 %k)
  %next = add i64 %k, 1
  %last = icmp eq i64 %next, %blocks
  br i1 %last, label %end, label %serial
start:
  %done.at = getelementptr %pool, ptr @minigrad_pool, i32 0, i32 2
  %kernel.at = getelementptr %pool, ptr @minigrad_pool, i32 0, i32 4
  %frame.at = getelementptr %pool, ptr @minigrad_pool, i32 0, i32 5
  %blocks.at = getelementptr %pool, ptr @minigrad_pool, i32 0, i32 6
  store atomic i64 0, ptr %done.at monotonic, align 8
  store ptr %kernel, ptr %kernel.at
  store ptr %frame, ptr %frame.at
  store i64 %blocks, ptr %blocks.at
  %old = load atomic i64, ptr @minigrad_pool monotonic, align 8
  %upper = and i64 %old, -4294967296
  %number = add i64 %upper, 4294967296
  %ticket = or i64 %number, %blocks
  store atomic i64 %ticket, ptr @minigrad_pool seq_cst, align 8
  %sleepers.at = getelementptr %pool, ptr @minigrad_pool, i32 0, i32 12
  %sleepers = load atomic i64, ptr %sleepers.at seq_cst, align 8
  %awake = icmp eq i64 %sleepers, 0
  br i1 %awake, label %work, label %wake
wake:
  %mutex = getelementptr %pool, ptr @minigrad_pool, i32 0, i32 14
  %condition = getelementptr %pool, ptr @minigrad_pool, i32 0, i32 15
  %r0 = call i32 @pthread_mutex_lock(ptr %mutex)
  %r1 = call i32 @pthread_cond_broadcast(ptr %condition)
  %r2 = call i32 @pthread_mutex_unlock(ptr %mutex)
  br label %work
work:
  call void @minigrad_take(ptr @minigrad_pool)
  br label %wait
wait:
  %waits = phi i64 [0, %work], [%more, %again]
  %done = load atomic i64, ptr %done.at acquire, align 8
  %finished = icmp eq i64 %done, %blocks
  br i1 %finished, label %free, label %pause
pause:
  PAUSE
  %more = add i64 %waits, 1
  %few = icmp ult i64 %waits, 4096
  br i1 %few, label %again, label %yield
yield:
  %r3 = call i32 @sched_yield()
  br label %again
again:
  br label %wait
free:
  store atomic i32 0, ptr %busy.at release, align 4
  br label %end
end:
  ret void
}

define void @minigrad_worker(i64 %self) nounwind {
entry:
  %limit.at = getelementptr %pool, ptr @minigrad_pool, i32 0, i32 10
  %sleepers.at = getelementptr %pool, ptr @minigrad_pool, i32 0, i32 12
  %mutex = getelementptr %pool, ptr @minigrad_pool, i32 0, i32 14
  %condition = getelementptr %pool, ptr @minigrad_pool, i32 0, i32 15
  br label %look
look:
  %rounds = phi i64 [0, %entry], [0, %work], [0, %awake], [%more, %tire]
  %limit = load atomic i64, ptr %limit.at monotonic, align 8
  %stays = icmp ult i64 %self, %limit
  br i1 %stays, label %spin, label %end
spin:
  %spins = phi i64 [0, %look], [%spins.more, %pause]
  %ticket = load atomic i64, ptr @minigrad_pool monotonic, align 8
  %left = and i64 %ticket, 4294967295
  %nothing = icmp eq i64 %left, 0
  br i1 %nothing, label %pause, label %work
pause:
  PAUSE
  %spins.more = add i64 %spins, 1
  %spins.end = icmp eq i64 %spins.more, 32
  br i1 %spins.end, label %tire, label %spin
tire:
  %more = add i64 %rounds, 1
  %tired = icmp eq i64 %more, ROUNDS
  br i1 %tired, label %sleep, label %look
work:
  call void @minigrad_take(ptr @minigrad_pool)
  br label %look
sleep:
  %r1 = call i32 @pthread_mutex_lock(ptr %mutex)
  %s0 = atomicrmw add ptr %sleepers.at, i64 1 seq_cst
  br label %asleep
asleep:
  %ticket.now = load atomic i64, ptr @minigrad_pool seq_cst, align 8
  %left.now = and i64 %ticket.now, 4294967295
  %some = icmp ne i64 %left.now, 0
  %limit.now = load atomic i64, ptr %limit.at monotonic, align 8
  %leaves = icmp uge i64 %self, %limit.now
  %wakes = or i1 %some, %leaves
  br i1 %wakes, label %awake, label %rest
rest:
  %r2 = call i32 @pthread_cond_wait(ptr %condition, ptr %mutex)
  br label %asleep
awake:
  %s1 = atomicrmw sub ptr %sleepers.at, i64 1 seq_cst
  %r3 = call i32 @pthread_mutex_unlock(ptr %mutex)
  br label %look
end:
  ret void
}
"""
