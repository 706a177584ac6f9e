"""The configurations whose reference values generate.py computes: the combinations of options, layer by layer.

A case draws its numbers from a generator seeded by SEED, its layer and its name, so that adding a case changes no
other. Inputs are rounded to 3 decimals before anything is computed, to be short in JSON.

Dimensions: N batch, C channels, O output channels, T time steps, I input features, H hidden features.
"""
import itertools
import zlib
from dataclasses import dataclass

import numpy as np

SEED = 20240229
BOTH = ("float64", "float32")
FLOAT64 = ("float64",)


@dataclass
class Case:
    layer: str
    name: str
    tensors: dict
    options: dict
    upstream: tuple = ("dout",)
    dtypes: tuple = BOTH

    def random(self, purpose):
        return random(self.layer, self.name, purpose)


def random(layer, name, purpose):
    return np.random.default_rng([SEED, *(zlib.crc32(part.encode()) for part in (layer, name, purpose))])


def draw(rng, shape, scale=1.0, offset=0.0, decimals=3):
    return np.round(offset + scale * rng.standard_normal(shape), decimals)


def of(layer):
    found = list(CASES[layer]())
    names = [case.name for case in found]
    assert len(set(names)) == len(names), [name for name in names if names.count(name) > 1]
    assert len(found) >= 32 and 2 * sum("float32" in case.dtypes for case in found) >= len(found)
    return found


# batchnorm

def batchnorm(name, shape, given="", scale=1.0, offset=0.0, decimals=3, dtypes=BOTH, x=None, **options):
    rng = random("batchnorm", name, "inputs")
    C = shape[1]
    tensors = {"x": draw(rng, shape, scale, offset, decimals) if x is None else x}
    for tensor in given.split():
        if tensor == "running":
            tensors["running_mean"] = draw(rng, C, offset=offset)
            tensors["running_var"] = np.round(0.3 + np.abs(rng.standard_normal(C)), 3)
        else:
            tensors[tensor] = draw(rng, C)
    return Case("batchnorm", name, tensors, options, dtypes=dtypes)


def batchnorm_cases():
    shapes = {2: (5, 3), 3: (3, 2, 4), 4: (2, 3, 2, 3), 5: (2, 2, 2, 1, 3)}
    for rank, shape in shapes.items():
        yield batchnorm(f"rank {rank}, x alone, every option at its default", shape)
        yield batchnorm(f"rank {rank}, training with gamma", shape, "gamma")
        yield batchnorm(f"rank {rank}, training with beta", shape, "beta", training=True)
        yield batchnorm(f"rank {rank}, training with gamma, beta and running statistics", shape, "gamma beta running")
        yield batchnorm(f"rank {rank}, inference without gamma and beta", shape, "running", training=False)
        yield batchnorm(f"rank {rank}, inference with gamma and beta", shape, "gamma beta running", training=False)

    for epsilon in (0, 1e-12, 1e-8, 1e-5, 1e-3, 0.5):
        yield batchnorm(f"training with epsilon {epsilon}", (4, 2, 3), "gamma beta", epsilon=epsilon)
    for epsilon in (0, 1e-3):
        yield batchnorm(f"inference with epsilon {epsilon}", (4, 3), "gamma beta running", training=False, epsilon=epsilon)
    yield batchnorm("variance as small as the default epsilon", (6, 3), "gamma beta running", scale=1e-4, decimals=6)
    yield batchnorm("variance as small as epsilon 1e-5, rank 4", (3, 2, 2, 2), "gamma", scale=3e-3, decimals=5, epsilon=1e-5)
    for momentum in (0, 0.1, 0.37, 1):
        yield batchnorm(f"training with momentum {momentum}", (3, 2, 3), "gamma beta running", momentum=momentum)
    yield batchnorm("training with momentum 0.37 and epsilon 1e-3, running statistics alone", (7, 2), "running", momentum=0.37, epsilon=1e-3)
    yield batchnorm("inference leaves running statistics alone whatever the momentum", (3, 2, 3), "running", training=False, momentum=1)
    yield batchnorm("momentum without running statistics changes nothing", (4, 3), "beta", momentum=0.9)

    yield batchnorm("one channel, rank 2", (6, 1), "gamma beta running")
    yield batchnorm("one channel, rank 4", (2, 1, 3, 2), "gamma beta running")
    yield batchnorm("batch of one with three places, rank 3", (1, 3, 3), "gamma beta running")
    yield batchnorm("batch of one, rank 4", (1, 2, 3, 3), "gamma beta")
    yield batchnorm("batch of one, rank 5, two axes of size 1", (1, 2, 1, 5, 1), "gamma running")
    # With two values, x-hat is +-1 and dx nearly zero: a difference of terms that are 1/epsilon times as large.
    yield batchnorm("two values per channel: dx almost vanishes", (2, 3), "gamma beta running", dtypes=FLOAT64)
    yield batchnorm("one value per channel in inference", (1, 4), "gamma beta running", training=False)
    yield batchnorm("every size 1 in inference", (1, 1, 1), "gamma beta running", training=False)
    yield batchnorm("odd sizes, many channels", (3, 7, 1, 3), "gamma beta running")
    yield batchnorm("larger: 37 places of 9 channels", (2, 9, 37), "gamma beta running")
    yield batchnorm("larger: 19 rows of 13 channels", (19, 13), "gamma beta")

    yield batchnorm("mean 1e4, deviation 1, rank 2", (8, 3), "gamma beta running", offset=1e4, dtypes=FLOAT64)
    yield batchnorm("mean 1e4, deviation 0.1, rank 4", (2, 2, 2, 3), "gamma beta running", offset=1e4, scale=0.1, decimals=4, dtypes=FLOAT64)
    yield batchnorm("mean -1e4, deviation 0.1, rank 3, inference", (2, 2, 4), "gamma beta running", offset=-1e4, scale=0.1, decimals=4, training=False, dtypes=FLOAT64)
    yield batchnorm("mean 1e4, deviation 0.1, epsilon 1e-5", (9, 2), "gamma", offset=1e4, scale=0.1, decimals=4, epsilon=1e-5, dtypes=FLOAT64)

    x = draw(random("batchnorm", "constant channel", "x"), (4, 2, 2))
    x[:, 1] = 0.5
    yield batchnorm("a channel that is constant gives beta", x.shape, "gamma beta running", x=x)
    x = draw(random("batchnorm", "scales", "x"), (5, 3))
    yield batchnorm("channels of scales 0.01, 1 and 100", x.shape, "gamma beta running", x=np.round(x * [0.01, 1, 100], 4))
    case = batchnorm("a gamma of zero stops the gradient of its channel", (4, 3), "gamma beta")
    case.tensors["gamma"][1] = 0
    yield case


