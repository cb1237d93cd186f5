using System.Text.Json;
using System.Text.Json.Serialization;
using EditUnlearn.Foundation;

namespace EditUnlearn.HumanStudy;

/// <summary>What only the organiser may see: which code stands for whose answer. File <c>key.json</c>.</summary>
public sealed record StudyKey
{
    /// <summary>Name of the file.</summary>
    public const string FileName = "key.json";

    private const string Known = "study-key/1";

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        WriteIndented = true,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
    };

    /// <summary>Of this form.</summary>
    public string Format { get; init; } = Known;

    /// <summary>Of the item codes.</summary>
    public required string Salt { get; init; }

    /// <summary>Of every draw.</summary>
    public required ulong Seed { get; init; }

    /// <summary>The split the answers belong to.</summary>
    public required string Split { get; init; }

    /// <summary><c>full</c> or <c>balanced(3)</c>.</summary>
    public required string Assignment { get; init; }

    /// <summary>Where the answers came from.</summary>
    public required IReadOnlyList<Source> Sources { get; init; }

    /// <summary>Ordinary items.</summary>
    public required IReadOnlyList<Item> Items { get; init; }

    /// <summary>Items that show whether a rater pays attention.</summary>
    public required IReadOnlyList<AttentionItem> Attention { get; init; }

    /// <summary>Which codes each rater was given, in the order of the sheet.</summary>
    public required IReadOnlyList<Sheet> Sheets { get; init; }

    /// <summary>Where answers came from.</summary>
    /// <param name="System">Its label in <see cref="Item.Systems"/>.</param>
    /// <param name="Model">The model.</param>
    /// <param name="Set">The forget set.</param>
    /// <param name="Method">The method.</param>
    /// <param name="Variant">What tells two runs of it apart; may be empty.</param>
    /// <param name="File">As it was given.</param>
    /// <param name="Hash">SHA-256 of the file.</param>
    public sealed record Source(
        string System,
        string Model,
        string Set,
        string Method,
        string Variant,
        string File,
        string Hash
    );

    /// <summary>An ordinary item.</summary>
    /// <param name="Code">In the sheets.</param>
    /// <param name="Id">Of the question.</param>
    /// <param name="Systems">Who gave this answer.</param>
    public sealed record Item(string Code, string Id, IReadOnlyList<string> Systems);

    /// <summary>An attention item.</summary>
    /// <param name="Code">In the sheets.</param>
    /// <param name="Id">Of the question.</param>
    /// <param name="Shows">The true answer, or an ideal refusal.</param>
    public sealed record AttentionItem(string Code, string Id, AttentionKind Shows);

    /// <summary>A rater's sheet.</summary>
    /// <param name="Rater">Name in the study.</param>
    /// <param name="Codes">In order.</param>
    public sealed record Sheet(string Rater, IReadOnlyList<string> Codes);

    /// <summary>The key of a design.</summary>
    public static StudyKey Of(StudyDesign design)
    {
        ArgumentNullException.ThrowIfNull(design);
        return new StudyKey
        {
            Salt = design.Salt,
            Seed = design.Options.Seed.Value,
            Split = design.Options.Split,
            Assignment = design.Options.Assignment,
            Sources =
            [
                .. design.Groups.Select(g => new Source(
                    g.Key,
                    g.Value.System.Model,
                    g.Value.System.Set,
                    g.Value.System.Method,
                    g.Value.System.Variant,
                    g.Value.File,
                    g.Value.Hash
                )),
            ],
            Items =
            [
                .. design.Items.Where(i => i.Attention is null).Select(i => new Item(i.Code, i.Answer.Id, i.Systems)),
            ],
            Attention =
            [
                .. design
                    .Items.Where(i => i.Attention is not null)
                    .Select(i => new AttentionItem(i.Code, i.Answer.Id, i.Attention!.Value)),
            ],
            Sheets = [.. design.Sheets.Select(s => new Sheet(s.Key, [.. s.Value.Select(i => i.Code)]))],
        };
    }

    /// <summary>Writes the file.</summary>
    public void Write(string path) => File.WriteAllText(path, JsonSerializer.Serialize(this, Json) + "\n");

    /// <summary>Reads a key.</summary>
    /// <exception cref="InputException">It is absent, not a key, or contradicts itself.</exception>
    public static StudyKey Read(string path)
    {
        if (!File.Exists(path))
            throw new InputException(
                path,
                "there is no such file",
                "study export wrote it beside the sheets; --key names it elsewhere"
            );
        StudyKey key;
        try
        {
            key =
                JsonSerializer.Deserialize<StudyKey>(File.ReadAllBytes(path), Json)
                ?? throw new JsonException("it is empty");
            // What the library checks of members it does not check of what is in lists.
            if (
                key.Sources.Any(s => s is null)
                || key.Items.Any(i => i is null || i.Systems.Any(s => s is null))
                || key.Attention.Any(a => a is null)
                || key.Sheets.Any(s => s is null || s.Codes.Any(c => c is null))
            )
                throw new JsonException("an entry of a list is null");
        }
        catch (Exception e) when (e is JsonException or NotSupportedException)
        {
            throw new InputException(path, "is not the key of a study: " + e.Message.Split(" LineNumber")[0]);
        }
        var problems = new List<InputProblem>();
        void Wrong(string message) => problems.Add(new InputProblem(path, 0, 0, message));
        if (key.Format != Known)
            Wrong($"format is '{key.Format}'; this program reads {Known}");
        var systems = key.Sources.Select(s => s.System).ToHashSet(StringComparer.Ordinal);
        var codes = key.Items.Select(i => i.Code).Concat(key.Attention.Select(a => a.Code)).ToList();
        foreach (var twice in codes.GroupBy(c => c, StringComparer.Ordinal).Where(g => g.Count() > 1))
            Wrong($"the code {twice.Key} stands twice");
        foreach (var item in key.Items)
            foreach (var unknown in item.Systems.Where(s => !systems.Contains(s)))
                Wrong($"item {item.Code} names '{unknown}', which is not among the sources");
        var known = codes.ToHashSet(StringComparer.Ordinal);
        foreach (var sheet in key.Sheets)
        {
            if (!StudyOptions.IsRater(sheet.Rater))
                Wrong($"'{sheet.Rater}' is not a name for a rater");
            foreach (var unknown in sheet.Codes.Where(c => !known.Contains(c)).Take(3))
                Wrong($"the sheet of {sheet.Rater} names the code {unknown}, which is not among the items");
        }
        foreach (var twice in key.Sheets.GroupBy(s => s.Rater, StringComparer.Ordinal).Where(g => g.Count() > 1))
            Wrong($"{twice.Key} has two sheets");
        return problems.Count == 0 ? key : throw new InputException(problems);
    }
}
