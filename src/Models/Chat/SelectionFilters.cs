namespace EditUnlearn.Models.Chat;

/// <summary>Filters that apply another filter or a test to each value. They work when they are read.</summary>
internal static class SelectionFilters
{
    public static object Map(Evaluator e, object value, Arguments given)
    {
        return new Stream("generator", Mapped());

        IEnumerable<object> Mapped()
        {
            if (!Python.Truth(value))
                yield break;
            var map = Mapping(e, given);
            foreach (var item in e.Python.Iterate(value))
            {
                e.Python.Budget.Spend();
                yield return map(item);
            }
        }
    }

    /// <param name="e">Runs the template.</param>
    /// <param name="value">The items.</param>
    /// <param name="given">The attribute, if one is looked at, then a test and its arguments.</param>
    /// <param name="keep">Whether what passes is kept.</param>
    /// <param name="attribute">Whether an attribute of each item is looked at.</param>
    public static object Select(Evaluator e, object value, Arguments given, bool keep, bool attribute)
    {
        return new Stream("generator", Selected());

        IEnumerable<object> Selected()
        {
            if (!Python.Truth(value))
                yield break;
            if (attribute && given.Places.Count == 0)
                throw JinjaFault.Type("Missing parameter for attribute name");
            var from = attribute ? 1 : 0;
            var test = given.Places.Count > from ? Name(e, given.Places[from]) : null;
            foreach (var item in e.Python.Iterate(value))
            {
                e.Python.Budget.Spend();
                var seen = attribute ? e.Attributes.Path(item, given.Places[0]) : item;
                if ((test is null ? Python.Truth(seen) : e.Test(test, seen, given.Rest(from + 1))) == keep)
                    yield return item;
            }
        }
    }

    private static Func<object, object> Mapping(Evaluator e, Arguments given)
    {
        if (given.Places.Count > 0)
            return item => e.Filter(Name(e, given.Places[0]), item, given.Rest(1));
        if (!given.Names.TryGetValue("attribute", out var path))
            throw JinjaFault.Type("map requires a filter argument");
        if (given.Names.Keys.FirstOrDefault(n => n is not ("attribute" or "default")) is { } other)
            throw JinjaFault.Type($"Unexpected keyword argument '{other}'");
        var otherwise = given.Names.GetValueOrDefault("default");
        return item => e.Attributes.Path(item, path, otherwise is None ? null : otherwise);
    }

    private static string Name(Evaluator e, object name) => e.Python.Text(name);
}
