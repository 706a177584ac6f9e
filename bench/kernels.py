"""PyTorch's side of bench/kernels.ts: a line `case dtype direction seconds` in, the fastest call's time in ms out."""
import ctypes
import sys
import time

libc = ctypes.CDLL(None)
# Keep freed memory instead of giving it back: without that a large answer is thousands of page faults each call.
libc.mallopt(-3, 1 << 30)
libc.mallopt(-1, 1 << 30)

import torch
import torch.nn.functional as F

torch.set_num_threads(1)
torch.manual_seed(0)


def workload(case, dtype):
    """A function and its arguments."""
    r = lambda *shape: torch.randn(*shape, dtype=dtype)
    kind, *sizes = case.split("-")
    n = [int(size) for size in sizes]
    if kind == "matmul":
        return F.linear, (r(n[0], n[1]), r(n[2], n[1]))
    if kind == "convolution":
        N, C, S, O = n
        return lambda x, w, b: F.conv2d(x, w, b, padding=1), (r(N, C, S, S), r(O, C, 3, 3), r(O))
    if kind == "batchnorm":
        norm = lambda x, g, b: torch.batch_norm(x, g, b, None, None, True, 0.1, 1e-8, False)
        return norm, (r(*n), r(n[1]), r(n[1]))
    if kind == "maxpool":
        return lambda x: F.max_pool2d(x, 2), (r(*n),)
    if kind == "averagepool":
        return lambda x: F.avg_pool2d(x, 2), (r(*n),)
    if kind == "dropout":
        return lambda x: torch.dropout(x, 0.5, True), (r(*n),)
    T, N, I, H = n
    zeros = torch.zeros(1, N, H, dtype=dtype)
    R = 4 * H if kind == "lstm" else H
    weights = (r(R, I) / 16, r(R, H) / 16, r(R), r(R))
    if kind == "lstm":
        state = (zeros, zeros)
        return lambda x, *w: torch.lstm(x, state, w, True, 1, 0.0, True, False, True)[0], (r(N, T, I), *weights)
    return lambda x, *w: torch.rnn_tanh(x, zeros, w, True, 1, 0.0, True, False, True)[0], (r(N, T, I), *weights)


made = {}


def runner(case, dtype, direction):
    f, tensors = workload(case, {"float32": torch.float32, "float64": torch.float64}[dtype])
    if direction == "forward":

        def forward():
            with torch.inference_mode():
                f(*tensors)

        return forward
    leaves = [x.clone().requires_grad_() for x in tensors]
    dout = torch.randn_like(f(*leaves))
    return lambda: torch.autograd.grad(f(*leaves), leaves, dout)


print(torch.__version__, flush=True)
for line in sys.stdin:
    *key, seconds = line.split()
    run = made.get(line)
    if run is None:
        run = made[line] = runner(*key)
        run()
    times, end = [], time.perf_counter() + float(seconds)
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    print(min(times) * 1e3, flush=True)
