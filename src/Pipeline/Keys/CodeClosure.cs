using System.Collections.Immutable;
using System.Reflection;
using System.Reflection.Emit;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;
using System.Text;
using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>
/// Walks from type to type through metadata and IL and describes each in text that does not depend on the build.
/// </summary>
internal sealed class CodeClosure
{
    private static readonly OpCode[] OneByte = new OpCode[256],
        TwoByte = new OpCode[256];
    private readonly Dictionary<string, (Module Module, TypeDefinitionHandle Handle)> _types = new(
        StringComparer.Ordinal
    );
    private readonly Dictionary<string, (string Text, string[] Reaches)> _described = new(StringComparer.Ordinal);

    static CodeClosure()
    {
        foreach (var field in typeof(OpCodes).GetFields(BindingFlags.Public | BindingFlags.Static))
        {
            var code = (OpCode)field.GetValue(null)!;
            if (code.Size == 1)
                OneByte[(byte)code.Value] = code;
            else
                TwoByte[(byte)code.Value] = code;
        }
    }

    private sealed record Module(
        PEReader Pe,
        MetadataReader Reader,
        IReadOnlyList<(string Name, string Hash)> Resources
    );

    public static CodeClosure Load(IEnumerable<string> assemblies)
    {
        var closure = new CodeClosure();
        foreach (var path in assemblies)
        {
            // Read whole: a later build may replace the file while this process runs.
            var pe = new PEReader(ImmutableArray.Create(File.ReadAllBytes(path)));
            var reader = pe.GetMetadataReader();
            var module = new Module(pe, reader, [.. reader.ManifestResources.Select(h => Resource(pe, reader, h))]);
            foreach (var handle in reader.TypeDefinitions)
                closure._types.TryAdd(FullName(reader, handle), (module, handle));
        }
        return closure;
    }

    /// <summary>SHA-256 of all types reachable from the roots, in order of name.</summary>
    public string Hash(IEnumerable<string> roots) =>
        CodeIdentity.Sha256(string.Concat(Reached(roots).Select(r => Described(r).Text)));

    /// <summary>
    /// A short hash for each outermost type among them: what the compiler nests into a type counts as that type.
    /// </summary>
    public SortedDictionary<string, string> Parts(IEnumerable<string> roots) =>
        new(
            Reached(roots)
                .GroupBy(Outermost)
                .ToDictionary(
                    g => g.Key,
                    g => CodeIdentity.Sha256(string.Concat(g.Select(r => Described(r).Text)))[..16]
                ),
            StringComparer.Ordinal
        );

    private static string Outermost(string name) =>
        name.Split('+')[0] is var outer && outer.StartsWith('<') ? "literals" : outer;

    private SortedSet<string> Reached(IEnumerable<string> roots)
    {
        var reached = new SortedSet<string>(StringComparer.Ordinal);
        var open = new Stack<string>(roots);
        while (open.TryPop(out var name))
        {
            if (!_types.ContainsKey(name) || !reached.Add(name))
                continue;
            foreach (var next in Described(name).Reaches)
                open.Push(next);
        }
        return reached;
    }

    private (string Text, string[] Reaches) Described(string name)
    {
        if (_described.TryGetValue(name, out var known))
            return known;
        var (module, handle) = _types[name];
        var walk = new Walk(this, module.Reader, module.Pe);
        var boundary = walk.IsBoundary(handle);
        // Of a catalogue only the name counts: what is picked from it enters the key by itself.
        var text = boundary ? $"boundary {name}\n" : walk.Describe(handle, name, module.Resources);
        return _described[name] = (text, boundary ? [] : [.. walk.Reached]);
    }

    private static (string, string) Resource(PEReader pe, MetadataReader reader, ManifestResourceHandle handle)
    {
        var resource = reader.GetManifestResource(handle);
        var name = reader.GetString(resource.Name);
        if (!resource.Implementation.IsNil)
            return (name, "elsewhere");
        var section = pe.GetSectionData(pe.PEHeaders.CorHeader!.ResourcesDirectory.RelativeVirtualAddress).GetReader();
        section.Offset = (int)resource.Offset;
        return (
            name,
            CodeIdentity.Hex(System.Security.Cryptography.SHA256.HashData(section.ReadBytes(section.ReadInt32())))
        );
    }

