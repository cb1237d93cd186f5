using System.Globalization;
using EditUnlearn.Data;
using EditUnlearn.Foundation;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models;
using EditUnlearn.Models.Training;
using EditUnlearn.Models.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Workbench;

/// <summary>
/// Measures what editing methods must know of an untouched model, and writes it as files: once for stages of the study
/// and for a user's own model.
/// </summary>
/// <remarks>
/// Each file holds the fingerprint of the weights it comes from; those of another model are refused when they are read.
/// </remarks>
public static class ModelStatistics
{
    /// <summary>Name of a file of context prefixes.</summary>
    public const string ContextsFile = "contexts.json";

    /// <summary>Name of a file of second moments.</summary>
    public const string MomentsFile = "moments.safetensors";

    /// <summary>Name of a file of projectors.</summary>
    public const string ProjectorFile = "projector.safetensors";

    /// <summary>Whom to tell what.</summary>
    public sealed record Listener
    {
        /// <summary>Units done and in all.</summary>
        public Action<int, int>? Progress { get; init; }

        /// <summary>A line for a log.</summary>
        public Action<string>? Log { get; init; }

        /// <summary>What the user should know although the result stands.</summary>
        public Action<string>? Warn { get; init; }

        /// <summary>A number.</summary>
        public Action<string, double>? Metric { get; init; }

        /// <summary>Looked at between steps.</summary>
        public CancellationToken Cancelled { get; init; }
    }

