using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Text.RegularExpressions;

namespace EditUnlearn.Tests.Support;

/// <summary>
/// The rooms under <c>src/</c> as they were built: what each refers to, and which of its types others use.
/// </summary>
public static class Rooms
{
    private const string Prefix = "EditUnlearn.";

    /// <summary>Folders under <c>src/</c>, in order of name.</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        .. Directory
            .EnumerateFiles(Path.Combine(Checkout.Root, "src"), "*.csproj", SearchOption.AllDirectories)
            .Select(f => Path.GetFileNameWithoutExtension(f)!)
            .Order(StringComparer.Ordinal),
    ];

    private static readonly Lazy<HashSet<string>> Referred = new(() =>
        [.. Names.SelectMany(room => TypeReferences(room).Select(t => t.Room + "/" + t.Type))]
    );

    /// <summary>Rooms that a room's project names.</summary>
    public static IReadOnlyList<string> ProjectReferences(string room) =>
        [
            .. Regex
                .Matches(
                    File.ReadAllText(Path.Combine(Checkout.Root, "src", room, room + ".csproj")),
                    "<ProjectReference Include=\"\\.\\./(\\w+)/\\1\\.csproj\""
                )
                .Select(m => m.Groups[1].Value)
                .Order(StringComparer.Ordinal),
        ];

    /// <summary>Rooms that a room's assembly refers to.</summary>
    public static IReadOnlyList<string> AssemblyReferences(string room) =>
        Read(
            room,
            reader =>
                reader
                    .AssemblyReferences.Select(a => reader.GetString(reader.GetAssemblyReference(a).Name))
                    .Where(n => n.StartsWith(Prefix, StringComparison.Ordinal))
                    .Select(n => n[Prefix.Length..])
                    .Order(StringComparer.Ordinal)
                    .ToList()
        );

    /// <summary>
    /// Public types of a room that could be internal: no other room refers to them, and no type that another room
    /// refers to shows them in a public member. Of nested types only the outermost such type is listed.
    /// </summary>
    public static IReadOnlyList<string> NeedlesslyPublic(string room)
    {
        var types = Assembly.Load(Prefix + room).GetTypes().Where(t => t.IsVisible && !t.Name.StartsWith('<')).ToList();
        var needed = new HashSet<Type>();
        var open = new Queue<Type>(
            types.Where(t => Referred.Value.Contains(room + "/" + t.FullName) || HasReadConstants(room, t))
        );
        while (open.TryDequeue(out var type))
            if (needed.Add(type))
                foreach (var shown in Shown(type).SelectMany(Parts).Where(t => t.Assembly == type.Assembly))
                    open.Enqueue(shown);
        return
        [
            .. types
                .Where(t => !needed.Contains(t) && (t.DeclaringType is null || needed.Contains(t.DeclaringType)))
                .Select(t => t.FullName!)
                .Order(StringComparer.Ordinal),
        ];
    }

    // A constant is copied into the code that reads it and leaves no reference there: its readers are found by name.
    private static bool HasReadConstants(string room, Type type)
    {
        if (!type.GetFields(BindingFlags.Public | BindingFlags.Static).Any(f => f.IsLiteral) || type.IsEnum)
            return false;
        var name = new Regex($@"\b{type.Name}\.\w");
        return Names
            .Where(n => n != room)
            .SelectMany(n =>
                Directory.EnumerateFiles(Path.Combine(Checkout.Root, "src", n), "*.cs", SearchOption.AllDirectories)
            )
            .Where(f => !f.Contains("/obj/", StringComparison.Ordinal))
            .Any(f => name.IsMatch(File.ReadAllText(f)));
    }

    // Types in what others may see of a type.
    private static IEnumerable<Type> Shown(Type type)
    {
        const BindingFlags All =
            BindingFlags.Public
            | BindingFlags.NonPublic
            | BindingFlags.Instance
            | BindingFlags.Static
            | BindingFlags.DeclaredOnly;
        if (type.DeclaringType is { } outer)
            yield return outer;
        if (type.BaseType is { } parent)
            yield return parent;
        foreach (var i in type.GetInterfaces())
            yield return i;
        foreach (var g in type.GetGenericArguments().Where(g => g.IsGenericParameter))
            foreach (var c in g.GetGenericParameterConstraints())
                yield return c;
        foreach (var f in type.GetFields(All).Where(f => f.IsPublic || f.IsFamily || f.IsFamilyOrAssembly))
            yield return f.FieldType;
        foreach (
            var m in type.GetMembers(All)
                .OfType<MethodBase>()
                .Where(m => m.IsPublic || m.IsFamily || m.IsFamilyOrAssembly)
        )
        {
            foreach (var p in m.GetParameters())
                yield return p.ParameterType;
            if (m is MethodInfo method)
                yield return method.ReturnType;
            if (m.IsGenericMethod)
                foreach (var c in m.GetGenericArguments().SelectMany(g => g.GetGenericParameterConstraints()))
                    yield return c;
        }
    }

    private static IEnumerable<Type> Parts(Type type)
    {
        if (type.HasElementType)
            return Parts(type.GetElementType()!);
        return type.IsGenericType
            ? [type.GetGenericTypeDefinition(), .. type.GetGenericArguments().SelectMany(Parts)]
            : [type];
    }

    private static List<(string Room, string Type)> TypeReferences(string room) =>
        Read(
            room,
            reader =>
                reader
                    .TypeReferences.Select(h => (Room: RoomOf(reader, h), Type: NameOf(reader, h)))
                    .Where(t => t.Room is not null)
                    .Select(t => (t.Room!, t.Type))
                    .ToList()
        );

    private static string? RoomOf(MetadataReader reader, TypeReferenceHandle handle)
    {
        var scope = reader.GetTypeReference(handle).ResolutionScope;
        while (scope.Kind == HandleKind.TypeReference)
            scope = reader.GetTypeReference((TypeReferenceHandle)scope).ResolutionScope;
        if (scope.Kind != HandleKind.AssemblyReference)
            return null;
        var name = reader.GetString(reader.GetAssemblyReference((AssemblyReferenceHandle)scope).Name);
        return name.StartsWith(Prefix, StringComparison.Ordinal) ? name[Prefix.Length..] : null;
    }

    private static string NameOf(MetadataReader reader, TypeReferenceHandle handle)
    {
        var type = reader.GetTypeReference(handle);
        var name = reader.GetString(type.Name);
        return type.ResolutionScope.Kind == HandleKind.TypeReference
            ? NameOf(reader, (TypeReferenceHandle)type.ResolutionScope) + "+" + name
            : reader.GetString(type.Namespace) + "." + name;
    }

    private static T Read<T>(string room, Func<MetadataReader, T> read)
    {
        using var file = File.OpenRead(Path.Combine(AppContext.BaseDirectory, Prefix + room + ".dll"));
        using var assembly = new PEReader(file);
        return read(assembly.GetMetadataReader());
    }
}
