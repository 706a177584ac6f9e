"""Each layer's forward written out with explicit loops in numpy: generate.py compares PyTorch with it.

Slow and plain on purpose, and independent of PyTorch. Every function accepts the tensors and options of a
request and returns the outputs by name. All of it also works on complex tensors, because generate.py
differentiates it by complex steps; comparisons therefore use the real part.

Dimensions: N batch, C channels, O output channels, T time steps, I input features, H hidden features.
"""
import itertools
import math

import numpy as np


def per_axis(option, axes):
    return [option] * axes if isinstance(option, int) else list(option)


def pad_pairs(padding, sizes, kernel, stride, dilation):
    """(before, after) for each axis."""
    if padding == "valid":
        return [(0, 0) for _ in sizes]
    if padding in ("same", "same_lower"):
        pairs = []
        for size, k, s, d in zip(sizes, kernel, stride, dilation):
            windows = math.ceil(size / s)
            total = max((windows - 1) * s + d * (k - 1) + 1 - size, 0)
            small, large = total // 2, total - total // 2
            pairs.append((small, large) if padding == "same" else (large, small))
        return pairs
    return [(p, p) if isinstance(p, int) else tuple(p) for p in per_axis(padding, len(sizes))]


def batchnorm(t, training=True, epsilon=1e-8, momentum=0.1):
    x = t["x"]
    C = x.shape[1]
    count = x.size // C
    dtype = np.result_type(*t.values())
    answers = {"out": np.empty(x.shape, dtype), "mean": np.empty(C, dtype), "var": np.empty(C, dtype)}
    tracked = "running_mean" in t
    if tracked:
        answers["running_mean"], answers["running_var"] = t["running_mean"].astype(dtype), t["running_var"].astype(dtype)
    for c in range(C):
        values = x[:, c]
        if training:
            mean = values.sum() / count
            var = ((values - mean) ** 2).sum() / count
            if tracked:
                answers["running_mean"][c] = (1 - momentum) * t["running_mean"][c] + momentum * mean
                answers["running_var"][c] = (1 - momentum) * t["running_var"][c] + momentum * var * count / (count - 1)
        else:
            mean, var = t["running_mean"][c], t["running_var"][c]
        gamma = t["gamma"][c] if "gamma" in t else 1
        beta = t["beta"][c] if "beta" in t else 0
        answers["out"][:, c] = gamma * (values - mean) / np.sqrt(var + epsilon) + beta
        answers["mean"][c], answers["var"][c] = mean, var
    return answers


def window_at(position, stride, kernel, dilation):
    """The slice of every spatial axis that the window at an output position covers."""
    return tuple(slice(p * s, p * s + d * (k - 1) + 1, d) for p, s, k, d in zip(position, stride, kernel, dilation))


