#!/usr/bin/env python3
"""Batchnorm, forward and backward, with only Python's standard library.

    python3 batchnorm.py [http://127.0.0.1:8080]

Prints the results, and exits with 1 if one differs from the value computed by hand.
"""

import json
import math
import sys
import urllib.error
import urllib.request

TIMEOUT_SECONDS = 10

# 4 rows, 2 channels. The means are 1 and 2, the variances 3.5 and 15.5. With epsilon 0.5 the standard deviations are 2
# and 4, and every value below is exact.
FORWARD = {
    "x": [[4, 1], [-1, 8], [0, -3], [1, 2]],
    "gamma": [4, 2],
    "beta": [1, -0.5],
    "epsilon": 0.5,
}
DOUT = [[1, 2], [-2, -1], [3, 0], [0.5, 3]]

EXPECTED_FORWARD = {
    "out": [[7, -1], [-3, 2.5], [-1, -3], [1, -0.5]],
    "mean": [1, 2],
    "var": [3.5, 15.5],
}
EXPECTED_BACKWARD = {
    "dx": [[-0.75, 0.4375], [-4.25, -0.625], [5.25, -0.8125], [-0.25, 1]],
    "dgamma": [2, -2],
    "dbeta": [2.5, 4],
}


def post(url, body):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        # The body says what was wrong, what was received and what was expected: problem details, RFC 9457.
        sys.exit(f"{url}: {error.code} {error.read().decode()}")
    except OSError as error:
        sys.exit(f"{url}: {error}")


def close(value, expected):
    if isinstance(expected, list):
        return isinstance(value, list) and len(value) == len(expected) and all(map(close, value, expected))
    return isinstance(value, (int, float)) and math.isclose(value, expected, rel_tol=1e-9)


def check(answer, expected):
    for name, values in expected.items():
        print(f"{name:7} {answer.get(name)}")
        if not close(answer.get(name), values):
            sys.exit(f"{name} is wrong; expected {values}")


def main(base="http://127.0.0.1:8080"):
    forward = post(f"{base}/batchnorm/forward", FORWARD)
    check(forward, EXPECTED_FORWARD)
    backward = post(f"{base}/batchnorm/backward", {"session": forward["session"], "dout": DOUT, "release": True})
    check(backward, EXPECTED_BACKWARD)


if __name__ == "__main__":
    main(*sys.argv[1:])
