namespace EditUnlearn.Models.Chat;

/// <summary>What a filter, test, function or macro is called with.</summary>
/// <param name="Places">By place.</param>
/// <param name="Names">By name.</param>
internal sealed record Arguments(IReadOnlyList<object> Places, IReadOnlyDictionary<string, object> Names)
{
    private static readonly Dictionary<string, object> NoNames = [];

    public Arguments(params object[] places)
        : this(places, NoNames) { }

    /// <summary>The same with one more in front.</summary>
    public Arguments After(object first) => new([first, .. Places], Names);

    /// <summary>The same without the first.</summary>
    public Arguments Rest(int from) => new([.. Places.Skip(from)], Names);

    /// <summary>Values of the parameters in order; null where one is not given.</summary>
    /// <param name="function">For messages.</param>
    /// <param name="required">How many must be given.</param>
    /// <param name="parameters">Their names.</param>
    public object?[] Bind(string function, int required, params string[] parameters)
    {
        if (Places.Count > parameters.Length)
            throw JinjaFault.Type($"{function}() takes at most {parameters.Length} arguments ({Places.Count} given)");
        var values = new object?[parameters.Length];
        for (var i = 0; i < Places.Count; i++)
            values[i] = Places[i];
        foreach (var (name, value) in Names)
        {
            var at = Array.IndexOf(parameters, name);
            if (at < 0)
                throw JinjaFault.Type($"{function}() got an unexpected keyword argument '{name}'");
            if (values[at] is not null)
                throw JinjaFault.Type($"{function}() got multiple values for argument '{name}'");
            values[at] = value;
        }
        for (var i = 0; i < required; i++)
            if (values[i] is null)
                throw JinjaFault.Type($"{function}() missing required argument: '{parameters[i]}'");
        return values;
    }
}
