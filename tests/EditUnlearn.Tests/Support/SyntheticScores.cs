using EditUnlearn.Artifacts;
using EditUnlearn.Evaluation.Metrics;
using EditUnlearn.Foundation;
using EditUnlearn.Reports;
using EditUnlearn.Reports.Figures;

namespace EditUnlearn.Tests.Support;

/// <summary>Scores of a study that was never run: every cell of the seven tables, drawn from a seed.</summary>
public static class SyntheticScores
{
    public static StudyScope Scope { get; } =
        new()
        {
            Kind = ModelKind.Miniature,
            Sets = StudyScope.Paper.Sets,
            Methods = StudyScope.WithPaperMethods([.. StudyScope.PaperMethods, new ReportMethod("idk", "IDK", false)]),
        };

    /// <summary>Every cell, both profiles; in an order that follows from the seed of the shuffle.</summary>
    public static IReadOnlyList<CellScore> All(ulong seed = 1, ulong shuffle = 0)
    {
        var scores = new List<CellScore>();
        void Run(string model, string data, int size, string method, string target, int merge, bool diverged = false)
        {
            foreach (var split in (string[])["forget", "retain", "rephrased", "heldout", "factual"])
                foreach (var metric in MetricCatalog.All)
                    foreach (var profile in MetricProfile.All)
                    {
                        var draw = new Seed(seed).Stream(
                            $"{model}/{data}/{size}/{method}/{target}/{merge}/{split}/{metric.Name}/{profile.Name}"
                        );
                        var mean = Mean(method, split, metric.Name, draw);
                        scores.Add(
                            new CellScore
                            {
                                Model = model,
                                Set = StudySet.NameOf(data, size, target, merge),
                                Data = data,
                                Size = size,
                                Method = method,
                                Target = target,
                                Merge = merge,
                                Split = split,
                                Metric = metric.Name,
                                Profile = profile.Name,
                                Mean = mean,
                                StandardError = 0.02,
                                CiLow = Math.Max(0, mean - 0.04),
                                CiHigh = mean + 0.04,
                                Count = 40,
                                Diverged = diverged,
                            }
                        );
                    }
        }
        void Methods(string model, string data, int size)
        {
            Run(model, data, size, ScoreBook.Untouched, "", 1);
            foreach (var m in Scope.Methods)
                if (m is { IsEditing: false, Name: not ("dpo" or "idk") })
                    Run(model, data, size, m.Name, "", 1, diverged: m.Name == "kl");
                else if (m.Name != "memit" || model != "mistral")
                    foreach (var target in (string[])["plain", "self-improved"])
                        Run(model, data, size, m.Name, target, 1);
        }
        foreach (var set in Scope.Sizes)
            Methods("llama2", "facts", Scope.Sets[set].Size!.Value);
        Methods("mistral", "facts", 40);
        Methods("llama31", "facts", 40);
        foreach (var model in (string[])["llama2", "mistral"])
            foreach (var size in (int[])[20, 40])
                Methods(model, "contracts", size);
        foreach (var method in (string[])["rome", "memit"])
            foreach (var set in Scope.Merged)
                Run("llama2", "facts", 80, method, "plain", Scope.Sets[set].Merge);
        if (shuffle > 0)
            new Seed(shuffle).Stream("shuffle").Shuffle(scores);
        return scores;
    }

    // Untouched everything is known; afterwards the retain set keeps more, and GA says next to nothing.
    private static double Mean(string method, string split, string metric, SplitMix64 draw)
    {
        var mean =
            method == ScoreBook.Untouched ? 0.9 + 0.1 * draw.NextDouble()
            : split == "retain" ? 0.3 + 0.7 * draw.NextDouble()
            : 0.6 * draw.NextDouble();
        return method == "ga" && metric.StartsWith("rouge1", StringComparison.Ordinal) ? mean * 0.05 : mean;
    }

    /// <summary>The same as a book.</summary>
    public static ScoreBook Book(MetricProfile? profile = null, ulong shuffle = 0)
    {
        profile ??= MetricProfile.Strict;
        return new ScoreBook(
            All(shuffle: shuffle),
            profile.Name,
            [.. profile.Columns, .. FigureCatalog.StandIns.Select(s => KeyValuePair.Create(s, s))]
        );
    }

    /// <summary>The paper's tables.</summary>
    public static PaperNumbers Paper { get; } = PaperNumbers.Read(Path.Combine(Checkout.Root, "paper"));
}
