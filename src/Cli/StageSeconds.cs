using System.Text.Json;
using EditUnlearn.Foundation;

namespace EditUnlearn.Cli;

/// <summary>
/// How long stages took when a profile's values were accepted as a whole: the time left that a fresh checkout shows
/// before it has a history of its own.
/// </summary>
internal static class StageSeconds
{
    /// <summary>Where accepted values lie in a checkout.</summary>
    public const string AcceptedFolder = "accepted";

    private const string FileName = "seconds.json";
    private static readonly JsonSerializerOptions Json = new() { WriteIndented = true };

    /// <summary>Seconds by kind of stage; none where the profile has no such file.</summary>
    /// <exception cref="InputException">The file is not what it should be.</exception>
    public static IReadOnlyDictionary<string, double> Read(string root, string profile)
    {
        var path = PathOf(root, profile);
        if (!File.Exists(path))
            return new Dictionary<string, double>();
        try
        {
            var seconds = JsonSerializer.Deserialize<Dictionary<string, double>>(File.ReadAllText(path)) ?? [];
            return seconds.Values.All(s => s >= 0)
                ? seconds
                : throw new InputException(
                    path,
                    "holds a negative time",
                    "delete it; eu-stage check --accept '*' writes it anew"
                );
        }
        catch (JsonException e)
        {
            throw new InputException(
                path,
                "is not a JSON object of stage and seconds: " + e.Message,
                "delete it; eu-stage check --accept '*' writes it anew"
            );
        }
    }

    /// <summary>Means over the cells of a study that have run.</summary>
    public static void Write(Study study)
    {
        var means = study
            .Plan.Cells.GroupBy(c => c.Stage.Info.Name, StringComparer.Ordinal)
            .Select(g =>
                KeyValuePair.Create(g.Key, g.Average(c => study.Store.ExpectedSeconds(c.Id, g.Key, study.Plan.Device)))
            )
            .Where(m => m.Value is not null)
            .OrderBy(m => m.Key, StringComparer.Ordinal)
            .ToDictionary(m => m.Key, m => Math.Round(m.Value!.Value, 1));
        AtomicFile.Write(PathOf(study.Root, study.Plan.Profile), JsonSerializer.Serialize(means, Json) + "\n");
    }

    private static string PathOf(string root, string profile) => Path.Combine(root, AcceptedFolder, profile, FileName);
}
