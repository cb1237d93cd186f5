using System.Text.Json.Nodes;
using EditUnlearn.Methods;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Stages;

/// <summary>
/// Says where each option of a method comes from: its own file, a preset, a profile, the command line.
/// </summary>
internal static class OptionOrigins
{
    /// <summary>A map of a profile as a layer over the method's own values.</summary>
    /// <param name="parameter">The parameter that holds the map.</param>
    /// <param name="values">Its value; may be null.</param>
    /// <param name="origin">Where a parameter was set, by its path.</param>
    public static OptionLayer Layer(string parameter, JsonObject? values, Func<string, ValueOrigin?> origin) =>
        new(parameter, values) { PlaceOf = option => origin($"{parameter}.{option}")?.Place.ToString() };

    /// <summary>Every option, in the order of the options record.</summary>
    public static IReadOnlyList<OptionOrigin> Of(OptionStack stack, Func<string, ValueOrigin?> origin) =>
        [
            .. stack.Values.Select(v => new OptionOrigin(
                KeyNames.Written(v.Path),
                Text(v.InForce.Value),
                Source(v.InForce),
                [
                    .. ((IReadOnlyList<OptionSetting>)[v.InForce, .. v.Overridden]).SelectMany(
                        (s, i) =>
                            ((IEnumerable<(string, string)>)(i == 0 ? [] : [(Text(s.Value), Source(s))])).Concat(
                                Below(v.Path, s, origin)
                            )
                    ),
                ]
            )),
        ];

    // Values that lower profiles gave the same option, for one that a profile sets.
    private static IEnumerable<(string, string)> Below(
        string option,
        OptionSetting setting,
        Func<string, ValueOrigin?> origin
    ) => origin($"{setting.Layer}.{option}")?.Overridden.Select(o => (o.Value, o.Place.ToString())) ?? [];

    private static string Source(OptionSetting setting) =>
        setting.Place ?? (setting.Origin is { } why ? $"{setting.Layer} ({why})" : setting.Layer);

    private static string Text(JsonNode? value) => value?.ToJsonString() ?? "null";
}