# convolution

def convolution(name, x, weight, bias=True, **options):
    rng = random("convolution", name, "inputs")
    tensors = {"x": draw(rng, x), "weight": draw(rng, weight, 0.5)}
    if bias:
        O = weight[1] * options.get("groups", 1) if options.get("transposed") else weight[0]
        tensors["bias"] = draw(rng, O)
    return Case("convolution", name, tensors, options)


def convolution_cases():
    yield convolution("1-d, every option at its default", (2, 3, 7), (4, 3, 3))
    yield convolution("1-d without bias", (2, 3, 6), (2, 3, 2), bias=False)
    yield convolution("1-d, every option stated at its default", (1, 2, 5), (3, 2, 2), stride=1, padding=0, dilation=1, groups=1, transposed=False, output_padding=0)
    yield convolution("1-d, every size 1", (1, 1, 1), (1, 1, 1))
    yield convolution("1-d, kernel 1", (2, 3, 4), (2, 3, 1))
    yield convolution("1-d, kernel 1, stride 2, last place not covered", (2, 2, 6), (3, 2, 1), stride=2)
    yield convolution("1-d, kernel as long as the input", (2, 2, 4), (3, 2, 4))
    yield convolution("1-d, kernel longer than the input, rescued by padding", (2, 2, 2), (2, 2, 5), padding=2)
    yield convolution("1-d, stride 2 leaves a remainder", (2, 2, 8), (2, 2, 3), stride=2)
    yield convolution("1-d, stride 5 over kernel 2", (2, 2, 13), (2, 2, 2), stride=5)
    yield convolution("1-d, dilation 3", (2, 2, 9), (2, 2, 3), dilation=3)
    yield convolution("1-d, dilation 2, stride 3, padding 2, remainder", (1, 2, 9), (3, 2, 3), dilation=2, stride=3, padding=2)
    yield convolution("1-d, padding over kernel - 1", (2, 2, 3), (2, 2, 2), padding=3)
    yield convolution("1-d, causal padding", (2, 2, 6), (2, 2, 3), padding=[[2, 0]])
    yield convolution("1-d, padding after alone, stride 2", (2, 2, 5), (2, 2, 2), padding=[[0, 2]], stride=2)
    yield convolution("1-d, valid", (1, 2, 6), (2, 2, 3), padding="valid")
    yield convolution("1-d, same, even kernel", (2, 2, 5), (2, 2, 4), padding="same")
    yield convolution("1-d, same_lower, even kernel", (2, 2, 5), (2, 2, 4), padding="same_lower")
    yield convolution("1-d, same, stride 2, even input", (2, 2, 6), (2, 2, 3), padding="same", stride=2)
    yield convolution("1-d, same_lower, stride 2, even input", (2, 2, 6), (2, 2, 3), padding="same_lower", stride=2)
    yield convolution("1-d, same, stride 2, odd input", (2, 2, 7), (2, 2, 4), padding="same", stride=2)
    yield convolution("1-d, same_lower, stride 3, dilation 2", (1, 2, 8), (2, 2, 2), padding="same_lower", stride=3, dilation=2)
    yield convolution("1-d, same, stride 4 over kernel 2 pads nothing", (1, 2, 10), (2, 2, 2), padding="same", stride=4)
    yield convolution("1-d, same, kernel 1", (1, 2, 4), (2, 2, 1), padding="same")
    yield convolution("1-d, two groups", (2, 4, 5), (6, 2, 2), groups=2)
    yield convolution("1-d, three groups, fewer output channels than input channels", (1, 6, 5), (3, 2, 3), groups=3, bias=False)
    yield convolution("1-d, depthwise", (2, 3, 5), (3, 1, 3), groups=3, padding=1)
    yield convolution("1-d, depthwise with two outputs for each channel", (2, 3, 5), (6, 1, 2), groups=3, stride=2)

    yield convolution("2-d, every option at its default", (2, 2, 4, 5), (3, 2, 3, 2))
    yield convolution("2-d without bias, padding 1", (1, 3, 4, 3), (2, 3, 3, 3), bias=False, padding=1)
    yield convolution("2-d, every size 1", (1, 1, 1, 1), (1, 1, 1, 1), bias=False)
    yield convolution("2-d, kernel 1 by 1", (2, 3, 2, 3), (4, 3, 1, 1))
    yield convolution("2-d, kernel 1 by 3, padding per axis", (1, 2, 3, 5), (2, 2, 1, 3), padding=[0, 1])
    yield convolution("2-d, stride per axis, remainder on both", (1, 2, 6, 8), (2, 2, 3, 2), stride=[2, 3])
    yield convolution("2-d, stride over kernel", (1, 2, 7, 8), (2, 2, 2, 2), stride=[3, 4])
    yield convolution("2-d, dilation per axis", (1, 2, 5, 6), (2, 2, 3, 2), dilation=[2, 3])
    yield convolution("2-d, padding in pairs, all four different", (1, 2, 3, 4), (2, 2, 2, 3), padding=[[0, 1], [2, 3]])
    yield convolution("2-d, padding in pairs, stride and dilation per axis", (1, 2, 6, 5), (2, 2, 2, 3), padding=[[1, 0], [1, 2]], stride=[2, 1], dilation=[1, 2])
    yield convolution("2-d, padding over kernel - 1", (1, 1, 2, 3), (2, 1, 2, 2), padding=[3, 2])
    yield convolution("2-d, valid, stride 2", (1, 2, 5, 6), (2, 2, 2, 3), padding="valid", stride=2)
    yield convolution("2-d, same, kernel 2 by 4", (1, 2, 3, 4), (2, 2, 2, 4), padding="same")
    yield convolution("2-d, same_lower, kernel 2 by 4", (1, 2, 3, 4), (2, 2, 2, 4), padding="same_lower")
    yield convolution("2-d, same, stride and dilation per axis", (1, 2, 5, 6), (2, 2, 3, 2), padding="same", stride=[2, 3], dilation=[1, 2])
    yield convolution("2-d, same_lower, stride 2", (1, 2, 6, 6), (2, 2, 3, 3), padding="same_lower", stride=2)
    yield convolution("2-d, two groups, padding 1, stride 2", (1, 4, 5, 4), (4, 2, 3, 2), groups=2, padding=1, stride=2)
    yield convolution("2-d, depthwise, dilation 2, same", (1, 3, 4, 4), (3, 1, 3, 3), groups=3, dilation=2, padding="same", bias=False)
    yield convolution("2-d, everything at once", (2, 4, 5, 6), (2, 2, 2, 3), stride=[2, 1], padding=[[1, 0], [0, 2]], dilation=[1, 2], groups=2)

    # Larger: long enough to fill vector registers and blocks and to leave odd remainders.
    yield convolution("larger, 1-d, 33 places, 9 outputs", (2, 7, 33), (9, 7, 5), padding=2, stride=2)
    yield convolution("larger, 2-d, 7 outputs, padding 1", (1, 5, 9, 11), (7, 5, 3, 3), padding=1)
    yield convolution("larger, 2-d, depthwise", (1, 9, 7, 9), (9, 1, 3, 3), padding=1, groups=9)
    yield convolution("larger, 2-d transposed, stride 2", (1, 7, 5, 6), (7, 5, 3, 3), transposed=True, stride=2, padding=1, output_padding=1)

    yield convolution("3-d, every option at its default", (1, 2, 3, 4, 3), (2, 2, 2, 3, 2))
    yield convolution("3-d, every size 1", (1, 1, 1, 1, 1), (1, 1, 1, 1, 1))
    yield convolution("3-d without bias, stride per axis, remainder", (1, 2, 4, 3, 5), (2, 2, 2, 2, 1), bias=False, stride=[3, 1, 2])
    yield convolution("3-d, padding in pairs, dilation per axis", (1, 1, 3, 2, 4), (2, 1, 2, 2, 2), padding=[[1, 0], [0, 1], [1, 1]], dilation=[2, 1, 3])
    yield convolution("3-d, padding 1", (1, 1, 2, 3, 2), (2, 1, 3, 2, 2), padding=1)
    yield convolution("3-d, same, stride 2", (1, 1, 3, 4, 3), (2, 1, 2, 3, 2), padding="same", stride=[1, 2, 2])
    yield convolution("3-d, same_lower", (1, 1, 2, 3, 3), (2, 1, 2, 2, 3), padding="same_lower")
    yield convolution("3-d, two groups", (2, 2, 2, 3, 2), (4, 1, 2, 2, 1), groups=2)

    yield convolution("1-d transposed, every other option at its default", (2, 3, 4), (3, 2, 3), transposed=True)
    yield convolution("1-d transposed without bias, stride 2", (2, 2, 4), (2, 3, 3), transposed=True, stride=2, bias=False)
    yield convolution("1-d transposed, stride 3 over kernel 2 leaves gaps", (1, 2, 4), (2, 2, 2), transposed=True, stride=3)
    yield convolution("1-d transposed, padding 1", (2, 2, 5), (2, 2, 3), transposed=True, padding=1)
    yield convolution("1-d transposed, padding in a pair crops unevenly", (2, 2, 4), (2, 2, 4), transposed=True, padding=[[0, 2]], stride=2)
    yield convolution("1-d transposed, valid", (1, 2, 3), (2, 2, 2), transposed=True, padding="valid", stride=2)
    yield convolution("1-d transposed, output_padding 1", (2, 2, 3), (2, 2, 3), transposed=True, stride=2, padding=1, output_padding=1)
    yield convolution("1-d transposed, output_padding 2 with uneven padding", (1, 2, 3), (2, 3, 2), transposed=True, stride=3, padding=[[1, 0]], output_padding=2)
    yield convolution("1-d transposed, output_padding 1 below the dilation, stride 1", (1, 2, 3), (2, 2, 2), transposed=True, dilation=2, output_padding=1)
    yield convolution("1-d transposed, dilation 2", (2, 2, 4), (2, 2, 3), transposed=True, dilation=2)
    yield convolution("1-d transposed, two groups", (2, 4, 3), (4, 3, 2), transposed=True, groups=2)
    yield convolution("1-d transposed, depthwise", (1, 3, 4), (3, 1, 3), transposed=True, groups=3, stride=2, padding=1)
    yield convolution("1-d transposed, every size 1", (1, 1, 1), (1, 1, 1), transposed=True)
    yield convolution("2-d transposed, every other option at its default", (1, 2, 3, 2), (2, 3, 2, 3), transposed=True)
    yield convolution("2-d transposed, stride, padding and output_padding per axis", (1, 2, 3, 3), (2, 2, 3, 2), transposed=True, stride=[2, 3], padding=[1, 0], output_padding=[1, 2])
    yield convolution("2-d transposed, padding in pairs, dilation per axis, two groups", (1, 2, 3, 3), (2, 2, 2, 3), transposed=True, padding=[[1, 0], [0, 2]], dilation=[2, 1], groups=2)
    yield convolution("2-d transposed without bias, everything at once", (1, 4, 2, 3), (4, 1, 3, 2), transposed=True, stride=[2, 3], padding=[[0, 1], [2, 0]], output_padding=[0, 1], dilation=[1, 2], groups=2, bias=False)
    yield convolution("2-d transposed, kernel 1 by 1, stride 2", (1, 2, 2, 3), (2, 2, 1, 1), transposed=True, stride=2)
    yield convolution("3-d transposed, every other option at its default", (1, 2, 2, 2, 2), (2, 1, 2, 2, 3), transposed=True)
    yield convolution("3-d transposed, stride, padding and output_padding per axis", (1, 1, 2, 2, 3), (1, 2, 2, 3, 2), transposed=True, stride=[1, 2, 2], padding=[1, 1, 0], output_padding=[0, 1, 1])
    yield convolution("3-d transposed, two groups, dilation 2, padding in pairs", (1, 2, 2, 2, 2), (2, 1, 2, 2, 1), transposed=True, groups=2, dilation=[1, 2, 1], padding=[[0, 1], [1, 0], [0, 0]])


