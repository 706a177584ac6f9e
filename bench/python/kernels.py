"""NumPy's and PyTorch's side of bench/kernels.ts, on one thread."""
import numpy as np

from serve import blas, serve

np.ones((64, 64)) @ np.ones((64, 64))
libraries = {"NumPy": f"{np.__version__} on {blas()}"}
try:
    import torch
    import torch.nn.functional as F

    torch.set_num_threads(1)
    torch.ones(64, 64) @ torch.ones(64, 64)
    libraries["PyTorch"] = f"{torch.__version__} on {blas()}"
except ImportError:
    pass


def function_of(layer, options, dtype, shapes):
    """The layer as a function of its tensors, in the order of their names in the request."""
    if layer == "linear":
        return F.linear
    if layer == "convolution":
        return lambda x, w, b: F.conv2d(x, w, b, padding=options["padding"])
    if layer == "batchnorm":
        return lambda x, g, b: torch.batch_norm(x, g, b, None, None, True, 0.1, options["epsilon"], False)
    if layer == "pooling":
        pool = F.max_pool2d if options["mode"] == "max" else F.avg_pool2d
        return lambda x: pool(x, options["kernel_size"])
    if layer == "dropout":
        return lambda x: torch.dropout(x, options["rate"], True)
    zeros = torch.zeros(1, shapes["x"][0], shapes["weight_hh"][1], dtype=dtype)
    if layer == "lstm":
        return lambda x, *w: torch.lstm(x, (zeros, zeros), w, True, 1, 0.0, True, False, True)[0]
    return lambda x, *w: torch.rnn_tanh(x, zeros, w, True, 1, 0.0, True, False, True)[0]


def prepare(request):
    """The inputs are stored in one file, one after the other."""
    dtype = np.dtype(request["dtype"])
    data, at, arrays = np.fromfile(request["inputs"], dtype), 0, {}
    for name, shape in request["shapes"].items():
        size = int(np.prod(shape))
        arrays[name] = data[at : at + size].reshape(shape)
        at += size
    if request["library"] == "NumPy":
        a, b = arrays.values()
        out = np.empty((a.shape[0], b.shape[0]), dtype)
        return lambda: np.matmul(a, b.T, out=out), lambda answer: answer.tobytes()

    tensors = {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}
    dout = tensors.pop("dout")
    f = function_of(request["layer"], request["options"], dout.dtype, request["shapes"])
    bytes_of = lambda answers: b"".join(answer.contiguous().numpy().tobytes() for answer in answers)
    if request["direction"] == "forward":
        inputs = tuple(tensors.values())

        def forward():
            with torch.inference_mode():
                return (f(*inputs),)

        return forward, bytes_of
    leaves = [tensor.requires_grad_() for tensor in tensors.values()]
    return lambda: torch.autograd.grad(f(*leaves), leaves, dout), bytes_of


serve(libraries, prepare)
