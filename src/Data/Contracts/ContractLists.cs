namespace EditUnlearn.Data.Contracts;

/// <summary>
/// The words contracts draw from. Order is part of the data: a change moves every generated contract.
/// </summary>
internal static class ContractLists
{
    public static readonly string[] Goods =
    [
        "Lamps",
        "Carpets",
        "Umbrellas",
        "Bicycles",
        "Kettles",
        "Notebooks",
        "Curtains",
        "Ladders",
        "Violins",
        "Candles",
        "Pillows",
        "Helmets",
        "Scarves",
        "Teapots",
        "Drills",
        "Mirrors",
        "Gloves",
        "Paint",
        "Batteries",
        "Backpacks",
        "Clocks",
        "Pencils",
        "Blankets",
        "Shovels",
        "Buckets",
        "Hammers",
        "Ropes",
        "Tents",
        "Stoves",
        "Fans",
        "Bells",
        "Ribbons",
        "Baskets",
        "Chairs",
        "Desks",
        "Shelves",
        "Boots",
        "Aprons",
        "Locks",
        "Hinges",
        "Compasses",
        "Telescopes",
        "Tiles",
        "Bricks",
    ];

    public static readonly string[] Jobs =
    [
        "Baker",
        "Plumber",
        "Librarian",
        "Accountant",
        "Gardener",
        "Translator",
        "Welder",
        "Architect",
        "Cashier",
        "Chemist",
        "Carpenter",
        "Editor",
        "Electrician",
        "Florist",
        "Geologist",
        "Hairdresser",
        "Illustrator",
        "Jeweller",
        "Lawyer",
        "Mechanic",
        "Nurse",
        "Optician",
        "Painter",
        "Pharmacist",
        "Photographer",
        "Pilot",
        "Programmer",
        "Receptionist",
        "Roofer",
        "Sailor",
        "Secretary",
        "Surveyor",
        "Tailor",
        "Teacher",
        "Tutor",
        "Veterinarian",
        "Waiter",
        "Watchmaker",
        "Weaver",
        "Zoologist",
        "Auditor",
        "Beekeeper",
    ];

    public static readonly string[] Benefits =
    [
        "Dental care",
        "Health plan",
        "Life insurance",
        "Pension fund",
        "Company car",
        "Meal vouchers",
        "Train ticket",
        "Gym access",
        "Child care",
        "Share options",
    ];

    public static readonly string[] LegalForms =
    [
        "Ltd",
        "Inc",
        "LLC",
        "Corp",
        "PLC",
        "GmbH",
        "AG",
        "SA",
        "BV",
        "AB",
        "Oy",
        "SpA",
    ];

    public static readonly string[] StreetTypes =
    [
        "Street",
        "Road",
        "Lane",
        "Avenue",
        "Way",
        "Court",
        "Square",
        "Drive",
        "Terrace",
        "Alley",
        "Hill",
        "Close",
    ];

    public static readonly string[] Laws =
    [
        "The State of Ohio",
        "The State of Texas",
        "The State of Nevada",
        "The State of Maine",
        "The State of Oregon",
        "The State of Utah",
        "The State of Kansas",
        "The State of Georgia",
        "The State of Iowa",
        "The State of Vermont",
    ];

    public static readonly string[] PayIntervals = ["Weekly", "Bi-weekly", "Monthly"];

    // Letter runs a random name must not contain.
    public static readonly string[] Denied = ["sex", "ass", "tit", "fuk", "nig", "fag", "cum", "nazi"];
}
