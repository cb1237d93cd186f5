using BenchmarkDotNet.Attributes;
using EditUnlearn.Models;
using EditUnlearn.Models.Tokenizers;

namespace EditUnlearn.Benchmarks;

/// <summary>
/// Encodes a million bytes with every tokenizer below the folder that <c>EU_TOKENIZERS</c> names, else with the
/// miniature's; 1 MB over the mean is the throughput of one core.
/// </summary>
public class TokenizerBenchmarks
{
    private const int Length = 1_000_000;
    private ITokenizer _tokenizer = null!;
    private string _english = "",
        _run = "";

    /// <summary>Folders with a tokenizer; none for the miniature.</summary>
    public static IEnumerable<string> Tokenizers =>
        Environment.GetEnvironmentVariable("EU_TOKENIZERS") is { Length: > 0 } folder
            ?
            [
                .. Directory
                    .EnumerateFiles(folder, "tokenizer.*", SearchOption.AllDirectories)
                    .Select(f => Path.GetDirectoryName(f)!)
                    .Where(f => !f.Contains("unsupported", StringComparison.Ordinal))
                    .Distinct()
                    .Order(StringComparer.Ordinal),
            ]
            : [""];

    /// <summary>Where it lies.</summary>
    [ParamsSource(nameof(Tokenizers))]
    public string Folder { get; set; } = "";

    /// <summary>Reads the tokenizer and the text: the documents of this project, over and over.</summary>
    [GlobalSetup]
    public void Setup()
    {
        var pages = string.Concat(
            Directory.EnumerateFiles(Root(), "*.md").Order(StringComparer.Ordinal).Select(File.ReadAllText)
        );
        while (_english.Length < Length)
            _english += pages;
        _english = _english[..Length];
        _run = new string('a', Length);
        _tokenizer =
            Folder.Length == 0 ? BpeTrainer.Train(pages.Split('\n'), 1000) : TokenizerFolder.Load(Folder, Config);
    }

    /// <summary>English prose and tables, as ids.</summary>
    [Benchmark]
    public int English() => _tokenizer.Encode(_english).Count;

    /// <summary>The same, each token with its place.</summary>
    [Benchmark]
    public int EnglishWithOffsets() => _tokenizer.EncodeWithOffsets(_english).Count;

    /// <summary>One letter, a million times.</summary>
    [Benchmark]
    public int OneLetter() => _tokenizer.Encode(_run).Count;

    // Only the size of the vocabulary counts here: it is a bound.
    private static ModelConfig Config =>
        new()
        {
            Family = "llama2",
            VocabSize = 1 << 20,
            HiddenSize = 8,
            IntermediateSize = 8,
            Layers = 1,
            Heads = 1,
            KvHeads = 1,
            HeadDim = 8,
        };

    private static string Root()
    {
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
            if (Directory.Exists(Path.Combine(at.FullName, "docs", "decisions")))
                return Path.Combine(at.FullName, "docs");
        throw new InvalidOperationException("the benchmarks do not lie below the checkout");
    }
}
