using System.Reflection.Metadata;

namespace EditUnlearn.Pipeline;

/// <summary>Finds the source of a type in the debugging symbols beside the assemblies.</summary>
internal static class SourceFinder
{
    // Paths are mapped to this root, so that no build depends on where it was made.
    private const string Root = "/_/";

    /// <summary>
    /// File relative to the checkout, and the first line of code of the type; null where symbols or code are missing.
    /// </summary>
    public static SourcePlace? Find(IEnumerable<string> assemblies, string type)
    {
        foreach (var assembly in assemblies)
        {
            var symbols = Path.ChangeExtension(assembly, ".pdb");
            if (File.Exists(symbols) && In(assembly, symbols, type) is { } place)
                return place;
        }
        return null;
    }

    private static SourcePlace? In(string assembly, string symbols, string type)
    {
        try
        {
            using var pe = new System.Reflection.PortableExecutable.PEReader(File.OpenRead(assembly));
            var reader = pe.GetMetadataReader();
            var found = reader.TypeDefinitions.FirstOrDefault(t =>
                reader.GetTypeDefinition(t) is var d
                && type == (d.Namespace.IsNil ? "" : reader.GetString(d.Namespace) + ".") + reader.GetString(d.Name)
            );
            if (found.IsNil)
                return null;
            using var provider = MetadataReaderProvider.FromPortablePdbStream(File.OpenRead(symbols));
            var pdb = provider.GetMetadataReader();
            return reader
                .GetTypeDefinition(found)
                .GetMethods()
                .Select(m => pdb.GetMethodDebugInformation(m.ToDebugInformationHandle()))
                .SelectMany(m => m.GetSequencePoints().Where(p => !p.IsHidden && !p.Document.IsNil))
                .Select(p =>
                    (SourcePlace?)
                        new SourcePlace(
                            Relative(pdb.GetString(pdb.GetDocument(p.Document).Name)),
                            p.StartLine,
                            p.StartColumn
                        )
                )
                .OrderBy(p => p!.Value.Line)
                .FirstOrDefault();
        }
        catch (Exception e) when (e is BadImageFormatException or IOException)
        {
            return null; // symbols of another form, or just being replaced by a build
        }
    }

    private static string Relative(string document) =>
        document.StartsWith(Root, StringComparison.Ordinal) ? document[Root.Length..] : Path.GetFileName(document);
}
