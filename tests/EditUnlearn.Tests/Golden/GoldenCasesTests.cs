using System.Reflection;
using EditUnlearn.Tests.Support;
using Xunit.Abstractions;
using Xunit.Sdk;

namespace EditUnlearn.Tests.Golden;

/// <summary>
/// How many golden cases run and from which folder: one line of <c>dotnet test</c>, since a skipped test is easily
/// overlooked.
/// </summary>
[Trait("Category", "Golden")]
public sealed class GoldenCasesTests(GoldenCasesTests.Report report) : IClassFixture<GoldenCasesTests.Report>
{
    [Fact]
    public void A_folder_that_is_there_has_cases() =>
        Assert.True(report.Cases > 0 || !Directory.Exists(Checkout.Goldens), report.Line);

    [Fact]
    public void The_fixtures_lack_only_what_their_readme_says_they_lack()
    {
        var readme = File.ReadAllText(Path.Combine(Checkout.Fixtures, "README.md"));
        Assert.All(
            Readers().Select(r => r.Golden.Needs).Distinct(),
            needs =>
                Assert.True(
                    Goldens.Files(Checkout.Fixtures, needs).Any()
                        || readme.Contains($"`{needs}`", StringComparison.Ordinal),
                    $"tests/Fixtures/goldens holds no {needs}, and its README.md does not list that as left out"
                )
        );
    }

    private static IEnumerable<(MethodInfo Method, FactAttribute Fact, IReadsGoldens Golden)> Readers() =>
        typeof(GoldenCasesTests)
            .Assembly.GetTypes()
            .SelectMany(t => t.GetMethods())
            .Select(m => (Method: m, Fact: m.GetCustomAttribute<FactAttribute>()))
            .Where(m => m.Fact is IReadsGoldens)
            .Select(m => (m.Method, m.Fact!, (IReadsGoldens)m.Fact!));

    /// <summary>Counts the cases as xunit does: one a fact, one a row of data.</summary>
    public sealed class Report
    {
        /// <param name="diagnostics">Where a line goes that shall be seen without a failure.</param>
        public Report(IMessageSink diagnostics)
        {
            ArgumentNullException.ThrowIfNull(diagnostics);
            var readers = Readers().ToList();
            Cases = readers.Where(r => r.Fact.Skip is null).Sum(r => RowsOf(r.Method));
            var skipped = readers.Count(r => r.Fact.Skip is not null);
            Line =
                $"golden cases: {Cases} from {Checkout.NameOf(Checkout.Goldens)}"
                + (skipped > 0 ? $"; {skipped} tests skipped for want of values" : "");
            diagnostics.OnMessage(new DiagnosticMessage(Line));
        }

        /// <summary>Cases that run.</summary>
        public int Cases { get; }

        /// <summary>What is printed.</summary>
        public string Line { get; }

        private static int RowsOf(MethodInfo method) =>
            method.GetCustomAttribute<TheoryAttribute>() is null
                ? 1
                : method.GetCustomAttributes<DataAttribute>().Sum(d => d.GetData(method).Count());
    }
}
