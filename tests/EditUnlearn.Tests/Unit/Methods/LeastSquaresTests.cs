using EditUnlearn.Foundation;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Unit.Methods;

/// <summary>
/// Closed forms against the equations they solve (docs/methods.md), in float64.
/// </summary>
public sealed class LeastSquaresTests
{
    private const int F = 24;

    private static Tensor Random(string what, long rows, long columns)
    {
        var draw = new Seed(7).Stream(what);
        return tensor(Enumerable.Range(0, (int)(rows * columns)).Select(_ => draw.NextGaussian()).ToArray())
            .view(rows, columns);
    }

    private static Tensor Moment(int rank = 200)
    {
        var x = Random("text", rank, F);
        return matmul(x.t(), x) / rank;
    }

    [Theory]
    [InlineData(1, 15000)]
    [InlineData(1, 0.5)]
    [InlineData(7, 20)]
    [InlineData(23, 3)]
    public void Woodbury_equals_the_direct_solve(int edits, double lambda)
    {
        using var scope = NewDisposeScope();
        var (c, k) = (Moment(), Random("keys", F, edits));
        using var factored = new FactoredMoment(c, lambda);
        Tensors.Near(LeastSquares.Direct(c, lambda, k), factored.Solve(k), 1e-8, "factor");
        Tensors.Near(matmul(linalg.inv(lambda * c + matmul(k, k.t())), k), factored.Solve(k), 1e-8, "inverse");
    }

    [Fact]
    public void One_fact_with_a_round_moment_is_written_by_its_share()
    {
        using var scope = NewDisposeScope();
        var (k, r) = (Random("keys", F, 1), Random("residual", 5, 1));
        var square = k.square().sum().ToDouble();
        foreach (var lambda in (double[])[100, 1, 1e-9])
        {
            using var factored = new FactoredMoment(0.5 * eye(F, dtype: ScalarType.Float64), lambda);
            Tensors.Near(
                r * (square / (0.5 * lambda + square)),
                matmul(matmul(r, factored.Solve(k).t()), k),
                1e-9,
                $"lambda {lambda}"
            );
        }
        // lambda -> 0 leaves the smallest update that fits exactly.
        using var none = new FactoredMoment(eye(F, dtype: ScalarType.Float64), 1e-12);
        Tensors.Near(matmul(r, k.t()) / square, matmul(r, none.Solve(k).t()), 1e-9, "minimum norm");
    }

    [Fact]
    public void One_fact_is_written_by_s_over_one_plus_s_and_fades_like_one_over_lambda()
    {
        using var scope = NewDisposeScope();
        var (c, k, r) = (Moment(), Random("keys", F, 1), Random("residual", 5, 1));
        var s = matmul(k.t(), linalg.solve(3 * c, k)).ToDouble();
        using var factored = new FactoredMoment(c, 3);
        Tensors.Near(r * (s / (1 + s)), matmul(matmul(r, factored.Solve(k).t()), k), 1e-9, "written");
        using var far = new FactoredMoment(c, 1e9);
        using var farther = new FactoredMoment(c, 1e10);
        Assert.Equal(10, far.Solve(k).norm().ToDouble() / farther.Solve(k).norm().ToDouble(), 1e-6);
    }

    [Fact]
    public void A_batch_does_not_depend_on_the_order_of_its_facts()
    {
        using var scope = NewDisposeScope();
        var (c, k, r) = (Moment(), Random("keys", F, 4), Random("residual", 5, 4));
        var order = tensor(new[] { 2L, 0L, 3L, 1L });
        using var factored = new FactoredMoment(c, 2);
        Tensors.Near(
            matmul(r, factored.Solve(k).t()),
            matmul(r.index_select(1, order), factored.Solve(k.index_select(1, order)).t()),
            1e-10,
            "update"
        );
        // A fact told twice counts more, in the same direction.
        var (one, two) = (
            matmul(r.narrow(1, 0, 1), factored.Solve(k.narrow(1, 0, 1)).t()),
            matmul(
                cat([r.narrow(1, 0, 1), r.narrow(1, 0, 1)], 1),
                factored.Solve(cat([k.narrow(1, 0, 1), k.narrow(1, 0, 1)], 1)).t()
            )
        );
        Assert.Equal(1, (one * two).sum().ToDouble() / one.norm().ToDouble() / two.norm().ToDouble(), 1e-9);
        Assert.True(two.norm().ToDouble() > one.norm().ToDouble());
    }

