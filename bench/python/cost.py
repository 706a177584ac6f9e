"""NumPy's and PyTorch's side of bench/cost.ts: batchnorm from a JSON body to the bytes of a JSON answer."""
import numpy as np

from serve import serve

try:
    import ujson as json

    name = "ujson"
except ImportError:
    import json

    name = "json"
libraries = {"NumPy": f"{np.__version__} with {name}"}
try:
    import torch

    torch.set_num_threads(1)
    libraries["PyTorch"] = f"{torch.__version__} with {name}"
except ImportError:
    pass

EPSILON = 1e-8


def with_numpy(body):
    fields = json.loads(body)
    x, gamma, beta = (np.asarray(fields[name]) for name in ("x", "gamma", "beta"))
    mean, var = x.mean(0), x.var(0)
    out = (x - mean) * (gamma / np.sqrt(var + EPSILON)) + beta
    return json.dumps({"out": out.tolist(), "mean": mean.tolist(), "var": var.tolist()}).encode()


def with_torch(body):
    fields = json.loads(body)
    x, gamma, beta = (torch.tensor(fields[name], dtype=torch.float64) for name in ("x", "gamma", "beta"))
    out, mean, rstd = torch.native_batch_norm(x, gamma, beta, None, None, True, 0.1, EPSILON)
    var = rstd**-2 - EPSILON
    # Through NumPy, because its `tolist` is faster than that of PyTorch.
    return json.dumps({key: value.numpy().tolist() for key, value in (("out", out), ("mean", mean), ("var", var))}).encode()


def prepare(request):
    with open(request["body"], "rb") as file:
        body = file.read()
    f = {"NumPy": with_numpy, "PyTorch": with_torch}[request["library"]]
    return lambda: f(body), lambda answer: answer


serve(libraries, prepare)
