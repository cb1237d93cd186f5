using System.Globalization;
using System.Numerics;
using System.Text;

namespace EditUnlearn.Models.Chat;

internal sealed partial class Python
{
    /// <summary>What is printed of a value: Python's <c>str</c>.</summary>
    public string Text(object value) => AsText(value) ?? (value is Undefined ? "" : Shown(value));

    /// <summary>Python's <c>repr</c>.</summary>
    public string Shown(object value)
    {
        var made = new StringBuilder();
        Show(value, made);
        return made.ToString();
    }

    private void Show(object value, StringBuilder made)
    {
        budget.Enter();
        var before = made.Length;
        switch (value)
        {
            case string s:
                made.Append(PythonText.Quoted(s));
                break;
            case Markup m:
                made.Append("Markup(").Append(PythonText.Quoted(m.Text)).Append(')');
                break;
            case ListValue l:
                ShowItems(made, "[", l.Items, "]");
                break;
            case TupleValue t:
                ShowItems(made, "(", t.Items, t.Items.Count == 1 ? ",)" : ")");
                break;
            case ViewValue v:
                ShowItems(made.Append(v.Name), "([", v.Items, "])");
                break;
            case DictValue d:
                ShowEntries(made, d);
                break;
            case NamespaceValue n:
                made.Append("<Namespace ");
                ShowEntries(made, n.Names);
                made.Append('>');
                break;
            default:
                made.Append(ShownAlone(value));
                break;
        }
        budget.Spend((made.Length - before) / 4);
        if (made.Length > Budget.Characters)
            budget.Text(made.Length);
        budget.Leave();
    }

    private void ShowItems(StringBuilder made, string begin, IReadOnlyList<object> items, string end)
    {
        made.Append(begin);
        for (var i = 0; i < items.Count; i++)
        {
            if (i > 0)
                made.Append(", ");
            Show(items[i], made);
        }
        made.Append(end);
    }

    private void ShowEntries(StringBuilder made, DictValue dict)
    {
        made.Append('{');
        var comma = "";
        foreach (var (key, item) in dict.Entries)
        {
            made.Append(comma);
            comma = ", ";
            Show(key, made);
            made.Append(": ");
            Show(item, made);
        }
        made.Append('}');
    }

    private static string ShownAlone(object value) =>
        value switch
        {
            None => "None",
            bool b => b ? "True" : "False",
            BigInteger i => i.ToString(CultureInfo.InvariantCulture),
            double d => Float(d),
            Undefined => "Undefined",
            RangeValue r => r.Step.IsOne ? $"range({r.Start}, {r.Stop})" : $"range({r.Start}, {r.Stop}, {r.Step})",
            LoopState l => $"<LoopContext {l.Index}/{l.Length}>",
            FunctionValue { IsMacro: true } m => $"<Macro {PythonText.Quoted(m.Name)}>",
            // Python shows an address here, which is another each time.
            _ => throw JinjaFault.Unsupported($"to print a value of type {TypeOf(value)}"),
        };

    /// <summary>The shortest digits that give the number back, as Python writes them.</summary>
    public static string Float(double value)
    {
        if (double.IsNaN(value))
            return "nan";
        if (double.IsInfinity(value))
            return value > 0 ? "inf" : "-inf";
        var (negative, digits, exponent) = Digits(value.ToString("R", CultureInfo.InvariantCulture));
        var sign = negative ? "-" : "";
        if (exponent is < -4 or >= 16)
            return sign
                + digits[0]
                + (digits.Length > 1 ? "." + digits[1..] : "")
                + (exponent < 0 ? "e-" : "e+")
                + Math.Abs(exponent).ToString("00", CultureInfo.InvariantCulture);
        if (exponent < 0)
            return sign + "0." + new string('0', -exponent - 1) + digits;
        var whole = digits.PadRight(exponent + 1, '0');
        return sign + whole[..(exponent + 1)] + "." + (whole.Length > exponent + 1 ? whole[(exponent + 1)..] : "0");
    }

    // Digits without zeros around them, and the power of ten of the first.
    private static (bool Negative, string Digits, int Exponent) Digits(string shortest)
    {
        var negative = shortest[0] == '-';
        var parts = shortest.TrimStart('-').Split('E');
        var whole = parts[0].Split('.')[0];
        var all = parts[0].Replace(".", "", StringComparison.Ordinal);
        var digits = all.TrimStart('0');
        if (digits.Length == 0)
            return (negative, "0", 0);
        var power = parts.Length > 1 ? int.Parse(parts[1], CultureInfo.InvariantCulture) : 0;
        return (negative, digits.TrimEnd('0'), power + whole.Length - 1 - (all.Length - digits.Length));
    }
}