    [Fact]
    public void A_moment_that_is_not_positive_definite_gets_a_ridge_that_is_reported()
    {
        using var scope = NewDisposeScope();
        var c = Moment(rank: 5).to(ScalarType.Float32);
        using var factored = new FactoredMoment(c, 2);
        Assert.InRange(factored.AddedRidge, 1e-12, 1e-3);
        var k = Random("keys", F, 2);
        Assert.True(factored.Solve(k).isfinite().all().ToBoolean());
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(0, 6)]
    [InlineData(9, 3)]
    public void The_small_form_under_a_projector_equals_the_dense_solve(int earlier, int edits)
    {
        using var scope = NewDisposeScope();
        using var space = NullSpace.Of(Moment(), 0.8, EigenvalueUnit.Mean);
        var p = space.Project(eye(F));
        var (k, r) = (Random("keys", F, edits), Random("residual", 5, edits));
        var before = earlier == 0 ? null : Random("earlier", F, earlier);
        var m = before is null ? zeros(F, F, dtype: ScalarType.Float64) : matmul(before, before.t());
        var dense = linalg
            .solve(
                matmul(p, matmul(k, k.t()) + m) + 10 * eye(F, dtype: ScalarType.Float64),
                matmul(matmul(p, k), r.t())
            )
            .t();
        var small = matmul(
            r,
            Projected(before is null ? null : space.Project(before), space.Project(k), 10).t()
        );
        Tensors.Near(dense, small, 1e-8, "update");
    }

    [Fact]
    public void Earlier_edits_are_moved_less_the_more_often_they_are_remembered()
    {
        using var scope = NewDisposeScope();
        using var space = NullSpace.Of(Moment(), 0.8, EigenvalueUnit.Mean);
        var (k, r, before) = (Random("keys", F, 2), Random("residual", 5, 2), Random("earlier", F, 3));
        double Moved(int times)
        {
            var cache = times == 0 ? null : space.Project(before.repeat(1, times));
            return matmul(matmul(r, Projected(cache, space.Project(k), 1).t()), before).norm().ToDouble();
        }
        Assert.True(Moved(0) > Moved(1) && Moved(1) > Moved(4));
    }

    [Theory]
    [InlineData(0.8, EigenvalueUnit.Mean)]
    [InlineData(1.3, EigenvalueUnit.Mean)]
    [InlineData(0.9, EigenvalueUnit.Absolute)]
    public void A_projector_is_one_and_updates_spare_what_it_discards(double threshold, EigenvalueUnit unit)
    {
        using var scope = NewDisposeScope();
        var c = Moment();
        using var space = NullSpace.Of(c, threshold, unit);
        var p = space.Project(eye(F));
        Tensors.Near(p, matmul(p, p), 1e-10, "P P");
        Tensors.Near(p, p.t(), 1e-10, "P transposed");
        Assert.Equal(space.Kept, p.diagonal().sum().ToDouble(), 1e-8);
        Assert.InRange(space.Kept, 1, F - 1);
        Assert.True(space.Factor.shape[1] <= F / 2, "the larger of two factors is stored");

        var update = matmul(
            Random("residual", 5, 2),
            Projected(null, space.Project(Random("keys", F, 2)), 1).t()
        );
        var spared = matmul(eye(F, dtype: ScalarType.Float64) - p, Random("ordinary", F, 6));
        Assert.True(matmul(update, spared).norm().ToDouble() < 1e-10 * update.norm().ToDouble());
        var bound = unit == EigenvalueUnit.Mean ? threshold * c.diagonal().mean().ToDouble() : threshold;
        Assert.True(matmul(update, c).norm().ToDouble() <= update.norm().ToDouble() * bound * (1 + 1e-9));
    }

    [Fact]
    public void Everything_or_nothing_may_lie_in_the_null_space()
    {
        using var scope = NewDisposeScope();
        var k = Random("keys", F, 3);
        using var all = NullSpace.Of(Moment(), 1e9, EigenvalueUnit.Absolute);
        using var nothing = NullSpace.Of(Moment(), 1e-9, EigenvalueUnit.Absolute);
        Assert.Equal((F, 0), (all.Kept, nothing.Kept));
        // P = I, no history: K (K^T K + L2)^-1, the transpose of K^T (K K^T + L2)^-1.
        Tensors.Near(
            linalg.solve(matmul(k, k.t()) + 2 * eye(F, dtype: ScalarType.Float64), k),
            Projected(null, all.Project(k), 2),
            1e-9,
            "identity"
        );
        Assert.Equal(0, Projected(null, nothing.Project(k), 2).norm().ToDouble());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void Keys_remembered_one_by_one_count_as_keys_remembered_at_once(int together)
    {
        using var scope = NewDisposeScope();
        using var space = NullSpace.Of(Moment(), 0.8, EigenvalueUnit.Mean);
        var (earlier, k) = (space.Project(Random("earlier", F, 12)), space.Project(Random("keys", F, 2)));
        using var grown = new ProjectedKeys(1);
        for (var i = 0; i < 12; i += together)
            grown.Add(earlier.narrow(1, i, together));
        Tensors.Near(Projected(earlier, k, 1), grown.Factor(k), 1e-11, "factor");
        // One that lies among those remembered is moved less, and stays finite.
        var twice = grown.Factor(earlier.narrow(1, 3, 1));
        Assert.True(twice.norm().ToDouble() < Projected(null, earlier.narrow(1, 3, 1), 1).norm().ToDouble());
    }

    // The right factor beside earlier keys, if there are any.
    private static Tensor Projected(Tensor? earlier, Tensor keys, double ridge)
    {
        using var all = new ProjectedKeys(ridge);
        if (earlier is not null)
            all.Add(earlier);
        return all.Factor(keys);
    }
}
