"""Computes the reference values of test/reference/*.json with PyTorch. Run by hand; see README.md.

For every case of cases.py, the forward pass is computed by torch's own layer, and the gradients by autograd for a
random upstream gradient. A case is written only after it has been checked against definitions.py, which does not use
torch: the outputs are compared element by element, and each gradient by complex steps in random directions, which are
exact up to rounding: Im L(x + i h v) / h = <dL/dx, v>, with an h so small that nothing cancels.
"""
import importlib
import itertools
import json
import math
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import cases
import definitions
from definitions import per_axis

DIRECTIONS = 3      # random directions in which every gradient is checked
STEP = 1e-30        # of the complex differences; only its square must vanish beside 1
# Largest accepted difference from the definition, relative to the largest magnitude in the tensor: rounding of
# float64, times the condition of the worst case (batchnorm with a mean 1e5 times its deviation).
FLOAT64_TOLERANCE = 1e-10
FLOAT32_TOLERANCE = 2e-5
FLOOR = 1e-3        # least magnitude that errors are relative to, for gradients that nearly vanish


def same_pads(lower, size, k, s, d):
    """(before, after) such that the output has ceil(size / s) positions; odd padding goes after, or before if lower."""
    total = max((-(-size // s) - 1) * s + d * (k - 1) + 1 - size, 0)
    half = total // 2
    return (total - half, half) if lower else (half, total - half)


def resolve_padding(padding, sizes, kernel, stride, dilation):
    if padding == "valid":
        return [(0, 0)] * len(sizes)
    if padding in ("same", "same_lower"):
        return [same_pads(padding == "same_lower", *axis) for axis in zip(sizes, kernel, stride, dilation)]
    return [(p, p) if isinstance(p, int) else tuple(p) for p in per_axis(padding, len(sizes))]


def for_torch_pad(pairs):
    """F.pad counts axes from the last."""
    return [side for pair in reversed(pairs) for side in pair]


def batchnorm(t, training=True, epsilon=1e-8, momentum=0.1):
    x = t["x"]
    running = {name: t[name].detach().clone() for name in ("running_mean", "running_var") if name in t}
    if training:
        others = [axis for axis in range(x.dim()) if axis != 1]
        mean, var = x.mean(others), x.var(others, unbiased=False)
    else:
        mean, var = t["running_mean"], t["running_var"]
    out = F.batch_norm(x, running.get("running_mean"), running.get("running_var"), t.get("gamma"), t.get("beta"),
                       training, momentum, epsilon)      # updates the running tensors in place
    return {"out": out, "mean": mean, "var": var, **running}


def convolution(t, stride=1, padding=0, dilation=1, groups=1, transposed=False, output_padding=0):
    x, weight, bias = t["x"], t["weight"], t.get("bias")
    axes = x.dim() - 2
    stride, dilation, extra = per_axis(stride, axes), per_axis(dilation, axes), per_axis(output_padding, axes)
    pairs = resolve_padding(padding, x.shape[2:], weight.shape[2:], stride, dilation)
    symmetric = all(before == after for before, after in pairs)
    if transposed:
        run = [F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d][axes - 1]
        if symmetric:
            return {"out": run(x, weight, bias, stride, [before for before, _ in pairs], extra, groups, dilation)}
        out = run(x, weight, bias, stride, 0, extra, groups, dilation)
        for axis, (before, after) in enumerate(pairs, start=2):
            out = out.narrow(axis, before, out.shape[axis] - before - after)
        return {"out": out}
    run = [F.conv1d, F.conv2d, F.conv3d][axes - 1]
    if symmetric:
        out = run(x, weight, bias, stride, [before for before, _ in pairs], dilation, groups)
    else:
        out = run(F.pad(x, for_torch_pad(pairs)), weight, bias, stride, 0, dilation, groups)
    if padding == "same" and all(s == 1 for s in stride):
        torch.testing.assert_close(out, run(x, weight, bias, 1, "same", dilation, groups))
    return {"out": out}


def dropout(t, rate=0.5, training=True, scaling="inverted", seed=None):
    """The formulas, for rates that determine the mask: torch lacks test-time scaling and has another generator."""
    x = t["x"]
    if not training:
        return {"out": x * 1 if scaling == "inverted" else x * (1 - rate)}
    mask = {0: torch.ones_like(x), 1: torch.zeros_like(x)}[rate]
    scale = 1 / (1 - rate) if scaling == "inverted" and rate < 1 else 1
    return {"out": x * mask * scale}


def linear(t):
    return {"out": F.linear(t["x"], t["weight"], t.get("bias"))}


def pooling(t, mode, kernel_size=None, stride=None, padding=0, dilation=1, ceil_mode=False, count_include_pad=True,
            return_indices=False, **flags):
    x = t["x"]
    sizes = x.shape[2:]
    axes = len(sizes)
    kernel = list(sizes) if flags.get("global") else per_axis(kernel_size, axes)
    stride, dilation = per_axis(kernel if stride is None else stride, axes), per_axis(dilation, axes)
    pairs = resolve_padding(padding, sizes, kernel, stride, dilation)
    assert all(2 * max(pair) <= d * (k - 1) + 1 for pair, d, k in zip(pairs, dilation, kernel)), "layerd refuses this pad"
    out, indices = gather_pooling(x, mode, kernel, stride, pairs, dilation, ceil_mode, count_include_pad)

    # This version of torch supports only even padding of at most half a kernel before dilation, and no dilated
    # averages.
    native = all(before == after <= k // 2 for (before, after), k in zip(pairs, kernel))
    if native and (mode == "max" or all(d == 1 for d in dilation)):
        pads = [before for before, _ in pairs]
        gathered, gathered_indices = out, indices
        if mode == "max":
            run = [F.max_pool1d, F.max_pool2d, F.max_pool3d][axes - 1]
            out, indices = run(x, kernel, stride, pads, dilation, ceil_mode, return_indices=True)
            assert torch.equal(indices, gathered_indices)
        else:
            run = [F.avg_pool1d, F.avg_pool2d, F.avg_pool3d][axes - 1]
            out = run(x, kernel, stride, pads, ceil_mode, count_include_pad)
        upstream = torch.randn(out.shape, dtype=out.dtype)
        torch.testing.assert_close(gathered, out)
        torch.testing.assert_close(*(torch.autograd.grad(y, x, upstream, retain_graph=True)[0] for y in (gathered, out)))
    return {"out": out, "indices": indices} if return_indices else {"out": out}


def gather_pooling(x, mode, kernel, stride, pairs, dilation, ceil_mode, count_include_pad):
    """Pooling tap by tap: for options that torch's own pooling lacks; equal to it for the others."""
    sizes = x.shape[2:]
    counts = []
    for size, k, s, (before, after), d in zip(sizes, kernel, stride, pairs, dilation):
        room = size + before + after - d * (k - 1) - 1
        count = (math.ceil(room / s) if ceil_mode else room // s) + 1
        counts.append(count - 1 if (count - 1) * s >= size + before else count)

    best = torch.full((*x.shape[:2], *counts), -math.inf, dtype=x.dtype)
    indices = torch.full(best.shape, -1)
    total = torch.zeros_like(best)
    divisor = torch.zeros(counts, dtype=x.dtype)
    for tap in itertools.product(*map(range, kernel)):
        value, index = x, torch.zeros((), dtype=torch.long)
        in_input, in_padded = torch.ones(counts, dtype=torch.bool), torch.ones(counts, dtype=torch.bool)
        for axis, (size, k, s, (before, after), d) in enumerate(zip(sizes, tap, stride, pairs, dilation)):
            place = torch.arange(counts[axis]) * s - before + k * d
            along = [-1 if other == axis else 1 for other in range(len(sizes))]
            value = value.index_select(axis + 2, place.clamp(0, size - 1))
            index = index * size + place.reshape(along)
            in_input = in_input & ((place >= 0) & (place < size)).reshape(along)
            in_padded = in_padded & (place < size + after).reshape(along)
        wins = in_input & (value > best)                 # strictly: the first of equal maxima stays
        best, indices = torch.where(wins, value, best), torch.where(wins, index, indices)
        total = total + torch.where(in_input, value, torch.zeros((), dtype=x.dtype))
        divisor += in_padded if count_include_pad else in_input
    return (best, indices) if mode == "max" else (total / divisor, None)


def recurrent(module_class, t, states, direction, sequence_lengths, time_major, **kind):
    """Runs nn.RNN or nn.LSTM with the case's weights in place of its own.

    A reverse pass by itself is the second half of a bidirectional module whose first half has zero weights.
    A missing bias is zeros, because torch accepts both biases or neither.
    """
    x = t["x"]
    T, N, _ = x.shape if time_major else (x.shape[1], x.shape[0], None)
    H = t["weight_hh"].shape[-1]
    both_ways = direction == "bidirectional"
    halves = 1 if direction == "forward" else 2

    def half(name, h):
        tensor = t.get(name)
        if tensor is None:
            return None
        if both_ways:
            return tensor[h]
        return tensor if direction == "forward" or h == 1 else torch.zeros_like(tensor)

    module = module_class(x.shape[-1], H, batch_first=not time_major, bidirectional=halves == 2, **kind).to(x.dtype)
    for h, name in itertools.product(range(halves), ("weight_ih", "weight_hh", "bias_ih", "bias_hh")):
        attribute = f"{name}_l0" + ("_reverse" if h else "")
        own = getattr(module, attribute)
        value = half(name, h)
        delattr(module, attribute)                       # a parameter cannot be replaced by a plain tensor, only removed
        setattr(module, attribute, torch.zeros_like(own) if value is None else value)

    initial = []
    for s in states:
        given = [half(f"{s}0", h) for h in range(halves)]
        initial.append(torch.stack([torch.zeros(N, H, dtype=x.dtype) if g is None else g for g in given]))
    initial = tuple(initial) if len(states) > 1 else initial[0]
    if sequence_lengths is None:
        out, final = module(x, initial)
    else:
        packed = pack_padded_sequence(x, torch.tensor(sequence_lengths), batch_first=not time_major, enforce_sorted=False)
        out, final = module(packed, initial)
        out, _ = pad_packed_sequence(out, batch_first=not time_major, total_length=T)
    final = final if len(states) > 1 else (final,)

    answers = {"out": out[..., H:] if direction == "reverse" else out}
    for s, value in zip(states, final):
        answers[f"{s}_n"] = value if both_ways else value[-1]
    return answers


def rnn(t, nonlinearity="tanh", direction="forward", sequence_lengths=None, time_major=False):
    return recurrent(nn.RNN, t, ["h"], direction, sequence_lengths, time_major, nonlinearity=nonlinearity)


def lstm(t, direction="forward", sequence_lengths=None, time_major=False):
    return recurrent(nn.LSTM, t, ["h", "c"], direction, sequence_lengths, time_major)


FORWARD = {"batchnorm": batchnorm, "convolution": convolution, "dropout": dropout, "linear": linear,
           "lstm": lstm, "pooling": pooling, "rnn": rnn}
# For a layer in a separate file, the file has all three parts: its cases, its forward pass in torch, its definition.
for path in sorted(Path(__file__).parent.glob("layers/*.py")):
    own = importlib.import_module(f"layers.{path.stem}")
    cases.CASES[path.stem], FORWARD[path.stem], definitions.FORWARD[path.stem] = own.cases, own.forward, own.definition
WITHOUT_GRADIENT = {"running_mean", "running_var"}


def answer_name(upstream):
    """dout is the gradient of out, dh_n that of h_n."""
    return upstream[1:]


def run(case, dtype, upstream=None, inputs=None):
    """Forward and backward in torch, in the given dtype. Returns inputs, answers, upstream, gradients as numpy arrays."""
    if inputs is None:
        inputs = {name: tensor.astype(dtype) for name, tensor in case.tensors.items()}
    t = {name: torch.tensor(tensor, dtype=getattr(torch, dtype), requires_grad=name not in WITHOUT_GRADIENT)
         for name, tensor in inputs.items()}
    answers = FORWARD[case.layer](t, **case.options)
    if upstream is None:
        rng = case.random("upstream")
        shapes = {name: tuple(answers[answer_name(name)].shape) for name in case.upstream}
        upstream = {name: cases.draw(rng, shape).astype(dtype) for name, shape in shapes.items()}
    wanted = [name for name in t if t[name].requires_grad]
    gradients = torch.autograd.grad([answers[answer_name(name)] for name in upstream], [t[name] for name in wanted],
                                    [torch.tensor(u, dtype=getattr(torch, dtype)) for u in upstream.values()])
    return (inputs, {name: a.detach().numpy() for name, a in answers.items()}, upstream,
            {f"d{name}": g.numpy() for name, g in zip(wanted, gradients)})


def relative_error(actual, expected):
    """The largest difference, relative to the largest magnitude expected (to FLOOR, if everything is smaller)."""
    assert actual.shape == expected.shape, f"{actual.shape} is not {expected.shape}"
    assert np.isfinite(actual).all() and np.isfinite(expected).all()
    return np.abs(actual - expected).max() / max(FLOOR, np.abs(expected).max())


def check_against_definition(case, inputs, answers, upstream, gradients):
    """Returns the largest relative error of the answers and of the gradients."""
    define = definitions.FORWARD[case.layer]
    expected = define(inputs, **case.options)
    assert answers.keys() == expected.keys(), case.name
    answer_error = max(relative_error(answers[name], expected[name]) for name in answers)

    gradient_error = 0
    rng = case.random("directions")
    for name, gradient in gradients.items():
        assert gradient.shape == inputs[name[1:]].shape, case.name
        for _ in range(DIRECTIONS):
            v = rng.standard_normal(gradient.shape)
            moved = define({**inputs, name[1:]: inputs[name[1:]] + 1j * STEP * v}, **case.options)
            derivative = sum((upstream[u] * moved[answer_name(u)].imag / STEP).sum() for u in upstream)
            scale = max(FLOOR, np.abs(gradient * v).sum())
            gradient_error = max(gradient_error, abs(derivative - (gradient * v).sum()) / scale)
    return answer_error, gradient_error


def number(value):
    """The shortest decimal that reads back to the same value of its dtype. A negative zero is written as zero."""
    if isinstance(value, np.integer):
        return str(int(value))
    assert math.isfinite(value)
    text = str(value + value.dtype.type(0))
    return text[:-2] if text.endswith(".0") else text


def tensor_json(tensor):
    if isinstance(tensor, np.ndarray):
        return "[" + ",".join(tensor_json(row) for row in tensor) + "]"
    return number(tensor)


def tensors_json(tensors):
    return "{" + ",".join(f'"{name}":{tensor_json(tensor)}' for name, tensor in tensors.items()) + "}"


def case_json(case, dtype, inputs, answers, upstream, gradients):
    options = json.dumps(case.options, separators=(",", ":"))
    forward = tensors_json(inputs)
    if case.options:
        forward = options[:-1] + "," + forward[1:]
    return (f'{{"name":{json.dumps(case.name)},"dtype":"{dtype}","forward":{forward},"answers":{tensors_json(answers)},'
            f'"backward":{tensors_json(upstream)},"gradients":{tensors_json(gradients)}}}')


def main():
    torch.manual_seed(cases.SEED)
    torch.set_num_threads(1)
    warnings.simplefilter("error", np.ComplexWarning)   # a definition that loses the imaginary step
    warnings.filterwarnings("ignore", "Using padding='same'")     # of the copy that torch makes, as this script does
    total_bytes = 0
    print(f"torch {torch.__version__}, numpy {np.__version__}, seed {cases.SEED}")
    print("layer         cases  float64  float32     bytes   answers  gradients  float32   (largest relative errors)")
    for layer in sys.argv[1:] or sorted(FORWARD):
        lines, worst = [], {"answers": 0, "gradients": 0, "float32": 0}
        count = {"float64": 0, "float32": 0}
        for case in cases.of(layer):
            for dtype in case.dtypes:
                inputs, answers, upstream, gradients = run(case, dtype)
                # The same values in float64, with which both the definition and float32 are compared.
                wide = lambda tensors: {name: t.astype("float64") for name, t in tensors.items()}
                _, exact_answers, _, exact_gradients = run(case, "float64", wide(upstream), wide(inputs))
                if dtype == "float64":
                    errors = check_against_definition(case, inputs, answers, upstream, gradients)
                    assert max(errors) < FLOAT64_TOLERANCE, f"{layer}: {case.name}: {errors}"
                    worst["answers"], worst["gradients"] = max(worst["answers"], errors[0]), max(worst["gradients"], errors[1])
                else:
                    pairs = [(answers[name], exact_answers[name]) for name in answers]
                    pairs += [(gradients[name], exact_gradients[name]) for name in gradients]
                    error = max(relative_error(*pair) for pair in pairs)
                    assert error < FLOAT32_TOLERANCE, f"{layer}: {case.name}: {error}"
                    worst["float32"] = max(worst["float32"], error)
                lines.append(case_json(case, dtype, inputs, answers, upstream, gradients))
                count[dtype] += 1
        head = {"generator": "test/reference/generate.py", "torch": torch.__version__, "numpy": np.__version__, "seed": cases.SEED}
        text = json.dumps(head)[:-1] + ', "cases": [\n' + ",\n".join(lines) + "\n]}\n"
        assert json.loads(text)["cases"]
        Path(__file__).with_name(f"{layer}.json").write_text(text)
        total_bytes += len(text)
        print(f"{layer:12} {len(lines):6} {count['float64']:8} {count['float32']:8} {len(text):9}"
              f"   {worst['answers']:.1e}  {worst['gradients']:.1e}    {worst['float32']:.1e}")
    print(f"{total_bytes} bytes in all")


if __name__ == "__main__":
    main()
