using System.Diagnostics;

namespace EditUnlearn.Tests.EndToEnd;

/// <summary>The short form of tests/torture; docs/torture.md has what the long one printed.</summary>
[Trait("Category", "EndToEnd")]
public sealed class TortureTests
{
    [Theory]
    [InlineData("kill")]
    [InlineData("disk")]
    [InlineData("together")]
    [InlineData("flip")]
    [InlineData("gc")]
    public async Task Nothing_is_torn_lost_or_left_behind(string row)
    {
        var start = new ProcessStartInfo(
            "dotnet",
            [Path.Combine(AppContext.BaseDirectory, "EditUnlearn.Torture.dll"), "short", row]
        )
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var torture = Process.Start(start)!;
        var error = torture.StandardError.ReadToEndAsync();
        var report = await torture.StandardOutput.ReadToEndAsync();
        await torture.WaitForExitAsync();
        Assert.True(torture.ExitCode == 0, report + await error);
        Assert.StartsWith("PASS  " + row, report, StringComparison.Ordinal);
        Assert.EndsWith("all rows PASS\n", report, StringComparison.Ordinal);
    }
}
