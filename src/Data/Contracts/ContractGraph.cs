using EditUnlearn.Artifacts;

namespace EditUnlearn.Data.Contracts;

/// <summary>What a contract is about.</summary>
public enum ContractKind
{
    /// <summary>Two companies trade.</summary>
    Sales,

    /// <summary>A company employs a person.</summary>
    Employment,
}

/// <summary>One contract between two nodes.</summary>
/// <param name="Id">For example <c>A_B</c>; unique.</param>
/// <param name="Kind">Sales between companies, employment of a person.</param>
/// <param name="From">A company.</param>
/// <param name="To">A company, or a person under employment.</param>
public sealed record ContractEdge(string Id, ContractKind Kind, string From, string To);

/// <summary>Which contracts there are. Source: Qiu et al. (2024), sample data set 1 of PISTOL.</summary>
public static class ContractGraph
{
    /// <summary>
    /// The 20 contracts of the sample: two hubs, their partners and employees, three independent blocks.
    /// </summary>
    public static IReadOnlyList<ContractEdge> Sample { get; } =
    [
        .. Edges(ContractKind.Sales, "A_B A_C A_C2 A_C3 B_D B_D2 B_D3 E1_F1 E2_F2 E3_F3"),
        .. Edges(ContractKind.Employment, "A_m A_n A_n2 A_n3 B_p B_p2 B_p3 E1_q1 E2_q2 E3_q3"),
    ];

    /// <summary>
    /// The contracts behind questions, in order of first appearance; the group of a question names its contract,
    /// <c>A_B</c>.
    /// </summary>
    public static IReadOnlyList<ContractEdge> Of(IEnumerable<QaRow> rows) =>
        [
            .. rows.Where(r => IsEdge(r.Group))
                .GroupBy(r => r.Group)
                .Select(g => new ContractEdge(
                    g.Key,
                    g.Any(r => r.Question.Contains("employ", StringComparison.OrdinalIgnoreCase))
                        ? ContractKind.Employment
                        : ContractKind.Sales,
                    g.Key.Split('_')[0],
                    g.Key.Split('_')[1]
                )),
        ];

    /// <summary>
    /// The contracts that no chain of shared parties links to a forgotten one: what forgetting should not touch at all.
    /// </summary>
    /// <param name="edges">All contracts.</param>
    /// <param name="forgotten">Ids of the forgotten ones.</param>
    public static IReadOnlyList<ContractEdge> Independent(
        IReadOnlyList<ContractEdge> edges,
        IReadOnlyCollection<string> forgotten
    )
    {
        ArgumentNullException.ThrowIfNull(edges);
        ArgumentNullException.ThrowIfNull(forgotten);
        var reached = edges
            .Where(e => forgotten.Contains(e.Id))
            .SelectMany(e => (string[])[e.From, e.To])
            .ToHashSet(StringComparer.Ordinal);
        for (var before = -1; before != reached.Count;)
        {
            before = reached.Count;
            foreach (var e in edges.Where(e => reached.Contains(e.From) || reached.Contains(e.To)))
                reached.UnionWith([e.From, e.To]);
        }
        return [.. edges.Where(e => !reached.Contains(e.From) && !reached.Contains(e.To))];
    }

    /// <summary>
    /// Fills in the category (<c>sales</c>, <c>employment</c>) of contract questions that come without one, as the
    /// published files do.
    /// </summary>
    internal static IReadOnlyList<QaRow> Kinds(IReadOnlyList<QaRow> rows)
    {
        if (!rows.Any(r => r.Category.Length == 0 && IsEdge(r.Group)))
            return rows;
        var kinds = Of(rows)
            .ToDictionary(
                e => e.Id,
                e => e.Kind == ContractKind.Sales ? "sales" : "employment",
                StringComparer.Ordinal
            );
        return
        [
            .. rows.Select(r =>
                r.Category.Length == 0 && kinds.TryGetValue(r.Group, out var kind) ? r with { Category = kind } : r
            ),
        ];
    }

    private static bool IsEdge(string group) => group.Split('_') is [{ Length: > 0 }, { Length: > 0 }];

    private static IEnumerable<ContractEdge> Edges(ContractKind kind, string ids) =>
        ids.Split(' ').Select(id => new ContractEdge(id, kind, id.Split('_')[0], id.Split('_')[1]));
}
