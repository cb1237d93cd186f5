using System.Diagnostics;

namespace EditUnlearn.Reports;

/// <summary>All tables and figures in one document.</summary>
public static class ReportDocument
{
    private const string Compiler = TexInstallation.Name;
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    /// <summary>A figure with its caption.</summary>
    /// <param name="Path">Of the picture, relative to the document.</param>
    /// <param name="Caption">Plain text.</param>
    /// <param name="Width">Share of the text width.</param>
    public sealed record Picture(string Path, string Caption, double Width);

    /// <summary>The LaTeX source.</summary>
    /// <param name="title">Of the document.</param>
    /// <param name="note">Below it; plain text.</param>
    /// <param name="tables">LaTeX, in order.</param>
    /// <param name="pictures">In order.</param>
    public static string Latex(
        string title,
        string note,
        IEnumerable<string> tables,
        IReadOnlyList<Picture> pictures
    ) =>
        Templating.Render(
            "report.tex",
            new
            {
                Title = Reports.Latex.Escape(title),
                Note = Reports.Latex.Escape(note),
                Tables = tables.Select(t => t.TrimEnd()).ToList(),
                Pictures = pictures
                    .Select(p => new
                    {
                        p.Path,
                        Caption = Reports.Latex.Escape(p.Caption),
                        Width = p.Width.ToString("0.##", System.Globalization.CultureInfo.InvariantCulture),
                    })
                    .ToList(),
            }
        );

    /// <summary>Files that the template loads where they are there; they decide the pages.</summary>
    public static IReadOnlyList<string> Packages { get; } =
    [
        "article.cls",
        "inputenc.sty",
        "fontenc.sty",
        "lmodern.sty",
        "geometry.sty",
        "array.sty",
        "longtable.sty",
        "booktabs.sty",
        "xcolor.sty",
        "graphicx.sty",
    ];

    /// <summary>Compiles a document. The same source and pictures give the same bytes with one TeX.</summary>
    /// <param name="folder">Where the source lies and the PDF will.</param>
    /// <param name="source">File name of the source.</param>
    /// <param name="cancelled">Ends the program.</param>
    /// <returns>What went wrong, or null.</returns>
    public static string? Compile(string folder, string source, CancellationToken cancelled = default)
    {
        var start = new ProcessStartInfo(
            Compiler,
            ["-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", source]
        )
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            UseShellExecute = false,
        };
        // No date in the file.
        start.Environment["SOURCE_DATE_EPOCH"] = "0";
        start.Environment["FORCE_SOURCE_DATE"] = "1";
        using var process = Process.Start(start) ?? throw new InvalidOperationException($"{Compiler} did not start.");
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEndAsync(cancelled);
        var error = process.StandardError.ReadToEndAsync(cancelled);
        using var clock = CancellationTokenSource.CreateLinkedTokenSource(cancelled);
        clock.CancelAfter(Limit);
        try
        {
            process.WaitForExitAsync(clock.Token).GetAwaiter().GetResult();
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            cancelled.ThrowIfCancellationRequested();
            return $"{Compiler} was still running after {Limit.TotalMinutes:0} minutes";
        }
        _ = error.GetAwaiter().GetResult();
        if (process.ExitCode == 0)
            return null;
        var lines = output.GetAwaiter().GetResult().Split('\n');
        return lines.FirstOrDefault(l => l.StartsWith('!')) ?? $"{Compiler} ended with {process.ExitCode}";
    }
}