# dropout

def dropout(name, shape, **options):
    return Case("dropout", name, {"x": draw(random("dropout", name, "inputs"), shape)}, options)


def dropout_cases():
    shapes = {1: (7,), 2: (3, 4), 3: (2, 3, 2), 4: (2, 1, 3, 2), 5: (1, 2, 2, 1, 3)}
    ranks = itertools.cycle(shapes)
    yield dropout("inference, every other option at its default", (2, 5), training=False)
    yield dropout("inference, every option stated at its default", (2, 5), training=False, rate=0.5, scaling="inverted")
    yield dropout("inference, test-time scaling at the default rate", (2, 5), training=False, scaling="test_time")
    for scaling, rate in itertools.product(("inverted", "test_time"), (0, 0.1, 0.37, 0.75, 0.999, 1)):
        rank = next(ranks)
        yield dropout(f"inference, {scaling} scaling, rate {rate}, rank {rank}", shapes[rank], training=False, rate=rate, scaling=scaling)
    seeds = itertools.cycle((0, 1, 42, 2**31, 2**32 + 1, 2**53 - 1, 987654321))
    for rank, scaling, rate in itertools.product(shapes, ("inverted", "test_time"), (0, 1)):
        yield dropout(f"training, {scaling} scaling, rate {rate}, rank {rank}", shapes[rank], rate=rate, scaling=scaling, seed=next(seeds))
    for rate in (0, 1):
        yield dropout(f"training stated, scaling at its default, rate {rate}, every size 1", (1, 1, 1), training=True, rate=rate, seed=7)