    private static string FullName(MetadataReader reader, TypeDefinitionHandle handle)
    {
        var type = reader.GetTypeDefinition(handle);
        var name = reader.GetString(type.Name);
        if (type.GetDeclaringType() is { IsNil: false } outer)
            return $"{FullName(reader, outer)}+{name}";
        var ns = reader.GetString(type.Namespace);
        return ns.Length == 0 ? name : $"{ns}.{name}";
    }

    // Describes one type; collects the types it mentions.
    private sealed class Walk(CodeClosure closure, MetadataReader reader, PEReader pe)
        : ISignatureTypeProvider<string, object?>
    {
        private bool _opensResources;

        public HashSet<string> Reached { get; } = new(StringComparer.Ordinal);

        public bool IsBoundary(TypeDefinitionHandle handle) =>
            reader
                .GetTypeDefinition(handle)
                .GetCustomAttributes()
                .Any(a => AttributeType(reader.GetCustomAttribute(a)) == typeof(CodeBoundaryAttribute).FullName);

        public string Describe(
            TypeDefinitionHandle handle,
            string name,
            IReadOnlyList<(string Name, string Hash)> resources
        )
        {
            var type = reader.GetTypeDefinition(handle);
            var text = new StringBuilder()
                .Append("type ")
                .Append(name)
                .Append(' ')
                .Append((int)type.Attributes)
                .Append(" : ")
                .AppendLine(Name(type.BaseType));
            foreach (var i in type.GetInterfaceImplementations())
                text.Append("  implements ").AppendLine(Name(reader.GetInterfaceImplementation(i).Interface));
            var members = new List<string>();
            foreach (var f in type.GetFields())
            {
                var field = reader.GetFieldDefinition(f);
                var constant = field.GetDefaultValue() is { IsNil: false } c
                    ? Convert.ToHexString(reader.GetBlobBytes(reader.GetConstant(c).Value))
                    : "";
                // Initial bytes of array literals live in the image, behind the field's address.
                var data = field.GetRelativeVirtualAddress() is var rva and not 0 ? DataOf(field, rva) : "";
                members.Add(
                    $"  field {reader.GetString(field.Name)} {(int)field.Attributes} "
                        + $"{field.DecodeSignature(this, null)} {constant}{data}"
                );
            }
            foreach (var m in type.GetMethods())
                members.Add(Method(reader.GetMethodDefinition(m)));
            members.Sort(StringComparer.Ordinal);
            foreach (var member in members)
                text.AppendLine(member);
            // Only code that opens embedded files depends on them. It may put their names together while it runs, so it
            // depends on all of its assembly's.
            if (_opensResources)
                foreach (var (resource, hash) in resources)
                    text.Append("  resource ").Append(resource).Append(' ').AppendLine(hash);
            return text.ToString();
        }

        private string DataOf(FieldDefinition field, int rva)
        {
            var size = field.DecodeSignature(this, null) switch
            {
                "Byte" or "SByte" or "Boolean" => 1,
                "Int16" or "UInt16" or "Char" => 2,
                "Int32" or "UInt32" or "Single" => 4,
                "Int64" or "UInt64" or "Double" => 8,
                _ => SizeOfStruct(field),
            };
            return Convert.ToHexString(pe.GetSectionData(rva).GetContent(0, size).AsSpan());
        }

        private int SizeOfStruct(FieldDefinition field)
        {
            var signature = reader.GetBlobReader(field.Signature);
            signature.ReadSignatureHeader();
            signature.ReadSignatureTypeCode();
            var type = signature.ReadTypeHandle();
            return type.Kind == HandleKind.TypeDefinition
                ? reader.GetTypeDefinition((TypeDefinitionHandle)type).GetLayout().Size
                : 0;
        }

        private string Method(MethodDefinition method)
        {
            var signature = method.DecodeSignature(this, null);
            var text = new StringBuilder("  method ")
                .Append(reader.GetString(method.Name))
                .Append(' ')
                .Append((int)method.Attributes)
                .Append(' ')
                .Append(signature.ReturnType)
                .Append('(')
                .AppendJoin(',', signature.ParameterTypes)
                .Append(')');
            foreach (var p in method.GetParameters())
                if (reader.GetParameter(p).GetDefaultValue() is { IsNil: false } c)
                    text.Append(" =").Append(Convert.ToHexString(reader.GetBlobBytes(reader.GetConstant(c).Value)));
            if (method.RelativeVirtualAddress != 0)
            {
                var body = pe.GetMethodBody(method.RelativeVirtualAddress);
                if (!body.LocalSignature.IsNil)
                    text.Append(" locals ")
                        .AppendJoin(
                            ',',
                            reader.GetStandaloneSignature(body.LocalSignature).DecodeLocalSignature(this, null)
                        );
                foreach (var r in body.ExceptionRegions)
                    text.Append(' ')
                        .Append(r.Kind)
                        .Append(r.TryOffset)
                        .Append('-')
                        .Append(r.HandlerOffset)
                        .Append(r.CatchType.IsNil ? "" : Name(r.CatchType));
                text.Append(" il ");
                Il(body.GetILReader(), text);
            }
            return text.ToString();
        }

        private void Il(BlobReader il, StringBuilder text)
        {
            while (il.RemainingBytes > 0)
            {
                var first = il.ReadByte();
                var code = first == 0xFE ? TwoByte[il.ReadByte()] : OneByte[first];
                text.Append(code.Name).Append(' ');
                switch (code.OperandType)
                {
                    case OperandType.InlineNone:
                        break;
                    case OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar:
                        text.Append(il.ReadByte());
                        break;
                    case OperandType.InlineVar:
                        text.Append(il.ReadUInt16());
                        break;
                    case OperandType.InlineBrTarget or OperandType.InlineI:
                        text.Append(il.ReadInt32());
                        break;
                    case OperandType.ShortInlineR:
                        text.Append(il.ReadUInt32());
                        break;
                    case OperandType.InlineI8 or OperandType.InlineR:
                        text.Append(il.ReadUInt64());
                        break;
                    case OperandType.InlineSwitch:
                        for (var n = il.ReadInt32(); n > 0; n--)
                            text.Append(il.ReadInt32()).Append(',');
                        break;
                    case OperandType.InlineString:
                        text.Append('"')
                            .Append(reader.GetUserString(MetadataTokens.UserStringHandle(il.ReadInt32() & 0xFFFFFF)))
                            .Append('"');
                        break;
                    default:
                        text.Append(Name(MetadataTokens.EntityHandle(il.ReadInt32())));
                        break;
                }
                text.Append(' ');
            }
        }

        private string Name(EntityHandle handle)
        {
            if (handle.IsNil)
                return "-";
            switch (handle.Kind)
            {
                case HandleKind.TypeDefinition:
                    return GetTypeFromDefinition(reader, (TypeDefinitionHandle)handle, 0);
                case HandleKind.TypeReference:
                    return GetTypeFromReference(reader, (TypeReferenceHandle)handle, 0);
                case HandleKind.TypeSpecification:
                    return reader.GetTypeSpecification((TypeSpecificationHandle)handle).DecodeSignature(this, null);
                case HandleKind.FieldDefinition:
                    var field = reader.GetFieldDefinition((FieldDefinitionHandle)handle);
                    return $"{Name(field.GetDeclaringType())}.{reader.GetString(field.Name)}";
                case HandleKind.MethodDefinition:
                    var method = reader.GetMethodDefinition((MethodDefinitionHandle)handle);
                    var parameters = string.Join(',', method.DecodeSignature(this, null).ParameterTypes);
                    return $"{Name(method.GetDeclaringType())}.{reader.GetString(method.Name)}({parameters})";
                case HandleKind.MemberReference:
                    var member = reader.GetMemberReference((MemberReferenceHandle)handle);
                    if (OpensResources(member))
                        _opensResources = true;
                    var signature =
                        member.GetKind() == MemberReferenceKind.Method
                            ? $"({string.Join(',', member.DecodeMethodSignature(this, null).ParameterTypes)})"
                            : member.DecodeFieldSignature(this, null);
                    return $"{Name(member.Parent)}.{reader.GetString(member.Name)}{signature}";
                case HandleKind.MethodSpecification:
                    var spec = reader.GetMethodSpecification((MethodSpecificationHandle)handle);
                    return $"{Name(spec.Method)}<{string.Join(',', spec.DecodeSignature(this, null))}>";
                default:
                    return handle.Kind.ToString();
            }
        }

        private bool OpensResources(MemberReference member) =>
            member.Parent is { Kind: HandleKind.TypeReference } parent
            && (ReferenceName(reader, (TypeReferenceHandle)parent), reader.GetString(member.Name))
                is
                    ("System.Reflection.Assembly", "GetManifestResourceStream")
                    or
                    ("System.Resources.ResourceManager", ".ctor");

        private string? AttributeType(CustomAttribute attribute) =>
            attribute.Constructor.Kind switch
            {
                HandleKind.MethodDefinition => FullName(
                    reader,
                    reader.GetMethodDefinition((MethodDefinitionHandle)attribute.Constructor).GetDeclaringType()
                ),
                HandleKind.MemberReference
                    when reader.GetMemberReference((MemberReferenceHandle)attribute.Constructor).Parent
                        is { Kind: HandleKind.TypeReference } t => ReferenceName(reader, (TypeReferenceHandle)t),
                _ => null,
            };

        private static string ReferenceName(MetadataReader r, TypeReferenceHandle handle)
        {
            var type = r.GetTypeReference(handle);
            var name = r.GetString(type.Name);
            if (type.ResolutionScope.Kind == HandleKind.TypeReference)
                return $"{ReferenceName(r, (TypeReferenceHandle)type.ResolutionScope)}+{name}";
            var ns = r.GetString(type.Namespace);
            return ns.Length == 0 ? name : $"{ns}.{name}";
        }

        public string GetTypeFromDefinition(MetadataReader r, TypeDefinitionHandle handle, byte rawTypeKind)
        {
            var name = FullName(r, handle);
            Reached.Add(name);
            return name;
        }

        public string GetTypeFromReference(MetadataReader r, TypeReferenceHandle handle, byte rawTypeKind)
        {
            var name = ReferenceName(r, handle);
            if (closure._types.ContainsKey(name))
            {
                Reached.Add(name);
                return name;
            }
            var scope = r.GetTypeReference(handle).ResolutionScope;
            while (scope.Kind == HandleKind.TypeReference)
                scope = r.GetTypeReference((TypeReferenceHandle)scope).ResolutionScope;
            if (scope.Kind != HandleKind.AssemblyReference)
                return name;
            var assembly = r.GetAssemblyReference((AssemblyReferenceHandle)scope);
            return $"[{r.GetString(assembly.Name)} {assembly.Version}]{name}";
        }

        public string GetTypeFromSpecification(
            MetadataReader r,
            object? context,
            TypeSpecificationHandle handle,
            byte rawTypeKind
        ) => r.GetTypeSpecification(handle).DecodeSignature(this, context);

        public string GetPrimitiveType(PrimitiveTypeCode typeCode) => typeCode.ToString();

        public string GetGenericInstantiation(string genericType, ImmutableArray<string> typeArguments) =>
            $"{genericType}<{string.Join(',', typeArguments)}>";

        public string GetArrayType(string elementType, ArrayShape shape) => $"{elementType}[{shape.Rank}]";

        public string GetSZArrayType(string elementType) => elementType + "[]";

        public string GetByReferenceType(string elementType) => elementType + "&";

        public string GetPointerType(string elementType) => elementType + "*";

        public string GetPinnedType(string elementType) => elementType;

        public string GetModifiedType(string modifier, string unmodifiedType, bool isRequired) =>
            $"{unmodifiedType} mod {modifier}";

        public string GetFunctionPointerType(MethodSignature<string> signature) =>
            $"fn({string.Join(',', signature.ParameterTypes)})";

        public string GetGenericMethodParameter(object? genericContext, int index) => $"!!{index}";

        public string GetGenericTypeParameter(object? genericContext, int index) => $"!{index}";
    }
}
