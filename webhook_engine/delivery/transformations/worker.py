"""The program of the script process, which runs consumers' scripts. It imports nothing of the package.

It forks for each job: the child drops its privileges, runs one script, and exits. So scripts share no state, and a
crash affects only one. The engine kills the process with its child when a job takes too long.

The sandbox, from the inside out: QuickJS, which offers only the language, with limits of its own on memory, stack and
time; limits of the operating system on memory, CPU time, files and processes; and on Linux a seccomp filter that allows
the child a few system calls, none of which opens, connects or starts anything.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import resource
import sys
import time
from functools import cache
from typing import Any, NoReturn

import quickjs

MAX_JOB = 16_000_000
MAX_LOGS = 50
MAX_LOG = 500
STACK_BYTES = 256 * 1024
SPARE_BYTES = 96 * 1024 * 1024
"""Bytes of address space besides the script's own limit, for reading the job and writing the result."""

PRELUDE = """
(() => {
  const logs = [], done = { text: null, error: null, same: false };
  const parse = JSON.parse, stringify = JSON.stringify, Text = String;
  const log = (...said) => {
    if (logs.length >= MAX_LOGS) return;
    const words = said.map((one) => {
      try { return typeof one === "object" ? stringify(one) : Text(one); } catch { return "?"; }
    });
    logs.push(words.join(" ").slice(0, MAX_LOG));
  };
  globalThis.console = Object.freeze({ log, info: log, warn: log, error: log, debug: log });
  return (what, handler, text) => {
    if (what !== "run") return done[what];
    if (typeof handler !== "function") throw new TypeError("there must be a function with the name handler");
    const given = parse(text), before = stringify(given.payload);
    const finish = (webhook) => {
      if (webhook === null || typeof webhook !== "object") throw new TypeError("handler must return the webhook");
      done.same = stringify(webhook.payload) === before;
      done.text = stringify({ webhook, logs });
    };
    const result = handler(given);
    if (result instanceof Promise) result.then(finish).catch((error) => { done.error = Text(error); });
    else finish(result);
  };
})()
""".replace("MAX_LOGS", str(MAX_LOGS)).replace("MAX_LOG", str(MAX_LOG))

_ARCHITECTURES = {
    # Audit number, then read, write, brk, mmap, munmap, mremap, mprotect, madvise, futex, rt_sigprocmask, rt_sigreturn,
    # clock_gettime, gettimeofday, getrandom, exit, exit_group.
    "x86_64": (0xC000003E, (0, 1, 12, 9, 11, 25, 10, 28, 202, 14, 15, 228, 96, 318, 60, 231)),
    "aarch64": (0xC00000B7, (63, 64, 214, 222, 215, 216, 226, 233, 98, 135, 139, 113, 169, 278, 93, 94)),
}


def reply(job: bytes) -> bytes:
    """Do a job; the job and its result are JSON."""
    return _in_child(job, _filter())


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Run a script on a webhook: ``text`` is its result, JSON that is not parsed yet; ``error``: why there is none.

    ``same``: whether the payload is unchanged.
    """
    context = quickjs.Context()
    context.set_memory_limit(job["memory"])
    context.set_max_stack_size(STACK_BYTES)
    context.set_time_limit(job["seconds"])
    began = time.process_time()
    try:
        call = context.eval(PRELUDE)
        context.eval(job["code"])
        call("run", context.eval("typeof handler === 'undefined' ? null : handler"), job["webhook"])
        while call("text") is None and call("error") is None and context.execute_pending_job():
            if time.process_time() - began > job["seconds"]:
                return {"error": "it took too long"}
        text, error, same = call("text"), call("error"), call("same")
    except quickjs.JSException as raised:
        text, error, same = None, str(raised), False
    if isinstance(text, str):
        if len(text) > job["output"]:
            return {"error": f"what it returns is larger than {job['output']} characters"}
        return {"text": text, "same": same is True}
    if isinstance(error, str):
        return {"error": _words(error)}
    return {"error": "the promise that handler returned never comes to an end"}


def _words(said: str) -> str:
    if "interrupted" in said:
        return "it took too long"
    if said in ("null", "undefined", "") or "out of memory" in said:
        return "it needs too much memory"
    return " ".join(said.split())[:500]


def _in_child(job: bytes, filtered: ctypes.Structure | None) -> bytes:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _child(job, writing, filtered)
    os.close(writing)
    try:
        with os.fdopen(reading, "rb") as pipe:
            reply = pipe.read(MAX_JOB)
    finally:
        _, status = os.waitpid(child, 0)
    if not reply or os.waitstatus_to_exitcode(status) != 0:
        return b'{"error": "it needs too much memory or time"}'
    return reply


def _child(job: bytes, writing: int, filtered: ctypes.Structure | None) -> NoReturn:
    code = 1
    try:
        sys.unraisablehook = lambda _: None
        wanted = json.loads(job)
        _confine(wanted["memory"], wanted["seconds"], filtered)
        reply = memoryview(json.dumps(run(wanted)).encode())
        while reply:
            reply = reply[os.write(writing, reply) :]
        code = 0
    finally:
        os._exit(code)


def _confine(memory: int, seconds: float, filtered: ctypes.Structure | None) -> None:
    with open("/proc/self/statm", "rb") if sys.platform == "linux" else open(os.devnull, "rb") as statm:
        pages = statm.read().split()
    if pages:
        most = int(pages[0]) * resource.getpagesize() + memory + SPARE_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    cpu = int(seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    if hasattr(resource, "RLIMIT_NPROC"):
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    os.closerange(0, 3)
    if filtered is not None:
        _LIBC.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
        if _LIBC.prctl(22, 2, ctypes.byref(filtered), 0, 0) != 0:  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
            raise OSError(ctypes.get_errno(), "no filter of system calls can be set")


class _Instruction(ctypes.Structure):
    _fields_ = (("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte), ("k", ctypes.c_uint))


class _Program(ctypes.Structure):
    _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.POINTER(_Instruction)))


_LIBC: Any = ctypes.CDLL(None, use_errno=True)


@cache
def _filter() -> ctypes.Structure | None:
    """A seccomp filter that allows these system calls and fails all others with EPERM; ``None`` if unsupported."""
    known = _ARCHITECTURES.get(platform.machine()) if sys.platform == "linux" else None
    if known is None or _LIBC.prctl(21, 0, 0, 0, 0) < 0:  # PR_GET_SECCOMP
        return None
    audit, calls = known
    load, equal, done = 0x20, 0x15, 0x06
    program = [(load, 0, 0, 4), (equal, 1, 0, audit), (done, 0, 0, 0x80000000), (load, 0, 0, 0)]
    program += [(equal, len(calls) - place, 0, call) for place, call in enumerate(calls)]
    program += [(done, 0, 0, 0x00050001), (done, 0, 0, 0x7FFF0000)]
    instructions = (_Instruction * len(program))(*(_Instruction(*one) for one in program))
    return _Program(len(program), instructions)
