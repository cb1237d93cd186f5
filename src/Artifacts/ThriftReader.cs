namespace EditUnlearn.Artifacts;

/// <summary>
/// A struct of Thrift's compact protocol as far as Parquet's structure needs it: numbers, structs and lists of structs
/// by field.
/// </summary>
internal sealed class ThriftNode
{
    private readonly Dictionary<int, long> _numbers = [];
    private readonly Dictionary<int, ThriftNode> _structs = [];
    private readonly Dictionary<int, List<ThriftNode>> _lists = [];

    /// <summary>A whole number; null where the field is absent or of another type.</summary>
    public long? Number(int field) => _numbers.TryGetValue(field, out var n) ? n : null;

    /// <summary>A struct; null where the field is absent or of another type.</summary>
    public ThriftNode? Field(int field) => _structs.GetValueOrDefault(field);

    /// <summary>The structs of a list; none where the field is absent or of another type.</summary>
    public IReadOnlyList<ThriftNode> List(int field) => _lists.TryGetValue(field, out var all) ? all : [];

    internal void Set(int field, object? value)
    {
        switch (value)
        {
            case long n:
                _numbers[field] = n;
                break;
            case ThriftNode s:
                _structs[field] = s;
                break;
            case List<ThriftNode> all:
                _lists[field] = all;
                break;
        }
    }
}

/// <summary>Reads Thrift's compact protocol. No count is believed that the bytes that are left cannot hold.</summary>
internal sealed class ThriftReader(byte[] bytes)
{
    private const int MaxDepth = 32;

    // Types of the protocol.
    private const int True = 1,
        False = 2,
        Byte = 3,
        Double = 7,
        Binary = 8,
        ListType = 9,
        SetType = 10,
        MapType = 11,
        StructType = 12;

    /// <summary>How many bytes were read.</summary>
    public int Position { get; private set; }

    private int Left => bytes.Length - Position;

    /// <summary>Reads one struct.</summary>
    /// <exception cref="FormatException">The bytes are none, or end within it.</exception>
    public ThriftNode Struct() => Struct(0);

    private ThriftNode Struct(int depth)
    {
        if (depth > MaxDepth)
            throw new FormatException("its description is nested too deeply");
        var node = new ThriftNode();
        long field = 0;
        while (Next() is var head && head != 0)
        {
            field = head >> 4 == 0 ? Signed() : field + (head >> 4);
            if (field is < short.MinValue or > short.MaxValue)
                throw new FormatException("its description has a field without a number");
            node.Set((int)field, Value(head & 15, depth, inList: false));
        }
        return node;
    }

    private object? Value(int type, int depth, bool inList)
    {
        switch (type)
        {
            case True or False:
                // In a struct the type is the value.
                if (inList)
                    Next();
                return null;
            case Byte:
                return (long)(sbyte)Next();
            case 4 or 5 or 6:
                return Signed();
            case Double:
                Skip(8);
                return null;
            case Binary:
                Skip(Count(1));
                return null;
            case ListType or SetType:
                return List(depth + 1);
            case MapType:
                Map(depth + 1);
                return null;
            case StructType:
                return Struct(depth + 1);
            default:
                throw new FormatException($"its description has a field of type {type}, which there is not");
        }
    }

    private List<ThriftNode>? List(int depth)
    {
        if (depth > MaxDepth)
            throw new FormatException("its description is nested too deeply");
        var head = Next();
        var count = head >> 4 == 15 ? Count(1) : head >> 4;
        if (count > Left)
            throw new FormatException("its description ends within a list");
        var structs = (head & 15) == StructType ? new List<ThriftNode>() : null;
        for (var i = 0; i < count; i++)
            if (Value(head & 15, depth, inList: true) is ThriftNode node)
                structs?.Add(node);
        return structs;
    }

    private void Map(int depth)
    {
        if (depth > MaxDepth)
            throw new FormatException("its description is nested too deeply");
        var count = Count(2);
        if (count == 0)
            return;
        var types = Next();
        for (var i = 0; i < count; i++)
        {
            Value(types >> 4, depth, inList: true);
            Value(types & 15, depth, inList: true);
        }
    }

    // A length or count whose items take at least this many bytes each.
    private int Count(int each)
    {
        var count = Varint();
        return count <= (ulong)(Left / each)
            ? (int)count
            : throw new FormatException("its description ends within a value");
    }

    private void Skip(int count)
    {
        if (count > Left)
            throw new FormatException("its description ends within a value");
        Position += count;
    }

    private int Next() =>
        Position < bytes.Length ? bytes[Position++] : throw new FormatException("its description ends too early");

    private long Signed()
    {
        var n = Varint();
        return (long)(n >> 1) ^ -(long)(n & 1);
    }

    private ulong Varint()
    {
        ulong value = 0;
        for (var shift = 0; shift < 64; shift += 7)
        {
            var next = Next();
            value |= (ulong)(next & 127) << shift;
            if (next < 128)
                return value;
        }
        throw new FormatException("its description has a number without an end");
    }
}
