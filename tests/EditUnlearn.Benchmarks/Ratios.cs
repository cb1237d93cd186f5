using System.Diagnostics;
using System.Globalization;

namespace EditUnlearn.Benchmarks;

/// <summary>
/// How many times faster than the plain versions the value optimisations are: <c>-- ratios [rounds]</c>. Both run in
/// turn on one thread, and processor time is counted, so that other work on the machine matters little; the ratio of
/// medians is told.
/// </summary>
internal static class Ratios
{
    /// <summary>Runs methods at both widths and prints a table.</summary>
    /// <param name="arguments">Rounds, 5 when left out; then names of methods, all when left out.</param>
    /// <returns>The exit code: 0.</returns>
    public static int Run(string[] arguments)
    {
        var rounds = arguments is [var text, ..] ? int.Parse(text, CultureInfo.InvariantCulture) : 5;
        bool Asked(string name) => arguments.Length < 2 || arguments.Skip(1).Contains(name);
        Console.WriteLine("| | D | plain ms | ours ms | ratio |\n|---|---|---|---|---|");
        foreach (var width in (int[])[128, 256])
        {
            foreach (var method in ((string[])["rome", "memit", "memit-8", "study"]).Where(Asked))
            {
                var value = new ValueBenchmarks { Width = width, Method = method };
                value.Setup();
                Compare(method, width, method == "memit-8" ? Math.Min(2, rounds) : rounds, value.Plain, value.Cached);
            }
            var adapters = new AdapterBenchmarks { Width = width, Layer = 3 };
            adapters.Setup();
            if (Asked("grace"))
                Compare("grace", width, rounds, adapters.PlainGraceTraining, adapters.GraceTraining);
            if (Asked("grace-single"))
                Compare("grace-single", width, rounds, adapters.PlainGraceTraining, adapters.GraceTrainingOneByOne);
            if (Asked("wise"))
                Compare("wise", width, Math.Min(2, rounds), adapters.PlainWiseTraining, adapters.WiseTraining);
            if (Asked("wise-bare"))
                Compare("wise-bare", width, rounds, adapters.PlainWiseTrainingBare, adapters.WiseTrainingBare);
        }
        return 0;
    }

    private static void Compare(string name, int width, int rounds, Action plain, Action ours)
    {
        static double Time(Action what)
        {
            var before = Process.GetCurrentProcess().TotalProcessorTime;
            what();
            return (Process.GetCurrentProcess().TotalProcessorTime - before).TotalMilliseconds;
        }
        ours();
        var times = Enumerable.Range(0, rounds).Select(_ => (Plain: Time(plain), Ours: Time(ours))).ToList();
        double Median(Func<(double Plain, double Ours), double> of) =>
            times.Select(of).Order().ElementAt(times.Count / 2);
        var (p, o) = (Median(t => t.Plain), Median(t => t.Ours));
        Console.WriteLine(
            string.Create(CultureInfo.InvariantCulture, $"| {name} | {width} | {p:0} | {o:0} | {p / o:0.0} |")
        );
    }
}