def convolution(t, stride=1, padding=0, dilation=1, groups=1, transposed=False, output_padding=0):
    x, weight = t["x"], t["weight"]
    N, C, *sizes = x.shape
    kernel, axes = weight.shape[2:], len(sizes)
    stride, dilation, extra = per_axis(stride, axes), per_axis(dilation, axes), per_axis(output_padding, axes)
    pairs = pad_pairs(padding, sizes, kernel, stride, dilation)
    O = weight.shape[1] * groups if transposed else weight.shape[0]
    C_group, O_group = C // groups, O // groups
    dtype = np.result_type(*t.values())

    if transposed:
        whole = [(n - 1) * s + d * (k - 1) + 1 + e for n, s, d, k, e in zip(sizes, stride, dilation, kernel, extra)]
        out = np.zeros((N, O, *whole), dtype)
        for n, c, position in itertools.product(range(N), range(C), np.ndindex(*sizes)):
            o = c // C_group * O_group
            out[(n, slice(o, o + O_group), *window_at(position, stride, kernel, dilation))] += x[(n, c, *position)] * weight[c]
        out = out[(..., *(slice(before, size - after) for (before, after), size in zip(pairs, whole)))]
    else:
        x = np.pad(x, [(0, 0), (0, 0), *pairs])
        counts = [(n - d * (k - 1) - 1) // s + 1 for n, d, k, s in zip(x.shape[2:], dilation, kernel, stride)]
        out = np.empty((N, O, *counts), dtype)
        for n, o, position in itertools.product(range(N), range(O), np.ndindex(*counts)):
            c = o // O_group * C_group
            out[(n, o, *position)] = (x[(n, slice(c, c + C_group), *window_at(position, stride, kernel, dilation))] * weight[o]).sum()
    if "bias" in t:
        out = out + t["bias"].reshape(-1, *[1] * axes)
    return {"out": out}


def dropout(t, rate=0.5, training=True, scaling="inverted", seed=None):
    """Only cases that do not depend on a random mask: inference, rate 0 and rate 1."""
    assert not training or rate in (0, 1), "the mask decides"
    if training:
        return {"out": t["x"] * (1 - rate)}
    return {"out": t["x"] if scaling == "inverted" else t["x"] * (1 - rate)}


def linear(t):
    x, weight = t["x"], t["weight"]
    O = weight.shape[0]
    out = np.empty((*x.shape[:-1], O), np.result_type(*t.values()))
    for row in np.ndindex(*x.shape[:-1]):
        for o in range(O):
            out[(*row, o)] = (x[row] * weight[o]).sum() + (t["bias"][o] if "bias" in t else 0)
    return {"out": out}


def pooling(t, mode, kernel_size=None, stride=None, padding=0, dilation=1, ceil_mode=False, count_include_pad=True,
            return_indices=False, **flags):
    x = t["x"]
    N, C, *sizes = x.shape
    axes = len(sizes)
    kernel = sizes if flags.get("global") else per_axis(kernel_size, axes)
    stride, dilation = per_axis(kernel if stride is None else stride, axes), per_axis(dilation, axes)
    pairs = pad_pairs(padding, sizes, kernel, stride, dilation)
    counts = []
    for size, (before, after), k, s, d in zip(sizes, pairs, kernel, stride, dilation):
        room = size + before + after - d * (k - 1) - 1
        count = (math.ceil(room / s) if ceil_mode else room // s) + 1
        if (count - 1) * s >= size + before:
            count -= 1
        counts.append(count)

    out, indices = np.empty((N, C, *counts), x.dtype), np.empty((N, C, *counts), np.int64)
    for n, c, position in itertools.product(range(N), range(C), np.ndindex(*counts)):
        best, best_index, total, taps_in_input, taps_in_padded = None, None, 0, 0, 0
        for tap in np.ndindex(*kernel):
            place = [p * s - before + k * d for p, s, (before, _), k, d in zip(position, stride, pairs, tap, dilation)]
            if all(-before <= i < size + after for i, size, (before, after) in zip(place, sizes, pairs)):
                taps_in_padded += 1
            if not all(0 <= i < size for i, size in zip(place, sizes)):
                continue
            value = x[(n, c, *place)]
            taps_in_input += 1
            total += value
            if best is None or value.real > best.real:
                best, best_index = value, np.ravel_multi_index(place, sizes)
        assert taps_in_input > 0, "a window lies wholly in the padding: its result is not defined"
        if mode == "max":
            out[(n, c, *position)], indices[(n, c, *position)] = best, best_index
        else:
            out[(n, c, *position)] = total / (taps_in_padded if count_include_pad else taps_in_input)
    return {"out": out, "indices": indices} if return_indices else {"out": out}


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def relu(z):
    # The derivative at 0 is a convention; no case may depend on it, not even in float32.
    assert (np.abs(z.real) > 1e-4).all(), "a pre-activation is too close to relu's kink"
    return np.where(z.real > 0, z, 0)


def recurrent(t, step, states, direction, sequence_lengths, time_major):
    """Runs step(x, state, parameters) along time, one sequence at a time; states names h (and c)."""
    dtype = np.result_type(*t.values())
    x = t["x"].swapaxes(0, 1) if time_major else t["x"]
    N, T, _ = x.shape
    H = t["weight_hh"].shape[-1]
    passes = {"forward": ["forward"], "reverse": ["reverse"], "bidirectional": ["forward", "reverse"]}[direction]
    out = np.zeros((N, T, len(passes) * H), dtype)
    final = {s: np.zeros((len(passes), N, H), dtype) for s in states}
    for p, way in enumerate(passes):
        own = {name: tensor[p] if direction == "bidirectional" else tensor for name, tensor in t.items() if name != "x"}
        bias = own.get("bias_ih", 0) + own.get("bias_hh", 0)
        for n in range(N):
            steps = range(sequence_lengths[n] if sequence_lengths else T)
            state = [own[f"{s}0"][n] if f"{s}0" in own else np.zeros(H) for s in states]
            for time in steps if way == "forward" else reversed(steps):
                z = own["weight_ih"] @ x[n, time] + own["weight_hh"] @ state[0] + bias
                state = step(z, state)
                out[n, time, p * H:(p + 1) * H] = state[0]
            for s, value in zip(states, state):
                final[s][p, n] = value
    answers = {"out": out.swapaxes(0, 1) if time_major else out}
    for s in states:
        answers[f"{s}_n"] = final[s] if direction == "bidirectional" else final[s][0]
    return answers


def rnn(t, nonlinearity="tanh", direction="forward", sequence_lengths=None, time_major=False):
    f = {"tanh": np.tanh, "relu": relu}[nonlinearity]
    return recurrent(t, lambda z, state: [f(z)], ["h"], direction, sequence_lengths, time_major)


def lstm(t, direction="forward", sequence_lengths=None, time_major=False):
    def step(z, state):
        i, f, g, o = np.split(z, 4)
        c = sigmoid(f) * state[1] + sigmoid(i) * np.tanh(g)
        return [sigmoid(o) * np.tanh(c), c]
    return recurrent(t, step, ["h", "c"], direction, sequence_lengths, time_major)


FORWARD = {"batchnorm": batchnorm, "convolution": convolution, "dropout": dropout, "linear": linear,
           "lstm": lstm, "pooling": pooling, "rnn": rnn}
