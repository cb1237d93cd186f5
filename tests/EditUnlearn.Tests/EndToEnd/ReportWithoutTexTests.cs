using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.EndToEnd;

/// <summary>A report made without a TeX is made again once there is one, and nothing else is.</summary>
[Trait("Category", "EndToEnd")]
[Trait("Category", "Latex")]
public sealed class ReportWithoutTexTests
{
    [ProgramFact("pdflatex")]
    public void The_pdf_comes_with_the_tex_and_only_the_report_runs()
    {
        using var tool = new Tool();
        Directory.CreateDirectory(tool["nothing"]);
        tool.Variables["PATH"] = tool["nothing"];
        var (code, _, error) = tool.Run("repro", "--profile", "smoke");
        Assert.True(code == 0, error);
        Assert.Contains("no TeX is installed", error, StringComparison.Ordinal);
        Assert.False(File.Exists(tool["artifacts/report/pdf/report.pdf"]));
        Assert.Empty(tool.Repro().Ran);

        tool.Variables.Remove("PATH");
        var why = tool.Run("explain", "report", "--profile", "smoke").Out;
        Assert.StartsWith("report: pdflatex of this machine absent -> pdfTeX ", why, StringComparison.Ordinal);
        Assert.Equal(["report"], tool.Repro().Ran);
        Assert.True(new FileInfo(tool["artifacts/report/pdf/report.pdf"]).Length > 10_000);
        Assert.Empty(tool.Repro().Ran);
    }

    [Fact]
    public void Accept_new_goes_with_force()
    {
        using var tool = new Tool();
        var (code, _, error) = tool.Run("repro", "--profile", "smoke", "--accept-new", "report");
        Assert.Equal(2, code);
        Assert.Contains("--accept-new: goes with --force", error, StringComparison.Ordinal);
    }
}
