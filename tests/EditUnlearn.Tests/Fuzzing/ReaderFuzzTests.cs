using System.Globalization;
using EditUnlearn.Foundation;

namespace EditUnlearn.Tests.Fuzzing;

/// <summary>
/// Every reader of what strangers bring, given damaged files: a value or a sentence comes out, soon and in bounded
/// memory, and nothing ends the process.
/// </summary>
/// <remarks>
/// <c>EU_FUZZ_CASES</c> sets how many inputs an ordinary reader gets. The long form, guided by what code an input
/// touches, is <c>tests/EditUnlearn.Fuzz</c>.
/// </remarks>
public sealed class ReaderFuzzTests
{
    private const int Usual = 80;

    /// <summary>Names of the readers.</summary>
    public static TheoryData<string> Readers => [.. FuzzTargets.All.Select(t => t.Name)];

    [Theory]
    [MemberData(nameof(Readers))]
    public void Damage_is_read_or_refused_with_a_sentence(string name)
    {
        var each = int.TryParse(
            Environment.GetEnvironmentVariable("EU_FUZZ_CASES"),
            NumberStyles.None,
            CultureInfo.InvariantCulture,
            out var n
        )
            ? n
            : Usual;
        var target = FuzzTargets.All.Single(t => t.Name == name);
        var inputs = Math.Max(20, (int)(each * target.Weight));
        var outcome = new FuzzLoop(target, new Seed(20)).Run(inputs);
        Assert.True(outcome.Faults.Count == 0, string.Join("\n\n", outcome.Faults));
        Assert.Equal(inputs, outcome.Read + outcome.Refused);
        // Damage that is never refused would test nothing.
        Assert.True(outcome.Refused > 0, $"{outcome.Refused} of {inputs} refused");
    }
}
