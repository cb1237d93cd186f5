using EditUnlearn.Cli.Terminal;
using EditUnlearn.Reports.Tables;
using EditUnlearn.Tests.Support;
using Spectre.Console;
using Table = EditUnlearn.Reports.Tables.Table;

namespace EditUnlearn.Tests.Unit.Cli;

/// <summary>Tables on terminals of some widths, with and without the means to show marks.</summary>
public sealed class TableViewTests
{
    private static readonly IReadOnlyList<Table> Tables =
    [
        .. TableCatalog
            .All(SyntheticScores.Scope)
            .Select(l => Table.Of(l, SyntheticScores.Book(), SyntheticScores.Scope)),
    ];

    private static string[] Written(Table table, int width, bool marks)
    {
        using var text = new StringWriter();
        var console = AnsiConsole.Create(
            new AnsiConsoleSettings
            {
                Out = new AnsiConsoleOutput(text),
                Ansi = marks ? AnsiSupport.Yes : AnsiSupport.No,
                ColorSystem = marks ? ColorSystemSupport.Standard : ColorSystemSupport.NoColors,
            }
        );
        console.Profile.Width = width;
        TableView.Write(console, table, Captions.Of(table, SyntheticScores.Scope));
        return text.ToString().Split('\n');
    }

    [Theory]
    [InlineData(80)]
    [InlineData(160)]
    [InlineData(4096)]
    public void Every_number_is_there_once_and_no_line_is_wider_than_the_terminal(int width)
    {
        foreach (var table in Tables)
        {
            var lines = Written(table, width, marks: false);
            Assert.All(lines, l => Assert.InRange(l.Length, 0, width));
            var numbers = lines
                .Where(l => l.Contains('│'))
                .SelectMany(l => l[l.IndexOf('│')..].Split(' ', '│'))
                .Where(w => w.Length > 0 && char.IsAsciiDigit(w[0]))
                .Select(w => w.TrimEnd('^', '_', '~', '†'));
            Assert.Equal(
                table.Cells.Where(c => c.Value is not null).Select(c => c.Printed).Order(StringComparer.Ordinal),
                numbers.Order(StringComparer.Ordinal)
            );
        }
    }

    [Fact]
    public void Models_stand_beside_each_other_where_there_is_room()
    {
        Assert.Equal(2, Written(Tables[0], 80, marks: true).Count(l => l.Contains("Rouge1 Ref.")));
        Assert.Equal(1, Written(Tables[0], 160, marks: true).Count(l => l.Contains("Rouge1 Ref.")));
    }

    [Fact]
    public void Marks_are_those_of_the_printed_table_and_letters_where_a_terminal_has_none()
    {
        var (shown, plain) = (Written(Tables[0], 160, marks: true), Written(Tables[0], 4096, marks: false));
        var (both, grey) = (
            Tables[0].Cells.Count(c => c is { Bold: true, Underlined: true }),
            Tables[0].Cells.Count(c => c is { Grey: true, Value: not null })
        );
        Assert.True(both > 0 && grey > 0);
        Assert.Equal(both, Count(shown, "\u001b[1;4m"));
        Assert.Equal(grey, Count(shown, "\u001b[2m"));
        Assert.Equal(both, Count(plain[2..], "^_"));
        Assert.Equal(grey, Count(plain[2..], "~"));
        Assert.DoesNotContain(plain, l => l.Contains('\u001b'));
    }

    private static int Count(string[] lines, string mark) => lines.Sum(l => l.Split(mark).Length - 1);
}