# linear

def linear(name, rows, I, O, bias, scale=1.0, **kind):
    rng = random("linear", name, "inputs")
    tensors = {"x": draw(rng, (*rows, I), scale), "weight": draw(rng, (O, I))}
    if bias:
        tensors["bias"] = draw(rng, O)
    return Case("linear", name, tensors, {}, **kind)


def linear_cases():
    sizes = [((4,), 3, 2), ((1,), 3, 2), ((4,), 1, 3), ((3,), 4, 1), ((1,), 1, 1), ((5,), 3, 3), ((2, 3), 2, 4), ((1, 3), 4, 2),
             ((3, 1), 2, 1), ((1, 1), 1, 1), ((2, 1, 3), 3, 2), ((2, 2, 2), 1, 3), ((1, 1, 1), 4, 1), ((2, 1, 2, 2), 3, 4),
             ((1, 2, 1, 3), 2, 2), ((1, 1, 1, 1), 1, 1)]
    for (rows, I, O), bias in itertools.product(sizes, (True, False)):
        x = ", ".join(map(str, (*rows, I)))
        yield linear(f"rank {len(rows) + 1}, x [{x}], {O} out, {'with' if bias else 'without'} bias", rows, I, O, bias)
    yield linear("150 features in", (2,), 150, 2, True)
    yield linear("150 features in, rank 3, one out", (1, 3), 150, 1, False)
    yield linear("65 features in: one more than a power of two", (1,), 65, 2, True)
    yield linear("37 features out", (2,), 2, 37, True)
    yield linear("33 rows", (33,), 2, 3, True)
    yield linear("larger: 17 rows, 19 in, 13 out", (17,), 19, 13, True)
    yield linear("x a thousand times its weights", (3,), 5, 2, True, scale=1e3, dtypes=FLOAT64)


