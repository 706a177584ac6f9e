"""
Times the Python side of a benchmark on request: one JSON object per line in, and one out.

{"prepare": KEY, "answer": FILE, ...} creates a function from the other fields, calls it once and writes its result to
FILE; {"time": KEY, "seconds": S} calls it for S seconds and answers with the nanoseconds per call; {"forget": true}
releases all functions and their inputs.
"""
import ctypes
import json
import os
import re
import sys
import time

libc = ctypes.CDLL(None)
if hasattr(libc, "mallopt"):
    # Keep freed memory instead of returning it: otherwise, each call with a large answer causes thousands of page
    # faults.
    libc.mallopt(-3, 1 << 30)
    libc.mallopt(-1, 1 << 30)


def blas():
    """The BLAS that this process has loaded. The reference BLAS is many times slower than OpenBLAS."""
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
    """`prepare` returns the function to time, and a function that converts its result to bytes."""
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
