#!/usr/bin/env python3
"""A handwritten batchnorm with a mistake, and the diagnosis of the service. Uses only the standard library.

    python3 batchnorm.py [http://127.0.0.1:8080] [mended]

Prints the diagnosis of every tensor; `mended` checks the same code without the mistake. Exits with 1 if the
service does not answer.
"""

import json
import math
import sys
import urllib.error
import urllib.request

TIMEOUT_SECONDS = 10


def batchnorm(x, gamma, beta, epsilon, dout, mended):
    """x[n][c][s] and dout likewise; returns out, dx, dgamma, dbeta."""
    N, C, S = len(x), len(x[0]), len(x[0][0])
    m = N * S
    out = [[[0.0] * S for _ in range(C)] for _ in range(N)]
    dx = [[[0.0] * S for _ in range(C)] for _ in range(N)]
    dgamma, dbeta = [0.0] * C, [0.0] * C
    for c in range(C):
        places = [(n, s) for n in range(N) for s in range(S)]
        mean = sum(x[n][c][s] for n, s in places) / m
        var = sum((x[n][c][s] - mean) ** 2 for n, s in places) / m
        rstd = 1 / math.sqrt(var + epsilon)
        hat = {(n, s): (x[n][c][s] - mean) * rstd for n, s in places}
        for n, s in places:
            out[n][c][s] = gamma[c] * hat[n, s] + beta[c]
            dbeta[c] += dout[n][c][s]
            dgamma[c] += dout[n][c][s] * hat[n, s]
        for n, s in places:
            # The mistake: the batch statistics depend on x, but their paths are missing here.
            dx[n][c][s] = gamma[c] * rstd * dout[n][c][s]
            if mended:
                dx[n][c][s] = gamma[c] * rstd * (dout[n][c][s] - dbeta[c] / m - hat[n, s] * dgamma[c] / m)
    return {"out": out, "dx": dx, "dgamma": dgamma, "dbeta": dbeta}


def ask(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        # The body says what was wrong, what was received and what was expected: problem details, RFC 9457.
        sys.exit(f"{url}: {error.code} {error.read().decode()}")
    except OSError as error:
        sys.exit(f"{url}: {error}")


def main(base="http://127.0.0.1:8080", variant=""):
    # An input on which all known mistakes produce different results.
    case = ask(f"{base}/batchnorm/check/case?seed=1")
    forward, backward = case["forward"], case["backward"]
    given = {name: forward[name] for name in ("x", "gamma", "beta", "epsilon")}
    claims = batchnorm(**given, dout=backward["dout"], mended=variant == "mended")
    verdict = ask(f"{base}/batchnorm/check", {"forward": forward, "backward": backward, "claims": claims})
    for name, tensor in verdict["tensors"].items():
        print(f"{name:7}{'right' if tensor['pass'] else 'wrong'}")
        for found in tensor["diagnosis"]:
            print(f"       {found['id']}: {found['explanation']}")
            print(f"       instead: {found['fix']}")


if __name__ == "__main__":
    main(*sys.argv[1:])