# pooling

def pooling(name, x, values=None, **options):
    rng = random("pooling", name, "inputs")
    if values == "ties":
        tensor = rng.integers(0, 3, x).astype(float)
    elif values == "negative":
        tensor = -0.1 - np.abs(draw(rng, x))
    else:
        tensor = draw(rng, x)
    return Case("pooling", name, {"x": np.round(tensor, 3)}, options)


def pooling_cases():
    # Both modes with every shape of window. Torch supports those with even padding; the others are gathered tap by tap.
    windows = [
        ("1-d, kernel 2", (2, 2, 6), dict(kernel_size=2)),
        ("1-d, kernel 3 leaves a remainder", (2, 2, 8), dict(kernel_size=3)),
        ("1-d, overlapping windows", (2, 2, 6), dict(kernel_size=3, stride=1)),
        ("1-d, stride 3 over kernel 2", (2, 2, 9), dict(kernel_size=2, stride=3)),
        ("1-d, padding 1", (2, 2, 5), dict(kernel_size=3, stride=2, padding=1)),
        ("1-d, padding before alone", (2, 2, 5), dict(kernel_size=3, stride=2, padding=[[1, 0]])),
        ("1-d, dilation 2", (2, 2, 7), dict(kernel_size=3, stride=1, dilation=2)),
        ("1-d, dilation 2, padding 2, stride 2", (2, 2, 6), dict(kernel_size=3, stride=2, dilation=2, padding=2)),
        ("1-d, ceil_mode", (2, 2, 6), dict(kernel_size=3, stride=2, ceil_mode=True)),
        ("1-d, ceil_mode drops the window that would start in the padding", (2, 2, 5), dict(kernel_size=2, stride=3, padding=1, ceil_mode=True)),
        ("1-d, ceil_mode, dilation 2, padding after alone", (2, 2, 6), dict(kernel_size=3, stride=3, dilation=2, padding=[[0, 1]], ceil_mode=True)),
        ("1-d, ceil_mode, dilation 3 reaches past the padding", (1, 2, 9), dict(kernel_size=2, stride=3, dilation=3, padding=1, ceil_mode=True)),
        ("1-d, same", (2, 2, 6), dict(kernel_size=3, stride=2, padding="same")),
        ("1-d, same_lower", (2, 2, 6), dict(kernel_size=3, stride=2, padding="same_lower")),
        ("1-d, same, stride left to the kernel", (2, 2, 7), dict(kernel_size=4, padding="same")),
        ("1-d, kernel 1, stride 2", (2, 2, 5), dict(kernel_size=1, stride=2)),
        ("1-d, every size 1", (1, 1, 1), dict(kernel_size=1)),
        ("1-d, global", (2, 3, 5), {"global": True}),
        ("2-d, kernel 2", (1, 2, 4, 6), dict(kernel_size=2)),
        ("2-d, kernel and stride per axis, remainder", (1, 2, 5, 7), dict(kernel_size=[2, 3], stride=[1, 2])),
        ("2-d, stride over kernel on one axis, under it on the other", (1, 2, 7, 5), dict(kernel_size=[2, 3], stride=[3, 1])),
        ("2-d, padding per axis", (1, 2, 4, 5), dict(kernel_size=[3, 2], stride=2, padding=[1, 0])),
        ("2-d, padding in pairs, all four different", (1, 2, 4, 5), dict(kernel_size=[4, 6], stride=[2, 3], padding=[[0, 1], [2, 3]])),
        ("2-d, dilation per axis", (1, 2, 5, 6), dict(kernel_size=2, stride=[1, 2], dilation=[3, 2])),
        ("2-d, dilation and padding per axis", (1, 2, 5, 5), dict(kernel_size=[3, 2], stride=2, dilation=[2, 1], padding=[1, 1])),
        ("2-d, ceil_mode with padding 1", (1, 2, 6, 5), dict(kernel_size=3, stride=2, padding=1, ceil_mode=True)),
        ("2-d, ceil_mode with uneven padding", (1, 2, 5, 6), dict(kernel_size=3, stride=2, padding=[[0, 1], [1, 0]], ceil_mode=True)),
        ("2-d, ceil_mode, stride over kernel, a window dropped on one axis", (1, 2, 5, 6), dict(kernel_size=2, stride=3, padding=1, ceil_mode=True)),
        ("2-d, same, even kernel", (1, 2, 3, 4), dict(kernel_size=2, stride=1, padding="same")),
        ("2-d, same_lower, stride and dilation per axis", (1, 2, 5, 6), dict(kernel_size=[2, 3], stride=[2, 3], dilation=[2, 1], padding="same_lower")),
        ("2-d, valid, every option stated at its default", (1, 2, 4, 4), dict(kernel_size=2, stride=2, padding="valid", dilation=1, ceil_mode=False)),
        ("2-d, global", (2, 2, 3, 4), {"global": True}),
        ("2-d, global over one place", (2, 3, 1, 1), {"global": True}),
        ("3-d, kernel 2", (1, 1, 4, 3, 4), dict(kernel_size=2)),
        ("3-d, per axis, padding 1", (1, 1, 3, 4, 3), dict(kernel_size=[2, 3, 2], stride=[1, 2, 2], padding=1)),
        ("3-d, padding in pairs, dilation per axis, ceil_mode", (1, 1, 4, 3, 4), dict(kernel_size=2, stride=2, dilation=[1, 2, 1], padding=[[1, 0], [0, 1], [0, 0]], ceil_mode=True)),
        ("3-d, same", (1, 1, 3, 2, 3), dict(kernel_size=[2, 2, 3], stride=[2, 1, 1], padding="same")),
        ("3-d, global", (1, 2, 2, 3, 2), {"global": True}),
    ]
    for k, (name, x, options) in enumerate(windows):
        # The indices show which element won; they are sometimes left out, as they are by default.
        indices = {} if k % 5 == 0 else {"return_indices": True}
        yield pooling(f"max, {name}", x, mode="max", **options, **indices)
        yield pooling(f"average, {name}", x, mode="average", **options)
        if "padding" in options and options["padding"] != "valid" or options.get("ceil_mode"):
            yield pooling(f"average, {name}, padding not counted", x, mode="average", **options, count_include_pad=False)
    yield pooling("average, count_include_pad stated at its default", (1, 2, 5), mode="average", kernel_size=3, stride=1, padding=1, count_include_pad=True)
    yield pooling("average, padding not counted where there is none", (1, 2, 5), mode="average", kernel_size=2, count_include_pad=False)
    yield pooling("max, return_indices stated at its default", (1, 2, 5), mode="max", kernel_size=2, return_indices=False)
    for mode in ("max", "average"):
        yield pooling(f"{mode}, larger, 2-d, kernel 3, stride 2, padding 1", (1, 5, 11, 13), mode=mode, kernel_size=3, stride=2, padding=1)
        yield pooling(f"{mode}, larger, 1-d, overlapping windows", (1, 3, 67), mode=mode, kernel_size=5, stride=2)

    for name, x, options in [
        ("1-d, overlapping windows", (2, 2, 7), dict(kernel_size=3, stride=1)),
        ("1-d, uneven padding", (2, 2, 6), dict(kernel_size=4, stride=2, padding=[[2, 1]])),
        ("2-d, overlapping windows", (1, 2, 4, 5), dict(kernel_size=[2, 3], stride=1)),
        ("2-d, padding 1", (1, 2, 4, 4), dict(kernel_size=3, stride=1, padding=1)),
        ("2-d, dilation 2", (1, 2, 5, 5), dict(kernel_size=2, stride=1, dilation=2)),
        ("2-d, global", (2, 2, 3, 3), {"global": True}),
        ("3-d, kernel 2", (1, 1, 3, 3, 3), dict(kernel_size=2, stride=1)),
    ]:
        yield pooling(f"max, ties, {name}: the first wins", x, "ties", mode="max", return_indices=True, **options)
    yield pooling("max, ties, without indices", (1, 2, 4, 4), "ties", mode="max", kernel_size=2)

    for name, x, options in [
        ("1-d, padding 1", (2, 2, 5), dict(kernel_size=3, stride=2, padding=1)),
        ("2-d, uneven padding", (1, 2, 4, 5), dict(kernel_size=3, stride=2, padding=[[1, 0], [0, 1]])),
        ("2-d, same", (1, 2, 3, 3), dict(kernel_size=2, stride=1, padding="same")),
        ("2-d, same_lower, dilation 2", (1, 2, 4, 4), dict(kernel_size=2, stride=1, dilation=2, padding="same_lower")),
        ("2-d, padding 1, ceil_mode", (1, 2, 4, 3), dict(kernel_size=2, stride=2, padding=1, ceil_mode=True)),
        ("3-d, padding 1", (1, 1, 2, 3, 2), dict(kernel_size=[2, 3, 2], stride=2, padding=1)),
    ]:
        yield pooling(f"max, all negative, {name}: padding never wins", x, "negative", mode="max", return_indices=True, **options)


