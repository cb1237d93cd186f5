using System.Diagnostics;
using System.Text.RegularExpressions;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.EndToEnd;

/// <summary>What a person sees: the tool in a real terminal of 80 and of 160 columns.</summary>
[Trait("Category", "EndToEnd")]
[Collection(SmokeStudyCollection.Name)]
public sealed partial class TerminalTests(SmokeStudy study)
{
    private const char Escape = '\u001b';

    [ProgramFact("tmux")]
    public void A_table_fits_the_terminal_and_has_the_marks_of_the_printed_one()
    {
        foreach (var columns in (int[])[80, 160])
        {
            using var terminal = new TerminalSession(study.Tool, columns);
            var screen = terminal.Run("show table1 --profile smoke");
            var plain = Codes().Replace(screen, "");
            Assert.Contains("Table 1.", plain, StringComparison.Ordinal);
            // A row is one line: its label, then every number of the columns that stand beside each other.
            var rows = plain.Split('\n').Where(l => l.StartsWith(" GA ", StringComparison.Ordinal)).ToList();
            Assert.Equal(3, Assert.Single(rows).Count(c => c == '│'));
            Assert.Contains("Forget set (reliability) ↓", plain, StringComparison.Ordinal);
            Assert.All(plain.Split('\n'), l => Assert.InRange(l.Length, 0, columns));
            Assert.Contains($"{Escape}[1", screen, StringComparison.Ordinal); // bold
            Assert.Matches($"{Escape}\\[(?:32|38;5;2)m[^{Escape}]*↑", screen); // green: higher is better
        }
    }

    [ProgramFact("tmux")]
    public void Without_colour_the_marks_stay_and_in_a_pipe_letters_stand_for_them()
    {
        using var terminal = new TerminalSession(study.Tool, 160);
        var screen = terminal.Run("show table1 --profile smoke", "NO_COLOR=1");
        Assert.Contains($"{Escape}[1", screen, StringComparison.Ordinal);
        Assert.DoesNotMatch($"{Escape}\\[(?:\\d+;)*(?:3[0-7]|38|9[0-7])", screen);
        var piped = study.Tool.Run("show", "table1", "--profile", "smoke").Out;
        Assert.DoesNotContain(Escape, piped);
        Assert.Contains("Marks: ^ bold, _ underlined, ~ gray.", piped, StringComparison.Ordinal);
        Assert.Matches(@"(?m)^ ROME .*\d\.\d\d[\^_~]", piped);
    }

    [ProgramFact("tmux")]
    public void A_run_shows_what_it_does_on_what_how_far_with_the_time_left_and_memory()
    {
        foreach (var columns in (int[])[80, 160])
        {
            using var terminal = new TerminalSession(study.Tool, columns);
            terminal.Type("repro pretrain --profile smoke -f");
            var seen = terminal.Until(s => Progress().IsMatch(s) && s.Contains("memory ", StringComparison.Ordinal));
            var lines = Codes().Replace(seen, "").Split('\n');
            Assert.Contains(
                lines,
                l => Regex.IsMatch(l, @"^smoke on cpu, float32, \d+ threads?; memory \d.* of \d.* GB$")
            );
            Assert.Contains(lines, l => Regex.IsMatch(l, @"^[#-]+ +\d+%  \d of \d stages, .*, about .* left$"));
            // The name, how far, since when, the memory of its worker, what it says.
            Assert.Contains(lines, l => Regex.IsMatch(l, @"^  pretrain\[llama2\] [#-]+ +\d+% .* [MG]B  \S"));
            Assert.All(lines, l => Assert.InRange(l.Length, 0, columns));
            terminal.End();
        }
    }

    [ProgramFact("tmux")]
    public void The_graph_fits_80_columns()
    {
        using var terminal = new TerminalSession(study.Tool, 80);
        var lines = Codes().Replace(terminal.Run("dag"), "").Split('\n');
        Assert.Contains(lines, l => l.StartsWith("report ", StringComparison.Ordinal));
        Assert.InRange(lines.Count(l => l.Length > 0 && l[0] is >= 'a' and <= 'z'), 10, 25);
        Assert.All(lines.Where(l => l.StartsWith("  ", StringComparison.Ordinal)), l => Assert.Equal(' ', l[10]));
    }

    [GeneratedRegex(@"\u001b\[[0-9;]*m")]
    private static partial Regex Codes();

    [GeneratedRegex(@"pretrain\[llama2\].* [MG]B  .*loss.*(?s:.*)$")]
    private static partial Regex Progress();

    // A terminal of some width with a shell in it, and nobody's settings.
    private sealed class TerminalSession : IDisposable
    {
        private const string Done = "the command has ended";
        private readonly string _socket = $"eu-{Guid.NewGuid():n}";

        public TerminalSession(Tool tool, int columns) =>
            Tmux(
                "-f",
                "/dev/null",
                "new-session",
                "-d",
                "-x",
                $"{columns}",
                "-y",
                "90",
                "-c",
                tool["."],
                "env",
                "-u",
                "CI",
                "-u",
                "NO_COLOR",
                "sh"
            );

        public string Run(string arguments, string variables = "")
        {
            Type(arguments, variables);
            return Until(s => s.Contains("\n" + Done, StringComparison.Ordinal)).Split("\n" + Done)[0];
        }

        public void Type(string arguments, string variables = "")
        {
            var program = Path.Combine(AppContext.BaseDirectory, "EditUnlearn.Cli.dll");
            // The echo of the command is cleared away; its end is told in two parts, so that only printing says it.
            Tmux(
                "send-keys",
                $"clear; {variables} dotnet {program} {arguments}; echo 'the command' 'has ended'",
                "Enter"
            );
        }

        public string Until(Func<string, bool> there)
        {
            for (var clock = Stopwatch.StartNew(); clock.Elapsed < TimeSpan.FromSeconds(90); Thread.Sleep(100))
                if (Tmux("capture-pane", "-p", "-e") is var screen && there(screen))
                    return screen;
            throw new InvalidOperationException("not seen:\n" + Tmux("capture-pane", "-p"));
        }

        public void End()
        {
            Tmux("send-keys", "C-c");
            _ = Until(s => s.Contains(Done, StringComparison.Ordinal));
        }

        public void Dispose() => Tmux("kill-server");

        private string Tmux(params string[] arguments)
        {
            using var tmux = Process.Start(
                new ProcessStartInfo("tmux", ["-L", _socket, .. arguments]) { RedirectStandardOutput = true }
            )!;
            var text = tmux.StandardOutput.ReadToEnd();
            tmux.WaitForExit();
            return text;
        }
    }
}
