using System.Globalization;
using System.Text.Json;
using EditUnlearn.Models;
using EditUnlearn.Models.Patches;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Support;

/// <summary>
/// How the goldens of the real model store what is too large to store whole, and comparisons with it.
/// </summary>
internal static class RealGoldens
{
    /// <summary>
    /// Where the reference's two largest logits are nearer than this, other arithmetic may go on with the other token.
    /// </summary>
    public const double NearTie = 0.01;

    /// <summary>Fails unless a number lies within a distance of the expected one.</summary>
    public static void Near(double expected, double actual, double allowed, string what) =>
        Assert.True(
            Math.Abs(expected - actual) <= allowed,
            string.Create(
                CultureInfo.InvariantCulture,
                $"{what}: {actual:g9}, the reference has {expected:g9}, allowed {allowed:0.0e0}"
            )
        );

    /// <summary>Numbers of a list.</summary>
    public static double[] Numbers(JsonElement e) => [.. e.EnumerateArray().Select(x => x.GetDouble())];

    /// <summary>
    /// Compares a matrix with its stored norms and entries. What sums over entries is compared in units of the norm,
    /// since entries cancel there; single entries in units of the largest.
    /// </summary>
    /// <param name="expected">Norm, sum, largest entry, first and last entries, norms of the first rows and columns.
    /// </param>
    /// <param name="actual">[rows, columns].</param>
    /// <param name="bound">Relative.</param>
    /// <param name="what">Said where they differ.</param>
    public static void Statistics(JsonElement expected, Tensor actual, double bound, string what)
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var a = actual.to(ScalarType.Float64);
        var (norm, largest) = (Number("norm"), Number("abs_max"));
        double Number(string name) => expected.GetProperty(name).GetDouble();
        Near(norm, a.norm().ToDouble(), bound * norm, $"{what} norm");
        Near(Number("sum"), a.sum().ToDouble(), 10 * bound * norm, $"{what} sum");
        Near(largest, a.abs().max().ToDouble(), bound * largest, $"{what} largest");
        var all = a.reshape(-1);
        foreach (var part in expected.EnumerateObject().Where(p => p.Value.ValueKind == JsonValueKind.Array))
        {
            var stored = Numbers(part.Value);
            var (found, unit) = part.Name switch
            {
                ['f', 'i', 'r', 's', 't', ..] => (all.narrow(0, 0, stored.Length), largest),
                ['l', 'a', 's', 't', ..] => (all.narrow(0, all.shape[0] - stored.Length, stored.Length), largest),
                ['r', 'o', 'w', ..] => (a.narrow(0, 0, stored.Length).norm(1), norm),
                _ => (a.narrow(1, 0, stored.Length).norm(0), norm),
            };
            foreach (var (i, (e, f)) in stored.Zip(found.data<double>().ToArray()).Index())
                Near(e, f, bound * unit, $"{what} {part.Name} {i}");
        }
    }

    /// <summary>Compares logits [V] with the stored largest ones and their log-sum-exp.</summary>
    public static void LastPosition(JsonElement expected, Tensor logits, double bound, string what)
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var ids = tensor(Goldens.Ints(expected.GetProperty("ids")).Select(i => (long)i).ToArray());
        Tensors.Near(
            tensor(Numbers(expected.GetProperty("logits"))),
            logits.index_select(0, ids),
            bound,
            $"{what} largest logits"
        );
        var sum = expected.GetProperty("logsumexp").GetDouble();
        Near(sum, logits.to(ScalarType.Float64).logsumexp(0).ToDouble(), bound * Math.Abs(sum), $"{what} log-sum-exp");
    }

    /// <summary>Logits [V] of the token after a prompt.</summary>
    public static Tensor Last(CausalLm model, IReadOnlyList<int> prompt, ForwardTap? tap = null)
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var hidden = model.Hidden(Tensors.Ids(prompt), new ForwardOptions { Tap = tap });
        return model.Logits(hidden[0, -1].unsqueeze(0)).squeeze(0).MoveToOuterDisposeScope();
    }

    /// <summary>Stored greedy answers.</summary>
    /// <param name="Prompt">Token ids.</param>
    /// <param name="Ids">What was said, the token that ended it included.</param>
    /// <param name="Gaps">Between the two largest logits of each step.</param>
    public sealed record Answer(IReadOnlyList<int> Prompt, IReadOnlyList<int> Ids, IReadOnlyList<double> Gaps)
    {
        /// <summary>From a prompt and an entry with <paramref name="ids"/> and <paramref name="gaps"/>.</summary>
        public static Answer Of(IReadOnlyList<int> prompt, JsonElement entry, string ids, string gaps) =>
            new(prompt, Goldens.Ints(entry.GetProperty(ids)), Numbers(entry.GetProperty(gaps)));
    }

    /// <summary>
    /// Asks for answers and compares each up to its first near tie; returns what was said.
    /// </summary>
    public static IReadOnlyList<Generated> Said(
        Checkpoint checkpoint,
        CausalLm model,
        IReadOnlyList<Answer> answers,
        string what,
        ForwardTap? tap = null,
        int batchRows = 24
    )
    {
        var options = new GreedyDecoder.Options
        {
            MaxNewTokens = answers.Max(a => a.Ids.Count),
            StopIds = checkpoint.StopIds,
            BatchRows = batchRows,
            Tap = tap,
        };
        var said = GreedyDecoder.Decode(model, [.. answers.Select(a => a.Prompt)], options);
        foreach (var (i, (answer, found)) in answers.Zip(said).Index())
        {
            // The reference keeps the token that ends an answer, ours does not.
            IReadOnlyList<int> ours =
                found.Reason == StopReason.StopToken ? [.. found.Ids, checkpoint.EndId] : found.Ids;
            var compared = answer.Gaps.TakeWhile(g => g >= NearTie).Count();
            Assert.True(
                answer.Ids.Take(compared).SequenceEqual(ours.Take(compared)),
                $"{what} {i}: '{checkpoint.Decode(found.Ids)}', not '{checkpoint.Decode(answer.Ids)}'"
            );
        }
        return said;
    }

    /// <summary>A model over the same weights but for those that a patch changes.</summary>
    public static CausalLm Edited(CausalLm model, WeightPatch patch)
    {
        using var quiet = no_grad();
        return model.Over(
            model.Weights.ToDictionary(
                w => w.Key,
                w => patch.Changes.TryGetValue(w.Key, out var change) ? Changed(w.Value, change) : w.Value,
                StringComparer.Ordinal
            )
        );
    }

    private static Tensor Changed(Tensor weight, WeightChange change)
    {
        var copy = weight.clone();
        change.AddTo(copy);
        return copy;
    }
}
