using System.Globalization;
using EditUnlearn.Artifacts;
using EditUnlearn.Foundation;

namespace EditUnlearn.Data.Contracts;

/// <summary>
/// Writes questions about invented contracts: the structure of PISTOL's sample, our own words. The same seed gives the
/// same bytes anywhere.
/// </summary>
/// <remarks>
/// Source: Qiu et al. (2024) for the structure; docs/data.md, "Contracts". Every attribute draws from a stream of its
/// own name, so a further contract or attribute changes no existing value. Redraws for a bad name or address come from
/// the same stream.
/// </remarks>
public sealed class ContractGenerator
{
    private readonly Seed _seed;
    private readonly Dictionary<string, Party> _companies = new(StringComparer.Ordinal),
        _people = new(StringComparer.Ordinal);
    private readonly HashSet<string> _addresses = new(StringComparer.Ordinal);
    private readonly string[] _goods,
        _jobs;

    private ContractGenerator(Seed seed)
    {
        _seed = seed;
        _goods = [.. ContractLists.Goods];
        _jobs = [.. ContractLists.Jobs];
        seed.Stream("goods").Shuffle(_goods);
        seed.Stream("jobs").Shuffle(_jobs);
    }

    /// <summary>Twenty rows a contract, in the order of <paramref name="edges"/>.</summary>
    /// <param name="seed">Of all draws.</param>
    /// <param name="edges">Contracts; ids are unique.</param>
    /// <exception cref="ArgumentException">Two edges of one id, or more contracts of a kind than there are goods or
    /// jobs.</exception>
    public static IReadOnlyList<QaRow> Generate(Seed seed, IReadOnlyList<ContractEdge> edges)
    {
        ArgumentNullException.ThrowIfNull(edges);
        if (edges.DistinctBy(e => e.Id).Count() != edges.Count)
            throw new ArgumentException("Contract ids must be unique.", nameof(edges));
        var generator = new ContractGenerator(seed);
        if (
            edges.Count(e => e.Kind == ContractKind.Sales) > generator._goods.Length
            || edges.Count(e => e.Kind == ContractKind.Employment) > generator._jobs.Length
        )
            throw new ArgumentException(
                $"At most {generator._goods.Length} sales and {generator._jobs.Length} employment contracts have a "
                    + "good or job of their own.",
                nameof(edges)
            );
        var rows = new List<QaRow>();
        int sales = 0,
            employments = 0;
        foreach (var edge in edges)
        {
            var attributes =
                edge.Kind == ContractKind.Sales
                    ? generator.Sales(edge, sales++)
                    : generator.Employment(edge, employments++);
            foreach (var a in attributes)
                rows.Add(Row(rows.Count, edge, a));
        }
        return rows;
    }

    private sealed record Party(string Name, string Address);

    // Five wordings: the question, then rephrasings 0 to 3 (the last one hard).
    private sealed record Attribute(string Subject, string Answer, string[] Texts);

    private List<Attribute> Sales(ContractEdge edge, int index)
    {
        var (one, two) = (Company(edge.From), Company(edge.To));
        var (seller, buyer) = Draw(edge, "seller").Below(2) == 0 ? (one, two) : (two, one);
        var date = Date(edge, "effectiveDate");
        int Number(string name, int low, int high, int step = 1) =>
            low + step * Draw(edge, name).Below((high - low) / step + 1);
        var (quantity, price) = (Number("quantity", 1, 100), Number("unitPrice", 1, 100));
        Attribute Of(string phrase, string answer) => Ordinary("sales", seller.Name, buyer.Name, phrase, answer);
        return
        [
            Of("the date of entry into force", date),
            Name("sales", "seller", buyer.Name, date, seller.Name),
            Place("sales", seller, buyer),
            Name("sales", "buyer", seller.Name, date, buyer.Name),
            Place("sales", buyer, seller),
            Of("the product sold", _goods[index]),
            Of("the number of units sold", Text(quantity)),
            Of("the price per unit in dollars", Text(price)),
            Of("the overall price in dollars", Text(quantity * price)),
            Of(
                "the number of days after delivery within which the invoice must be issued",
                Text(Number("invoiceIssue", 1, 5))
            ),
            Of("the number of days allowed for paying the invoice", Text(Number("invoicePayment", 5, 30, 5))),
            Of("the number of days after which an unpaid balance is penalised", Text(Number("latePenalty", 5, 30, 5))),
            Of("the interest rate on late payments", Text(Number("lateInterest", 1, 5)) + "%"),
            Of("the place of delivery", Address(Draw(edge, "deliveryAddress"))),
            Of("the party choosing how the goods are shipped", Draw(edge, "shippingChoice").Pick(["Seller", "Buyer"])),
            Of("the party paying for the shipment", Draw(edge, "shippingPayer").Pick(["Seller", "Buyer"])),
            Of("the length of the warranty in years", Text(Number("warranty", 1, 5))),
            Of("the number of days for reporting a defect in writing", Text(Number("defectNotice", 5, 30, 5))),
            Of("the length of the cooling-off period in days", Text(Number("coolingOff", 3, 14))),
            Of("the law governing it", Draw(edge, "law").Pick(ContractLists.Laws)),
        ];
    }