    /// <summary>Lets the model write the context prefixes of all recipes.</summary>
    /// <param name="path">Where.</param>
    /// <param name="checkpoint">The untouched model.</param>
    /// <param name="seed">Of the draws.</param>
    /// <param name="listener">Whom to tell.</param>
    public static void WriteContexts(string path, Checkpoint checkpoint, Seed seed, Listener listener)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        ArgumentNullException.ThrowIfNull(listener);
        var draws = seed.For("contexts");
        var prefixes = new Dictionary<ContextRecipe, IReadOnlyList<ContextPrefix>>();
        foreach (var recipe in Enum.GetValues<ContextRecipe>())
        {
            listener.Cancelled.ThrowIfCancellationRequested();
            prefixes[recipe] = ContextPrefixes.Generate(checkpoint, recipe, ContextPrefixes.Available(recipe), draws);
            foreach (var prefix in prefixes[recipe])
                listener.Log?.Invoke($"{recipe}: {prefix.Text}");
        }
        ContextFile.Write(path, WeightFingerprint.Of(checkpoint.Model), prefixes);
    }

    /// <summary>
    /// Ordinary text as rows of tokens: plain text (<c>.txt</c>) with one document a line, BOS before each, or a
    /// question file, each row as the model is asked it.
    /// </summary>
    /// <param name="checkpoint">Whose tokens.</param>
    /// <param name="path">The file.</param>
    /// <param name="sample">How many of its documents, and the seed that draws them; null for all. They stay in the
    /// order of the file.</param>
    /// <exception cref="InputException">The file is absent, empty or of another form, or holds fewer documents than are
    /// asked for.</exception>
    public static IReadOnlyList<TokenRow> Text(
        Checkpoint checkpoint,
        string path,
        (int Documents, Seed Seed)? sample = null
    )
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        ArgumentNullException.ThrowIfNull(path);
        return path.EndsWith(".txt", StringComparison.OrdinalIgnoreCase)
            ?
            [
                .. Drawn(TextLines.Read(path), path, sample)
                    .Select(line => new TokenRow(
                        [
                            .. checkpoint.BosId is { } bos ? [bos] : Array.Empty<int>(),
                            .. checkpoint.Tokenizer.Encode(line),
                        ],
                        1
                    )),
            ]
            : [.. Drawn(QaFile.Read(path, "text"), path, sample).Select(q => checkpoint.Row(q.Question, q.Answer))];
    }

    // The first n of a shuffle, as the reference draws them; order changes rounding only, so it is the file's.
    private static IEnumerable<T> Drawn<T>(IReadOnlyList<T> documents, string path, (int Documents, Seed Seed)? sample)
    {
        if (sample is not { } wanted)
            return documents;
        if (documents.Count < wanted.Documents)
            throw new InputException(
                path,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"holds {documents.Count} documents, but second moments shall be measured on {wanted.Documents}"
                ),
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"more text, or mom2-samples: {documents.Count} (under moments in the profile; for a model of "
                        + $"your own --mom2-samples)"
                )
            );
        var order = Enumerable.Range(0, documents.Count).ToArray();
        wanted.Seed.For("moments").Stream("documents").Shuffle(order);
        return order.Take(wanted.Documents).Order().Select(i => documents[i]);
    }

    /// <summary>Measures second moments [F, F] of the MLP keys of some blocks.</summary>
    /// <param name="path">Where.</param>
    /// <param name="model">The untouched model.</param>
    /// <param name="rows">Ordinary text.</param>
    /// <param name="layers">Blocks, 0-based; all in one pass.</param>
    /// <param name="truncation">Tokens of a row beyond are left out; never more than the model's window.</param>
    /// <param name="listener">Whom to tell.</param>
    public static void WriteMoments(
        string path,
        CausalLm model,
        IReadOnlyList<TokenRow> rows,
        IReadOnlyList<int> layers,
        int truncation,
        Listener listener
    )
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentNullException.ThrowIfNull(listener);
        truncation = Math.Min(truncation, model.Config.MaxPositions);
        var (moments, tokens) = SecondMoments.Collect(
            model,
            rows,
            layers,
            truncation: truncation,
            progress: done => listener.Progress?.Invoke(done, rows.Count),
            cancelled: listener.Cancelled
        );
        SecondMoments.Save(path, moments, SecondMoments.Headers(model, rows, layers, tokens, truncation));
        foreach (var (layer, moment) in moments)
        {
            listener.Metric?.Invoke($"layer{layer}.mean-eigenvalue", moment.diagonal().mean().ToDouble());
            moment.Dispose();
        }
        listener.Metric?.Invoke("documents", rows.Count);
        listener.Metric?.Invoke("tokens", tokens);
    }

    /// <summary>Finds the directions that ordinary keys hardly use, from second moments.</summary>
    /// <param name="path">Where.</param>
    /// <param name="moments">The file of the second moments.</param>
    /// <param name="layers">Blocks, 0-based; the moments must hold them.</param>
    /// <param name="threshold">Directions whose eigenvalue lies below are kept.</param>
    /// <param name="unit">Of the threshold.</param>
    /// <param name="home">Where the eigenvectors are computed.</param>
    /// <param name="listener">Whom to tell.</param>
    /// <exception cref="InputException">The moments lack a block.</exception>
    public static void WriteProjector(
        string path,
        string moments,
        IReadOnlyList<int> layers,
        double threshold,
        EigenvalueUnit unit,
        Device home,
        Listener listener
    )
    {
        ArgumentNullException.ThrowIfNull(layers);
        ArgumentNullException.ThrowIfNull(listener);
        using var scope = NewDisposeScope();
        var file = SafetensorsFile.Open(moments);
        var spaces = new List<(NullSpace Space, StatisticsHeader Header)>();
        try
        {
            foreach (var layer in layers)
            {
                listener.Cancelled.ThrowIfCancellationRequested();
                var header = SecondMoments.Header(file, moments, layer);
                var space = NullSpace.Of(file.Read($"layer{layer}.C").to(home), threshold, unit);
                spaces.Add((space, header));
                listener.Metric?.Invoke($"layer{layer}.kept-directions", space.Kept);
                listener.Progress?.Invoke(spaces.Count, layers.Count);
                if (space.Kept == 0)
                    listener.Warn?.Invoke(
                        $"no direction of layer {layer} lies below the bound: nothing can be written there"
                    );
                if (space.Kept == space.Size)
                    listener.Warn?.Invoke(
                        $"every direction of layer {layer} lies below the bound: the projector protects nothing"
                    );
            }
            NullSpace.Save(path, spaces);
        }
        finally
        {
            foreach (var (space, _) in spaces)
                space.Dispose();
        }
    }
}
