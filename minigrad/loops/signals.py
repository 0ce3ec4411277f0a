"""The native code between a program and Python: the GIL is let go, and Ctrl-C is noticed between kernels.

Floor 4. A program is entered with the GIL. If it takes long enough to matter it lets go of it at once; now and then it
takes it back to see whether a signal's handler (as Python's own for Ctrl-C) wants to run, and ends if one raised. It
takes it back, too, to call the reference; whatever raises there, a handler included, ends the program.
"""

from __future__ import annotations

ENTER, LEAVE, CHECK = "minigrad_enter", "minigrad_leave", "minigrad_check"
FOREIGN = "minigrad_foreign"  # the Python function that is called with (list, number, addresses)
CALL = "minigrad_call"  # calls it: (state, list, number, addresses) -> not 0 if it raised
ZERO = "PyLong_FromLong"  # gives Python what is not looked at
SYMBOLS = (
    "PyEval_SaveThread",
    "PyEval_RestoreThread",
    "PyErr_CheckSignals",
    "PyObject_CallFunction",
    "Py_DecRef",
    ZERO,
)
LONG = 1 << 17  # scalar operations from which the GIL is let go: some µs; to let go and take back costs 0.1
OFTEN = 1 << 31  # between two looks for signals: 0.05 to 0.5 s
STEP = 1 << 10  # what a step of a loop is counted for, whatever it does


def text(long: bool) -> str:
    """LLVM's text: ENTER(ptr state), LEAVE(ptr state), and CHECK(ptr state), which gives not 0 if a handler raised."""
    return _LONG if long else _SHORT


_LONG = """\
declare ptr @PyEval_SaveThread()
declare void @PyEval_RestoreThread(ptr)
declare i32 @PyErr_CheckSignals()

define internal void @minigrad_enter(ptr %state) nounwind {
  %thread = call ptr @PyEval_SaveThread()
  store ptr %thread, ptr %state
  ret void
}

define internal void @minigrad_leave(ptr %state) nounwind {
  %thread = load ptr, ptr %state
  call void @PyEval_RestoreThread(ptr %thread)
  ret void
}

define internal i32 @minigrad_check(ptr %state) nounwind noinline {
  call void @minigrad_leave(ptr %state)
  %raised = call i32 @PyErr_CheckSignals()
  call void @minigrad_enter(ptr %state)
  ret i32 %raised
}"""
_SHORT = """\
define internal void @minigrad_enter(ptr %state) nounwind {
  ret void
}

define internal void @minigrad_leave(ptr %state) nounwind {
  ret void
}

define internal i32 @minigrad_check(ptr %state) nounwind {
  ret i32 0
}"""

CALLS = f"""\
@{FOREIGN} = external global i8
@{FOREIGN}.format = private constant [4 x i8] c"nnn\\00"
declare ptr @PyObject_CallFunction(ptr, ptr, ...)
declare void @Py_DecRef(ptr)

define internal i32 @{CALL}(ptr %state, ptr %values, i64 %number, ptr %addresses) nounwind noinline {{
entry:
  call void @{LEAVE}(ptr %state)
  %result = call ptr (ptr, ptr, ...) @PyObject_CallFunction(
    ptr @{FOREIGN}, ptr @{FOREIGN}.format, ptr %values, i64 %number, ptr %addresses)
  %raised = icmp eq ptr %result, null
  br i1 %raised, label %done, label %fine
fine:
  call void @Py_DecRef(ptr %result)
  br label %done
done:
  call void @{ENTER}(ptr %state)
  %code = zext i1 %raised to i32
  ret i32 %code
}}"""