    private List<Attribute> Employment(ContractEdge edge, int index)
    {
        var (employer, employee) = (Company(edge.From), Person(edge.To));
        var date = Date(edge, "startDate");
        int Number(string name, int low, int high) => low + Draw(edge, name).Below(high - low + 1);
        Attribute Of(string phrase, string answer) =>
            Ordinary("employment", employer.Name, employee.Name, phrase, answer);
        return
        [
            Name("employment", "employer", employee.Name, date, employer.Name),
            Place("employment", employer, employee),
            Name("employment", "employee", employer.Name, date, employee.Name),
            Place("employment", employee, employer),
            Of("the first day of work", date),
            Of("the length of the employment", Text(Number("duration", 6, 48)) + " months"),
            Of("the job title", _jobs[index]),
            Of("the place of work", Address(Draw(edge, "workplace"))),
            Of("the hour at which the working day begins", Text(Number("startHour", 6, 10))),
            Of("the hour at which the working day ends", Text(Number("endHour", 14, 18))),
            Of("the hourly wage in dollars", Text(Number("hourlyPay", 10, 100))),
            Of("the pay interval", Draw(edge, "payInterval").Pick(ContractLists.PayIntervals)),
            Of("the employee benefit", Draw(edge, "benefit").Pick(ContractLists.Benefits)),
            Of("the yearly number of paid holidays", Text(Number("holidays", 10, 30))),
            Of(
                "the number of months for which secrets must be kept after leaving",
                Text(Number("confidentiality", 3, 12))
            ),
            Of("the yearly number of paid sick days", Text(Number("sickDays", 7, 14))),
            Of("the number of weeks of notice for termination", Text(Number("terminationNotice", 2, 12))),
            Of("the number of months covered by the non-compete clause", Text(Number("nonCompete", 6, 24))),
            Of("the number of weeks of notice for changed terms", Text(Number("changeNotice", 2, 8))),
            Of("the law governing it", Draw(edge, "law").Pick(ContractLists.Laws)),
        ];
    }

    private static Attribute Ordinary(string kind, string x, string y, string phrase, string answer) =>
        new(
            x,
            answer + ".",
            [
                $"What is {phrase} in the {kind} contract between {x} and {y}?",
                $"In the {kind} contract that {x} signed with {y}, what is {phrase}?",
                $"Please state {phrase} agreed in the {kind} contract of {x} and {y}.",
                $"{x} and {y} concluded a {kind} contract. What does it give as {phrase}?",
                $"Consider the {kind} contract linking {y} and {x}: {phrase} is what?",
            ]
        );

    private static Attribute Name(string kind, string role, string other, string date, string answer) =>
        new(
            other,
            answer + ".",
            [
                $"Who is the {role} in the {kind} contract with {other} dated {date}?",
                $"{other} has a {kind} contract dated {date}. Who is its {role}?",
                $"Name the {role} that {other} contracted with in the {kind} contract of {date}.",
                $"Which {role} signed the {kind} contract of {date} together with {other}?",
                $"The {kind} contract of {date} involves {other}; its {role} is who?",
            ]
        );

    private static Attribute Place(string kind, Party whose, Party other) =>
        new(
            whose.Name,
            whose.Address + ".",
            [
                $"Which address does the {kind} contract with {other.Name} give for {whose.Name}?",
                $"In the {kind} contract signed with {other.Name}, where is {whose.Name} located?",
                $"Please state the address of {whose.Name} given in its {kind} contract with {other.Name}.",
                $"{other.Name} concluded a {kind} contract with {whose.Name}. What is the address of {whose.Name}?",
                $"Where does the {kind} contract naming {other.Name} place {whose.Name}?",
            ]
        );

    private static QaRow Row(int row, ContractEdge edge, Attribute a) =>
        new()
        {
            Id = string.Create(CultureInfo.InvariantCulture, $"contracts/{row:0000}"),
            Dataset = "contracts",
            Row = row,
            Question = a.Texts[0],
            Answer = a.Answer,
            Subject = a.Subject,
            SubjectStart = a.Texts[0].IndexOf(a.Subject, StringComparison.Ordinal),
            Rephrasings = [.. a.Texts[1..]],
            Category = edge.Kind == ContractKind.Sales ? "sales" : "employment",
            Group = edge.Id,
        };

    private Party Company(string node) =>
        Node(_companies, "company", node, s => Word(s, 6) + " " + s.Pick(ContractLists.LegalForms));

    private Party Person(string node) => Node(_people, "person", node, s => Word(s, 4) + " " + Word(s, 4));

    private Party Node(Dictionary<string, Party> known, string kind, string node, Func<SplitMix64, string> draw)
    {
        if (known.TryGetValue(node, out var party))
            return party;
        var stream = _seed.Stream($"{kind}/{node}/name");
        string name;
        // Names of one kind stay at least three edits apart, so that none passes for another after a typing error.
        do name = draw(stream);
        while (
            known.Values.Any(p => Spelling.Distance(p.Name, name) < 3)
            || ContractLists.Denied.Any(d => name.Contains(d, StringComparison.OrdinalIgnoreCase))
        );
        known.Add(node, party = new Party(name, Address(_seed.Stream($"{kind}/{node}/address"))));
        return party;
    }

    private string Address(SplitMix64 stream)
    {
        string address;
        do address =
            Text(100 + stream.Below(900)) + " " + Word(stream, 6) + " " + stream.Pick(ContractLists.StreetTypes);
        while (!_addresses.Add(address));
        return address;
    }

    private string Date(ContractEdge edge, string attribute)
    {
        var first = new DateOnly(1980, 1, 1);
        var days = new DateOnly(2019, 12, 31).DayNumber - first.DayNumber + 1;
        return first.AddDays(Draw(edge, attribute).Below(days)).ToString("dd-MM-yyyy", CultureInfo.InvariantCulture);
    }

    private SplitMix64 Draw(ContractEdge edge, string attribute) => _seed.Stream($"edge/{edge.Id}/{attribute}");

    private static string Word(SplitMix64 stream, int letters)
    {
        var word = new char[letters];
        for (var i = 0; i < letters; i++)
            word[i] = (char)((i == 0 ? 'A' : 'a') + stream.Below(26));
        return new string(word);
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
