/**
 * Whether a diagnosis is right: it names a quantity of the changed statement, and the kind of the change. It misleads if
 * it names neither.
 *
 * This is a heuristic over words, and generous in both directions:
 * - A statement has several quantities, and a sentence about any of them counts: "dx: gamma is missing" is taken for
 *   right where rstd was dropped from the same line. Names that say nothing (`value`, `sum`) match nothing, so a right
 *   sentence about a terse line may not count.
 * - The words of a kind are those that such a sentence usually has. Some, as "instead", serve several kinds. Where an
 *   edit has the result of another kind of mistake (a divisor dropped is a sum for a mean), either is accepted only if
 *   its words are listed.
 * - A sentence that quotes a whole formula names all of its quantities, so there mostly the kind decides.
 * - Any of the at most three diagnoses of a tensor may be the right one.
 * Read a sample with `--dump`; the shares are good for comparing two versions of the check, not as absolute figures.
 */
import type { Kind, Mutant } from './definition.js';
import type { Diagnosis } from './judge.js';

/** What a quantity is called, in code and in sentences. The first name is the one of the documents. */
const QUANTITIES: readonly (readonly [string, RegExp, RegExp])[] = [
  ['xhat', /^(d?x_?hat|d?xn|d?x?norm(ali[sz]ed?)?|d?z_?hat|centered|xc|xmu)$/i, /x̂|normali[sz]ed|x-hat/i],
  ['mean', /^d?(mu|means?|avg|m1|mean_?\w*|batch_?mean|sums?)$/i, /\bmeans?\b|μ|averaged?|dmean/i],
  ['variance', /^d?(var|variances?|sigma2|squares|sq|batch_?var)$/i, /varianc|\bd?var\b|σ²|deviation/i],
  ['deviation', /^d?(std|r_?std|inv_?std|istd|sigma|inv|sd|scale)$/i, /deviation|\br?std\b|√|square root|rstd/i],
  ['epsilon', /^(eps|epsilon)$/i, /epsilon/i],
  ['gamma', /^d?(gamma|g|scale)$/i, /\bd?gamma\b/i],
  ['beta', /^d?(beta|shift)$/i, /\bd?beta\b/i],
  ['running', /running|momentum|^old$/i, /running|momentum/i],
  ['dout', /^(dout|dy|grad\w*|g|delta|upstream|d)$/i, /\bdout\b|upstream/i],
  ['dx', /^(dx\w*|grad_?(x|input)|gx|dinput)$/i, /\bdx\b/i],
  ['x', /^(x\w{0,2}|input|xs|columns|patch\w*)$/i, /\bx(_t)?\b|input/i],
  ['out', /^(out\w*|y|output)$/i, /\bout\b|output/i],
  ['dweight', /^(dw\w*|dk\w*|grad_?w\w*|gw)$/i, /\bdweight(_ih|_hh)?\b|gradients? of the (weight|kernel)/i],
  ['weight', /^(w\w{0,3}|weights?\w*|kernel\w*|k|u|ih|hh)$/i, /\bweights?(_ih|_hh)?\b|kernel|W_/i],
  ['dbias', /^(db\w*|grad_?b\w*)$/i, /\bdbias(_ih|_hh)?\b/i],
  ['bias', /^(b|bias\w*)$/i, /\bbias(es|_ih|_hh)?\b/i],
  ['dh', /^d_?(h|next|carry)\w*$/i, /\bdh(_n|0|_t)?\b|gradient.*(hidden|state)|carr/i],
  [
    'h',
    /^(h|hs|hidden|h_?(n|0|t|next|prev|before|last|new)|states?|prev\w*|next|last)$/i,
    /\bh(_n|0|_t|_\()?|hidden|state/i,
  ],
  ['dc', /^d_?c\w*$/i, /\bdc(_n|0|_t)?\b|cell/i],
  ['c', /^(c|cs|cells?|c_?(n|0|t|next|prev|before|last|new)|past)$/i, /\bc(_n|0|_t|_\()?|cell/i],
  [
    'gate',
    /^(d?[ifgoz]|d?z\w*|d?a|d?(input|forget|cell|output)_?gate|d?gates?\w*|d?pre\w*|act\w*|slopes?)$/i,
    /gate|pre-?activation|d?z\b/i,
  ],
  [
    'nonlinearity',
    /tanh|sigmoid|relu|slope|activ|derivative|positive|nonlin/i,
    /tanh|sigmoid|relu|nonlinear|derivative|kink|activation/i,
  ],
  ['mask', /^(masks?|kept|keep|factors?|dropped)$/i, /mask|kept|dropped|element/i],
  ['rate', /^(rate|keep|p|q|scaling|scale|factors?)$/i, /\brate\b|scal/i],
  ['stride', /stride|^s[hwxy]?$|step/i, /stride/i],
  ['padding', /pad|before|after|top|left|right|bottom|inside|border/i, /padding|padded|\bpads?\b|border|before|after/i],
  ['dilation', /dilat|^d[hw]$/i, /dilation|dilated/i],
  ['groups', /group|perGroup|Cg|Og/i, /group/i],
  ['window', /kernel|window|taps?|span|^k[hw]?$|positions?|places?/i, /window|kernel|tap|position/i],
  ['maximum', /max|best|winner|arg|largest|indices|index|origins?/i, /maxim|minim|largest|tie|indices|index/i],
  ['count', /^(m|n|count\w*|divisor|area|size|N|S|M|weight)$/, /divid|divisor|average|count|mean|times (N|m|\d)/i],
  ['length', /length|lengths/i, /sequence|length|padded steps|end/i],
  ['time', /^(t|T|steps?|times?|turn|swap)$/, /time|step|direction|revers/i],
];

/** Words with which a sentence says that a kind of change was made. */
const KINDS: Readonly<Record<Kind, RegExp>> = {
  sign: /sign|other way round|negat|minus|subtract|opposite|was added|times −?-?1\b|plus|reversed/i,
  operator: /divid|multipl|invers|reciprocal|times|factor|scal|twice|squared|power|exponent/i,
  'term dropped':
    /missing|left out|forgotten|without|ignored|not added|only|omitted|never|constant|zero|offset|no bias/i,
  'term repeated': /twice|doubled|times 2|again|repeated|added/i,
  'factor dropped':
    /missing|power|left out|forgotten|without|ignored|not multiplied|as if|omitted|only|divided|times|unchanged|instead/i,
  'factor repeated': /twice|too often|squared|again|times|multiplied|power|exponent|divided|scaled/i,
  'divisor dropped': /divid|sum\b|mean|averag|times|scal|missing|multiplied|factor|power|exponent/i,
  'assigned or accumulated':
    /accumulat|overwrit|assigned|add(ed)? up|summed|only the (last|first)|initial|last|\(`?=`?\)/i,
  'other variable':
    /instead|never computed|in place of|swapped|exchang|computed (from|with|by)|as if|(was|were) used|mixed|taken|another|wrong|other|these are|this is/i,
  'index exchanged': /transpos|exchang|swapp|\baxes\b|\baxis\b|order|permut|another|instead|flipped/i,
  'index off by one':
    /off by one|shift|neighbou?r|next|previous|one (step|position|place)|late|early|instead|first|last|moved|before/i,
  'bound off by one':
    /\bfirst\b|\blast\b|missing|left out|never|skipped|too few|shift|off by one|zero|border|start|\bends?\b|only/i,
  'loop reversed': /revers|backwards|order|direction|last|first|flipped/i,
  constant:
    /instead|constant|times|factor|missing|exponent|power|half|twice|doubled|divided|multipl|plus|added|order|gate/i,
  function:
    /instead|applied|sigmoid|tanh|relu|nonlinear|derivative|missing|root|squared?|minim|maxim|function|identity|power|round/i,
  condition:
    /threshold|\bties?\b|border|kink|at 0|equal|condition|padding|mask|invert|sign|instead|ignored|first|last|always|never|only/i,
  'branches exchanged': /invert|exchang|instead|swapp|negat|opposite|complement|training|inference|order|other/i,
  'statement left out':
    /missing|left out|never|not (added|computed|written|updated)|ignored|zeros?\b|forgotten|without|only|initial|unchanged/i,
  'arguments exchanged': /exchang|swapp|order|instead|transpos|revers|axes/i,
  transposition: /transpos|ᵀ|\baxes\b|swapp|order/i,
  other: /./,
};

const quantitiesIn = (names: readonly string[]): ReadonlySet<string> =>
  new Set(QUANTITIES.filter(([, inCode]) => names.some((name) => inCode.test(name))).map(([quantity]) => quantity));

const quantitiesNamedBy = (sentence: string): readonly string[] =>
  QUANTITIES.filter(([, , inText]) => inText.test(sentence)).map(([quantity]) => quantity);

/**
 * Whether a diagnosis names a quantity of the changed statement, and the kind of the change. A sentence about values
 * rather than about a formula, such as "The correct values, shifted by 1 along axis 2", is about the tensor itself.
 */
function namedBy({ quantities, kind }: Mutant, { tensor, sentence }: Diagnosis): { quantity: boolean; kind: boolean } {
  const changed = quantitiesIn(quantities);
  const plain = sentence.replace(/axis \d+ \([^)]*\)/g, '');
  const words = plain.split(/\W+/);
  const isQuoted = quantities.some((name) => name.length > 1 && words.includes(name));
  const named = quantitiesNamedBy(plain);
  const isOfValues = named.length === 0 || /^(Every value|The (correct )?values|These are|This is)\b/.test(plain);
  const about = isOfValues ? [...named, ...quantitiesIn([tensor])] : named;
  return { quantity: isQuoted || about.some((quantity) => changed.has(quantity)), kind: KINDS[kind].test(sentence) };
}

export function isRight(mutant: Mutant, diagnoses: readonly Diagnosis[]): boolean {
  return diagnoses.some((diagnosis) => {
    const { quantity, kind } = namedBy(mutant, diagnosis);
    return quantity && kind;
  });
}

/** Whether there are diagnoses, and none names a quantity or the kind. */
export function isMisleading(mutant: Mutant, diagnoses: readonly Diagnosis[]): boolean {
  const isStray = (diagnosis: Diagnosis) => {
    const { quantity, kind } = namedBy(mutant, diagnosis);
    return !quantity && !kind;
  };
  return diagnoses.length > 0 && diagnoses.every(isStray);
}
