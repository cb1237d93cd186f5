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

/// <summary>Which contracts there are. Source: datasets specification, section 2.</summary>
public static class ContractGraph
{
    /// <summary>The 20 contracts of the sample: two hubs, their partners and employees, three independent blocks.</summary>
    public static IReadOnlyList<ContractEdge> Sample { get; } =
    [
        .. Edges(ContractKind.Sales, "A_B A_C A_C2 A_C3 B_D B_D2 B_D3 E1_F1 E2_F2 E3_F3"),
        .. Edges(ContractKind.Employment, "A_m A_n A_n2 A_n3 B_p B_p2 B_p3 E1_q1 E2_q2 E3_q3"),
    ];

    private static IEnumerable<ContractEdge> Edges(ContractKind kind, string ids) =>
        ids.Split(' ').Select(id => new ContractEdge(id, kind, id.Split('_')[0], id.Split('_')[1]));
}
