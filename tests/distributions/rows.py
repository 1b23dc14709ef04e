"""One row per distribution: how it is made, in a text that runs on both libraries, and values inside its support."""
import dataclasses


@dataclasses.dataclass(frozen=True, eq=False)
class Row:
    """make: the constructor's call (D the distributions, t(...) a float64 leaf);  values: a list that makes one tensor.

    grads: what log_prob's gradients are taken of (names of leaves in `make`, in order, are all);  wrong: values outside;  bad: parameters outside
    """

    make: str
    values: list
    wrong: object = None
    bad: str = ""

    def __str__(self):
        return self.make.replace("D.", "")


POSITIVE = [[0.3, 1.2], [2.5, 0.7]]
REAL = [[-1.5, 0.2], [0.7, 3.1]]
UNIT = [[0.1, 0.45], [0.5, 0.93]]
COUNTS = [[0.0, 1.0], [3.0, 2.0]]
SIMPLEX = [[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]]
MATRIX = "t([[2.0, 0.3], [0.3, 1.0]])"
SPD = [[[1.5, 0.2], [0.2, 0.8]], [[0.5, -0.1], [-0.1, 2.0]]]

ROWS = [
    Row("D.Normal(t([0.3, -1.0]), t([1.5, 0.4]))", REAL, bad="D.Normal(0.0, -1.0)"),
    Row("D.Normal(0.5, 2.0)", REAL),
    Row("D.Uniform(t([-2.0, -3.0]), t([4.0, 5.5]))", REAL, [9.0, 0.0], "D.Uniform(1.0, 0.0)"),
    Row("D.Cauchy(t([0.3, -1.0]), t([1.5, 0.4]))", REAL, bad="D.Cauchy(0.0, -1.0)"),
    Row("D.Laplace(t([0.3, -1.0]), t([1.5, 0.4]))", REAL),
    Row("D.Gumbel(t([0.3, -1.0]), t([1.5, 0.4]))", REAL),
    Row("D.Exponential(t([0.5, 2.0]))", POSITIVE, [-1.0, 0.5], "D.Exponential(-1.0)"),
    Row("D.Gamma(t([0.5, 3.0]), t([2.0, 0.7]))", POSITIVE, [-1.0, 0.5], "D.Gamma(-1.0, 1.0)"),
    Row("D.Chi2(t([0.5, 3.0]))", POSITIVE),
    Row("D.InverseGamma(t([2.5, 3.0]), t([2.0, 0.7]))", POSITIVE),
    Row("D.InverseGamma(t([0.5, 1.5]), t([2.0, 0.7]))", POSITIVE),
    Row("D.Beta(t([0.5, 3.0]), t([2.0, 0.7]))", UNIT, [1.5, 0.5], "D.Beta(-1.0, 1.0)"),
    Row("D.Dirichlet(t([0.5, 3.0, 1.5]))", SIMPLEX, [0.5, 0.5, 0.5], "D.Dirichlet(t([-1.0, 1.0]))"),
    Row("D.Dirichlet(t([[0.5, 0.3, 0.6], [2.0, 3.0, 4.0]]))", SIMPLEX),
    Row("D.FisherSnedecor(t([3.0, 5.0]), t([6.0, 3.0]))", POSITIVE),
    Row("D.StudentT(t([3.0, 1.5]), t([0.3, -1.0]), t([1.5, 0.4]))", REAL, bad="D.StudentT(-1.0)"),
    Row("D.StudentT(t([0.5, 5.0]))", REAL),
    Row("D.VonMises(t([0.3, -1.0]), t([1.5, 0.4]))", REAL),
    Row("D.Weibull(t([1.5, 0.4]), t([0.8, 2.0]))", POSITIVE),
    Row("D.Pareto(t([0.2, 0.4]), t([1.5, 3.0]))", POSITIVE, [0.01, 0.01]),
    Row("D.Kumaraswamy(t([0.5, 3.0]), t([2.0, 1.7]))", UNIT, [1.5, 0.5]),
    Row("D.HalfNormal(t([1.5, 0.4]))", POSITIVE, [-1.0, 0.5]),
    Row("D.HalfCauchy(t([1.5, 0.4]))", POSITIVE, [-1.0, 0.5]),
    Row("D.LogNormal(t([0.3, -1.0]), t([1.5, 0.4]))", POSITIVE),
    Row("D.LogisticNormal(t([0.3, -1.0]), t([1.5, 0.4]))", SIMPLEX, [0.5, 0.5, 0.5]),
    Row("D.ContinuousBernoulli(t([0.2, 0.5]))", UNIT, [1.5, 0.5]),
    Row("D.ContinuousBernoulli(logits=t([-1.0, 0.001]))", UNIT),
    Row("D.RelaxedBernoulli(t(0.7), probs=t([0.2, 0.6]))", UNIT),
    Row("D.RelaxedBernoulli(t(0.7), logits=t([-1.0, 0.6]))", UNIT),
    Row("D.RelaxedOneHotCategorical(t(0.7), probs=t([0.2, 0.3, 0.5]))", SIMPLEX),
    Row("D.RelaxedOneHotCategorical(t(0.7), logits=t([[0.2, 0.3, 0.5], [1.0, -1.0, 0.0]]))", SIMPLEX),
    Row("D.Bernoulli(t([0.2, 0.5]))", [[0.0, 1.0], [1.0, 1.0]], [0.5, 0.0], "D.Bernoulli(1.5)"),
    Row("D.Bernoulli(logits=t([-1.0, 0.6]))", [[0.0, 1.0], [1.0, 1.0]]),
    Row("D.Geometric(t([0.2, 0.6]))", COUNTS, [0.5, 0.0], "D.Geometric(0.0)"),
    Row("D.Geometric(logits=t([-1.0, 0.6]))", COUNTS),
    Row("D.Binomial(5, t([0.2, 0.6]))", COUNTS, [7.0, 0.0], "D.Binomial(5, 1.5)"),
    Row("D.Binomial(5, logits=t([-1.0, 0.6]))", COUNTS),
    Row("D.NegativeBinomial(3.0, t([0.2, 0.6]))", COUNTS, [0.5, 0.0]),
    Row("D.NegativeBinomial(t([0.5, 3.0]), logits=t([-1.0, 0.6]))", COUNTS),
    Row("D.Poisson(t([0.5, 3.0]))", COUNTS, [0.5, 0.0], "D.Poisson(-1.0)"),
    Row("D.Categorical(t([0.2, 0.3, 0.5]))", [0, 2, 1], [3.0], "D.Categorical(t([-0.2, 0.3, 0.5]))"),
    Row("D.Categorical(logits=t([[0.2, 0.3, 0.5], [1.0, -1.0, 0.0]]))", [[0, 2], [1, 1]]),
    Row("D.OneHotCategorical(t([[0.2, 0.3, 0.5], [1.0, 1.0, 2.0]]))", [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]], [1.0, 1.0, 0.0]),
    Row("D.OneHotCategoricalStraightThrough(logits=t([0.2, 0.3, 0.5]))", [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]),
    Row("D.Multinomial(4, t([0.2, 0.3, 0.5]))", [[0.0, 1.0, 3.0], [2.0, 2.0, 0.0]], [-1.0, 2.0, 0.0]),
    Row("D.Multinomial(4, logits=t([[0.2, 0.3, 0.5], [1.0, -1.0, 0.0]]))", [[0.0, 1.0, 3.0], [2.0, 2.0, 0.0]]),
    Row(f"D.MultivariateNormal(t([0.3, -1.0]), {MATRIX})", REAL, bad="D.MultivariateNormal(t([0.0, 0.0]), t([[1.0, 2.0], [2.0, 1.0]]))"),
    Row(f"D.MultivariateNormal(t([[0.3, -1.0], [0.0, 1.0]]), precision_matrix={MATRIX})", REAL),
    Row("D.MultivariateNormal(t([0.3, -1.0]), scale_tril=t([[1.2, 0.0], [0.4, 0.7]]).tril())", REAL),
    Row("D.LowRankMultivariateNormal(t([0.3, -1.0]), t([[0.5], [1.0]]), t([0.4, 0.9]))", REAL),
    Row(f"D.Wishart(t(4.5), {MATRIX})", SPD), Row("D.Wishart(t([3.5, 6.0]), scale_tril=t([[1.2, 0.0], [0.4, 0.7]]).tril())", SPD),
    Row("D.LKJCholesky(2, t([0.5, 2.0]))", [[[1.0, 0.0], [0.6, 0.8]], [[1.0, 0.0], [-0.28, 0.96]]]),
    Row("D.Independent(D.Normal(t([0.3, -1.0]), t([1.5, 0.4])), 1)", REAL),
    Row("D.Independent(D.Beta(t([[0.5, 3.0]]), t([[2.0, 0.7]])), 1)", UNIT),
    Row("D.MixtureSameFamily(D.Categorical(t([0.3, 0.7])), D.Normal(t([0.3, -1.0]), t([1.5, 0.4])))", REAL),
    Row(f"D.MixtureSameFamily(D.Categorical(t([0.3, 0.7])), D.MultivariateNormal(t([[0.3, -1.0], [0.0, 1.0]]), {MATRIX}))", REAL),
    Row("D.TransformedDistribution(D.Normal(t([0.3, -1.0]), t([1.5, 0.4])), [D.AffineTransform(t(0.5), t(-2.0)), D.SigmoidTransform()])", UNIT),
    Row("D.TransformedDistribution(D.Uniform(t([0.0, 0.0]), t([1.0, 1.0])), [D.SigmoidTransform().inv, D.AffineTransform(t(0.5), t(2.0))])", REAL),
    Row("D.TransformedDistribution(D.Normal(t([0.3, -1.0]), t([1.5, 0.4])), D.ExpTransform())", POSITIVE),
]