# rnn and lstm

def recurrent(layer, N, T, I, H, given="", upstream="dout", name=None, **options):
    """given: which of bias_ih, bias_hh, h0, c0. The default name lists what is given and requested."""
    if name is None:
        lengths = options.get("sequence_lengths")
        parts = [options.get("nonlinearity", "tanh by default")] if layer == "rnn" else []
        parts += [options.get("direction", "forward by default"), "time-major" if options.get("time_major") else "",
                  f"lengths {lengths} of {T}" if lengths else "", f"with {', '.join(given.split())}" if given else "x and weights alone",
                  f"from {' and '.join(upstream.split())}"]
        name = ", ".join(part for part in parts if part)
    rng = random(layer, name, "inputs")
    rows = H * (4 if layer == "lstm" else 1)
    shapes = {"weight_ih": (rows, I), "weight_hh": (rows, H), "bias_ih": (rows,), "bias_hh": (rows,), "h0": (N, H), "c0": (N, H)}
    leading = (2,) if options.get("direction") == "bidirectional" else ()
    # Values around zero would leave most relu units dead and most gradients zero.
    offset = 0.3 if options.get("nonlinearity") == "relu" else 0
    tensors = {"x": draw(rng, (T, N, I) if options.get("time_major") else (N, T, I), offset=offset)}
    for tensor in ["weight_ih", "weight_hh", *given.split()]:
        tensors[tensor] = draw(rng, (*leading, *shapes[tensor]), 0.6, offset)
    return Case(layer, name, tensors, options, tuple(upstream.split()))


