using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using EditUnlearn.Foundation;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Fuzzing;

/// <summary>What is known to be new in the code that an input went through.</summary>
public interface IFuzzCoverage
{
    /// <summary>Forgets the last input.</summary>
    void Begin();

    /// <summary>Whether the input since <see cref="Begin"/> took a way that none before it took.</summary>
    bool IsNew();
}

/// <summary>What came of many inputs to one reader.</summary>
/// <param name="Inputs">How many were tried.</param>
/// <param name="Read">Of them were read.</param>
/// <param name="Refused">Of them were refused with a sentence of ours.</param>
/// <param name="Kept">Went a new way, and were damaged further.</param>
/// <param name="Slowest">Of one input, in seconds; a slow one has a second chance, as the machine may be busy.</param>
/// <param name="MostBytes">Allocated for one input.</param>
/// <param name="Faults">What must not be, with the number of the input.</param>
public sealed record FuzzOutcome(
    int Inputs,
    int Read,
    int Refused,
    int Kept,
    double Slowest,
    long MostBytes,
    IReadOnlyList<string> Faults
);

/// <summary>
/// Damages the files of a reader again and again. What went a new way, by the code it touched or by the sentence that
/// refused it, is damaged further.
/// </summary>
/// <remarks>The same seed and number of inputs give the same damage where coverage is not measured.</remarks>
public sealed partial class FuzzLoop(FuzzTarget target, Seed seed, IFuzzCoverage? coverage = null)
{
    /// <summary>No input may take longer.</summary>
    public static readonly TimeSpan Slowest = TimeSpan.FromSeconds(2);

    /// <summary>No input may take more memory, in bytes allocated by the reading thread.</summary>
    public const long MostBytes = 1L << 30;

    private const int MostKept = 400;
    private const int MostFaults = 5;

    private readonly HashSet<string> _said = new(StringComparer.Ordinal);
    private readonly List<string> _faults = [];
    private int _read,
        _refused;
    private double _slowest;
    private long _mostBytes;

    /// <summary>Tries inputs until there were enough, or too many faults.</summary>
    /// <param name="inputs">How many.</param>
    public FuzzOutcome Run(int inputs)
    {
        using var folder = new TemporaryFolder();
        foreach (var file in target.Files)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(folder[file.Name])!);
            File.WriteAllBytes(folder[file.Name], file.Content);
        }
        target.Read(folder);
        var kept = target.Files.ToList();
        var tried = 0;
        for (; tried < inputs && _faults.Count < MostFaults; tried++)
        {
            var mutator = new Mutator(seed, tried);
            // Half of the damage begins with whole files, however many are kept.
            var from = kept[mutator.Below(mutator.Below(2) == 0 ? target.Files.Count : kept.Count)];
            var damaged = from.Damaged(mutator);
            File.WriteAllBytes(folder[from.Name], damaged);
            if (Try(folder, $"input {tried}, {from.Name}") && kept.Count < MostKept)
                kept.Add(from.With(damaged));
            // Results are read-only where the store keeps them, so a file is put back by writing, not by linking.
            File.WriteAllBytes(folder[from.Name], target.Files.First(f => f.Name == from.Name).Content);
        }
        return new FuzzOutcome(tried, _read, _refused, kept.Count - target.Files.Count, _slowest, _mostBytes, _faults);
    }

    // Whether the input went a new way.
    private bool Try(TemporaryFolder folder, string what)
    {
        for (var attempt = 0; ; attempt++)
        {
            coverage?.Begin();
            var allocated = GC.GetAllocatedBytesForCurrentThread();
            var clock = Stopwatch.StartNew();
            var said = Outcome(folder, what);
            var seconds = clock.Elapsed.TotalSeconds;
            _mostBytes = Math.Max(_mostBytes, GC.GetAllocatedBytesForCurrentThread() - allocated);
            if (_mostBytes > MostBytes)
                _faults.Add($"{what}: {_mostBytes} bytes allocated");
            if (clock.Elapsed > Slowest && attempt < 2)
                continue;
            _slowest = Math.Max(_slowest, seconds);
            if (clock.Elapsed > Slowest)
                _faults.Add(string.Create(CultureInfo.InvariantCulture, $"{what}: {seconds:0.0} s"));
            if (said is null)
                _read++;
            else
                _refused++;
            var isNew = coverage?.IsNew() ?? false;
            return (_said.Add(said ?? "") && _said.Count < MostKept) || isNew;
        }
    }

    // The refusal without what is particular to the input; null where it was read.
    private string? Outcome(TemporaryFolder folder, string what)
    {
        try
        {
            target.Read(folder);
            return null;
        }
        catch (Exception e) when (e is InputException or DamagedFileException)
        {
            if (string.IsNullOrWhiteSpace(e.Message) || e.Message.Contains("   at ", StringComparison.Ordinal))
                _faults.Add($"{what}: says '{e.Message}'");
            var text = e.Message.Replace(folder.Path, "", StringComparison.Ordinal);
            return Particular().Replace(text[..Math.Min(text.Length, 300)], "_");
        }
        catch (Exception e)
        {
            _faults.Add($"{what}: {e}");
            return e.GetType().Name;
        }
    }

    [GeneratedRegex(@"'[^']*'|""[^""]*""|[0-9]+")]
    private static partial Regex Particular();
}
