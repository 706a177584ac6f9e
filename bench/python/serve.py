"""
Times Python's side of a benchmark on request: a JSON object a line in, one out.

{"prepare": KEY, "answer": FILE, ...} makes a function of what else the line says, calls it once and writes what it
gives to FILE; {"time": KEY, "seconds": S} calls it for S seconds and answers with nanoseconds of a call;
{"forget": true} lets go of all functions, whose inputs would stay in memory.
"""
import ctypes
import json
import os
import re
import sys
import time

libc = ctypes.CDLL(None)
if hasattr(libc, "mallopt"):
    # Keep freed memory instead of giving it back: without that a large answer is thousands of page faults each call.
    libc.mallopt(-3, 1 << 30)
    libc.mallopt(-1, 1 << 30)


def blas():
    """Which BLAS this process has loaded by now: the reference one is many times as slow as OpenBLAS."""
    try:
        with open("/proc/self/maps") as maps:
            libraries = {os.path.realpath(line.split()[-1]) for line in maps if "/" in line}
    except OSError:
        return "an unknown BLAS"
    for word, name in (("openblas", "OpenBLAS"), ("mkl", "MKL"), ("blis", "BLIS"), ("atlas", "ATLAS")):
        found = [library for library in libraries if word in library.lower()]
        versions = [version for library in found if (version := re.search(r"(\d+\.\d+(\.\d+)?)\.so", library))]
        if found:
            return f"{name} {versions[0][1]}" if versions else name
    return "reference BLAS"


def say(message):
    print(json.dumps(message), flush=True)


def serve(libraries, prepare):
    """`prepare` gives a function, and another that makes bytes of what the first gives."""
    say(libraries)
    runs = {}
    for line in sys.stdin:
        request = json.loads(line)
        if "prepare" in request:
            run, bytes_of = prepare(request)
            runs[request["prepare"]] = run
            with open(request["answer"], "wb") as file:
                file.write(bytes_of(run()))
            say({})
        elif "forget" in request:
            runs.clear()
            say({})
        else:
            say(timed(runs[request["time"]], request["seconds"]))


def timed(run, seconds):
    fastest, calls = float("inf"), 0
    first = before = time.perf_counter_ns()
    while True:
        run()
        calls += 1
        now = time.perf_counter_ns()
        fastest = min(fastest, now - before)
        before = now
        if now - first >= seconds * 1e9:
            return {"fastest": fastest, "average": (now - first) / calls}
