using System.Numerics;
using System.Text.Json;
using EditUnlearn.Foundation;

namespace EditUnlearn.Models.Chat;

/// <summary>
/// A chat template as publishers write it, in the language Jinja: parsed once, rendered often. It can reach nothing but
/// what it is given, and <see cref="Budget"/> bounds what it takes.
/// </summary>
internal sealed class JinjaTemplate
{
    private const string WayOut = "--template NAME or a file of one's own asks the model without it";

    private readonly string _file;
    private readonly IReadOnlyList<Statement> _body;

    private JinjaTemplate(string file, IReadOnlyList<Statement> body) => (_file, _body) = (file, body);

    /// <summary>Reads a template.</summary>
    /// <param name="source">Its text.</param>
    /// <param name="file">Where it stands, for messages.</param>
    /// <exception cref="InputException">It is not written in the language, or uses what is not read here.</exception>
    public static JinjaTemplate Parse(string source, string file) => Told(file, () => ParseOrFault(source, file));

    /// <summary>The same; what is wrong comes with its kind.</summary>
    public static JinjaTemplate ParseOrFault(string source, string file = "") => new(file, Parser.Parse(source));

    /// <summary>The text of a chat.</summary>
    /// <param name="names">What the template is given, beside its functions.</param>
    /// <param name="now">The time it may ask for.</param>
    /// <exception cref="InputException">The template refuses the messages, fails, or takes too much.</exception>
    public string Render(IReadOnlyDictionary<string, JsonElement> names, DateTime now) =>
        Told(_file, () => RenderOrFault(names, now));

    /// <summary>The same; what is wrong comes with its kind.</summary>
    public string RenderOrFault(IReadOnlyDictionary<string, JsonElement> names, DateTime now) =>
        new Evaluator(python => Context(python, names), now).Run(_body);

    private static T Told<T>(string file, Func<T> work)
    {
        try
        {
            return work();
        }
        catch (JinjaFault e)
        {
            var what = e.Kind switch
            {
                FaultKind.Raised => "the chat template refuses these messages: ",
                FaultKind.Syntax => "the chat template is not valid: ",
                FaultKind.Limit => "the chat template ",
                FaultKind.Unsupported => "of the chat template, ",
                _ => "the chat template fails: ",
            };
            throw new InputException(new InputProblem(file, e.Line, 0, what + e.Message, WayOut));
        }
    }

    // What the published library always defines, then what the caller gives.
    private static Dictionary<string, object> Context(Python python, IReadOnlyDictionary<string, JsonElement> names)
    {
        var context = new Dictionary<string, object>(StringComparer.Ordinal)
        {
            ["tools"] = None.Value,
            ["documents"] = None.Value,
        };
        foreach (var (name, value) in names)
            context[name] = Value(python, value);
        return context;
    }

    private static object Value(Python python, JsonElement json)
    {
        switch (json.ValueKind)
        {
            case JsonValueKind.Object:
                var dict = python.NewDict();
                foreach (var property in json.EnumerateObject())
                    dict[property.Name] = Value(python, property.Value);
                return dict;
            case JsonValueKind.Array:
                return new ListValue([.. json.EnumerateArray().Select(i => Value(python, i))]);
            case JsonValueKind.String:
                return json.GetString()!;
            case JsonValueKind.True or JsonValueKind.False:
                return json.GetBoolean();
            case JsonValueKind.Number:
                var text = json.GetRawText();
                return text.AsSpan().IndexOfAny('.', 'e', 'E') < 0
                    ? BigInteger.Parse(text, System.Globalization.CultureInfo.InvariantCulture)
                    : json.GetDouble();
            default:
                return None.Value;
        }
    }
}