BIASES = ["bias_ih bias_hh", "", "bias_ih", "bias_ih bias_hh", "bias_hh"]
LENGTHS = [[2, 4, 1], [4, 1, 3], [1, 3, 4]]


def lengths_of(k, given):
    return {"sequence_lengths": LENGTHS[k % 3]} if given else {}


def rnn_cases():
    # Cycles of 3, 5 and 7 next to a product of powers of two and one 3, so that all combinations occur.
    upstreams = ["dout", "dh_n", "dout dh_n", "dout", "dout dh_n", "dh_n", "dout dh_n"]
    crossed = itertools.product(("tanh", "relu"), ("forward", "reverse", "bidirectional"), ("", "h0"), (False, True))
    for k, (nonlinearity, direction, state, has_lengths) in enumerate(crossed):
        options = {"nonlinearity": nonlinearity} if k % 2 or nonlinearity == "relu" else {}
        options |= {"direction": direction} if k % 4 or direction != "forward" else {}
        options |= {"time_major": True} if k % 3 == 1 else {}
        given = f"{BIASES[k % 5]} {state}".strip()
        yield recurrent("rnn", 3, 4, 2, 3, given, upstreams[k % 7], **options, **lengths_of(k // 2, has_lengths))
    yield from small_recurrent_cases("rnn", "h0", ["dout", "dh_n", "dout dh_n"])
    yield recurrent("rnn", 2, 3, 2, 2, "bias_ih bias_hh h0", "dout dh_n", name="relu, everything of size 2, every option stated at its default but relu",
                    nonlinearity="relu", direction="forward", time_major=False)
    yield recurrent("rnn", 2, 9, 2, 2, "bias_ih bias_hh h0", "dout dh_n", name="relu, nine steps, bidirectional, lengths [9, 5]",
                    nonlinearity="relu", direction="bidirectional", sequence_lengths=[9, 5])


def lstm_cases():
    upstreams = ["dout", "dout dh_n dc_n", "dh_n", "dout dc_n", "dc_n", "dout dh_n", "dh_n dc_n"]
    crossed = itertools.product(("forward", "reverse", "bidirectional"), ("", "h0", "c0", "h0 c0"), (False, True))
    for k, (direction, states, has_lengths) in enumerate(crossed):
        options = {"direction": direction} if k % 4 or direction != "forward" else {}
        options |= {"time_major": True} if k % 3 == 1 else {}
        given = f"{BIASES[k % 5]} {states}".strip()
        N, T, I, H = (2, 3, 2, 2) if direction == "bidirectional" and not has_lengths else (3, 4, 2, 2)
        yield recurrent("lstm", N, T, I, H, given, upstreams[k % 7], **options, **lengths_of(k // 2, has_lengths))
    yield from small_recurrent_cases("lstm", "h0 c0", ["dout", "dout dh_n dc_n", "dh_n dc_n"])


def small_recurrent_cases(layer, states, upstreams):
    """For both recurrent layers: sizes of one, equal lengths, short lengths, and long sequences."""
    everything = f"bias_ih bias_hh {states}"
    alone, both, final = upstreams[0], upstreams[-1], upstreams[1]
    yield recurrent(layer, 2, 3, 2, 2, "", alone, name="x and weights alone, every option at its default")
    yield recurrent(layer, 2, 3, 2, 2, everything, both, name="every option stated at its default", direction="forward", time_major=False)
    yield recurrent(layer, 3, 1, 2, 2, everything, both, name="one step, forward")
    yield recurrent(layer, 2, 1, 2, 2, everything, both, name="one step, bidirectional", direction="bidirectional")
    yield recurrent(layer, 2, 1, 2, 2, everything, final, name="one step, lengths of one, reverse", direction="reverse", sequence_lengths=[1, 1])
    yield recurrent(layer, 1, 4, 2, 2, everything, both, name="batch of one, reverse, time-major", direction="reverse", time_major=True)
    yield recurrent(layer, 1, 4, 2, 2, "", both, name="batch of one, shorter than its steps, bidirectional", direction="bidirectional", sequence_lengths=[3])
    yield recurrent(layer, 2, 3, 1, 3, everything, both, name="one input feature, bidirectional, time-major", direction="bidirectional", time_major=True)
    yield recurrent(layer, 3, 4, 3, 1, everything, both, name="one hidden feature, reverse, unsorted lengths", direction="reverse", sequence_lengths=[3, 4, 2])
    yield recurrent(layer, 1, 1, 1, 1, everything, both, name="every size 1, forward")
    yield recurrent(layer, 1, 1, 1, 1, "", alone, name="every size 1, bidirectional, x and weights alone", direction="bidirectional", sequence_lengths=[1])
    for direction in ("forward", "reverse", "bidirectional"):
        yield recurrent(layer, 2, 3, 2, 2, everything, both, name=f"{direction}, every length equal to the steps", direction=direction, sequence_lengths=[3, 3])
        yield recurrent(layer, 2, 4, 2, 2, everything, both, name=f"{direction}, every length shorter than the steps", direction=direction, sequence_lengths=[1, 3], time_major=direction == "reverse")
    yield recurrent(layer, 1, 12, 1, 2, everything, both, name="twelve steps, forward")
    yield recurrent(layer, 5, 6, 5, 7, everything, both, name="larger, forward")
    yield recurrent(layer, 5, 5, 3, 5, everything, both, name="larger, bidirectional, unsorted lengths", direction="bidirectional", sequence_lengths=[3, 5, 1, 5, 2])
    yield recurrent(layer, 2, 8, 2, 1, "bias_ih bias_hh", final, name="eight steps from the final states alone, reverse", direction="reverse", sequence_lengths=[5, 8])


CASES = {"batchnorm": batchnorm_cases, "convolution": convolution_cases, "dropout": dropout_cases,
         "linear": linear_cases, "lstm": lstm_cases, "pooling": pooling_cases, "rnn": rnn_cases}
