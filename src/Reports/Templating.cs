using System.Reflection;
using System.Text;
using Scriban;
using Scriban.Runtime;

namespace EditUnlearn.Reports;

/// <summary>Fills in templates. Numbers and marks come ready; nothing is computed in a template.</summary>
internal static class Templating
{
    /// <summary>Renders an embedded template; a name the model lacks is an error.</summary>
    public static string Render(string name, object model)
    {
        var resource = $"{typeof(Templating).Namespace}.Templates.{name}";
        using var stream =
            Assembly.GetExecutingAssembly().GetManifestResourceStream(resource)
            ?? throw new InvalidOperationException($"There is no template {resource}.");
        using var reader = new StreamReader(stream);
        var template = Template.Parse(reader.ReadToEnd(), name);
        if (template.HasErrors)
            throw new InvalidOperationException(string.Join('\n', template.Messages));
        var context = new TemplateContext
        {
            StrictVariables = true,
            MemberRenamer = StandardMemberRenamer.Default,
            NewLine = "\n",
            LoopLimit = 0,
        };
        var globals = new ScriptObject();
        globals.Import(model, renamer: StandardMemberRenamer.Default);
        context.PushGlobal(globals);
        return template.Render(context);
    }
}

/// <summary>Text as LaTeX prints it.</summary>
public static class Latex
{
    /// <summary>
    /// Letters and digits of a text that the fonts of a plain TeX lack, so that a question mark stands for each.
    /// </summary>
    public static int Lost(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.EnumerateRunes().Count(r => Rune.IsLetterOrDigit(r) && Escape(r.ToString()) == "?");
    }

    // Letters that a TeX with its oldest fonts only cannot set.
    private static readonly Dictionary<string, string> Plain = new(StringComparer.Ordinal)
    {
        ["Ą"] = "A",
        ["ą"] = "a",
        ["Ę"] = "E",
        ["ę"] = "e",
        ["Į"] = "I",
        ["į"] = "i",
        ["Ų"] = "U",
        ["ų"] = "u",
        ["Đ"] = "D",
        ["đ"] = "d",
        ["Ð"] = "D",
        ["ð"] = "d",
        ["Þ"] = "Th",
        ["þ"] = "th",
        ["Ŋ"] = "N",
        ["ŋ"] = "n",
        ["«"] = "''",
        ["»"] = "''",
        ["Ħ"] = "H",
        ["ħ"] = "h",
        ["ı"] = "i",
        ["Ĳ"] = "IJ",
        ["ĳ"] = "ij",
        ["ĸ"] = "k",
        ["Ŀ"] = "L",
        ["ŀ"] = "l",
        ["ŉ"] = "'n",
        ["Ŧ"] = "T",
        ["ŧ"] = "t",
        ["ſ"] = "s",
        ["¤"] = "?",
        ["¦"] = "?",
        ["¨"] = "?",
        ["¬"] = "?",
        ["¯"] = "?",
        ["´"] = "'",
        ["¸"] = "?",
        ["¢"] = "?",
        ["¥"] = "?",
    };

    /// <summary>Escapes what LaTeX would take for a command; what its fonts may lack becomes a question mark.</summary>
    public static string Escape(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var latex = new StringBuilder();
        foreach (var rune in text.EnumerateRunes())
            latex.Append(
                rune.Value switch
                {
                    '\\' => @"\textbackslash{}",
                    '~' => @"\textasciitilde{}",
                    '^' => @"\textasciicircum{}",
                    '&' or '%' or '$' or '#' or '_' or '{' or '}' => "\\" + rune,
                    '<' => @"\textless{}",
                    '>' => @"\textgreater{}",
                    '|' => @"\textbar{}",
                    '"' => "''",
                    '—' => "---",
                    '–' => "--",
                    '’' or '‘' => "'",
                    '“' or '”' => "''",
                    '†' => @"\dag{}",
                    '‡' => @"\ddag{}",
                    '−' => "$-$",
                    '±' => @"$\pm$",
                    '\n' or '\r' or '\t' => " ",
                    < 0x20 or (>= 0x7F and < 0xA1) => "",
                    _ when Plain.TryGetValue(rune.ToString(), out var plain) => plain,
                    < 0x180 => rune.ToString(), // Latin with its accents
                    _ => "?",
                }
            );
        return latex.ToString();
    }
}
