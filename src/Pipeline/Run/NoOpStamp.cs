using System.Text;
using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>
/// The compiled outcome of a run that found everything up to date: what it looked at, as the file system describes it.
/// While all of that is as it was, the next run of the same request need not read the study, make a plan or hash.
/// </summary>
/// <remarks>
/// Any doubt means the whole way: a file, a folder of views, a program or an assembly with another size, number or time
/// of change (which nobody can set), another request, a result that is gone. It is written only after a run that did
/// nothing, and only where nothing it describes was touched during that run or in the two seconds before it.
/// </remarks>
public sealed class NoOpStamp
{
    private const string Format = "no-op/1";
    private const int KeyBytes = 32;

    private NoOpStamp(string profile, int cells) => (Profile, Cells) = (profile, cells);

    /// <summary>The profile that was planned.</summary>
    public string Profile { get; }

    /// <summary>Cells that are up to date.</summary>
    public int Cells { get; }

    /// <summary>What a run looks at, and how it was when it did.</summary>
    public sealed class Sources
    {
        internal Dictionary<string, FileState?> Files { get; } = new(StringComparer.Ordinal);

        internal Dictionary<string, string> Programs { get; } = new(StringComparer.Ordinal);

        internal bool IsDoubtful { get; set; }

        /// <summary>The study's own files and the assemblies, before they are read.</summary>
        /// <param name="root">The folder of the study.</param>
        /// <param name="assemblies">The folder of the program.</param>
        public static Sources Before(string root, string assemblies)
        {
            var sources = new Sources();
            sources.Add(Path.Combine(root, PipelineFile.FileName));
            sources.AddFolder(Path.Combine(root, PipelineFile.ProfileFolder));
            foreach (var assembly in Directory.EnumerateFiles(assemblies, "EditUnlearn.*.dll"))
                sources.Add(assembly);
            return sources;
        }

        /// <summary>What the plan reads and where it shows results, before keys are made.</summary>
        public void Add(Plan plan, ResultStore store)
        {
            ArgumentNullException.ThrowIfNull(plan);
            ArgumentNullException.ThrowIfNull(store);
            foreach (var input in plan.Cells.SelectMany(c => c.Inputs).OfType<FileInput>().DistinctBy(f => f.Path))
                if (Path.GetFullPath(input.Path, plan.Root) is var path && Directory.Exists(path))
                    AddFolder(path);
                else
                    Add(path);
            Add(store.Artifacts);
            foreach (var stage in plan.Cells.Where(c => c.Id.Axes.Count > 0).Select(c => c.Id.Stage).Distinct())
                Add(Path.Combine(store.Artifacts, stage));
            foreach (var around in plan.Stages.SelectMany(s => s.Run.Info.Surroundings).DistinctBy(s => s.Name))
                Add(around);
            // A probe of the processor decides the plan.
            IsDoubtful |= plan.Numerics != NumericsNames.Portable;
        }

        private void Add(Surrounding around)
        {
            if (!around.IsOnPath)
            {
                IsDoubtful = true;
                return;
            }
            var path = SearchPath.Find(around.Name);
            Programs[around.Name] = path ?? "";
            if (path is null)
                return;
            var files = around.Read(path).Files;
            IsDoubtful |= files.Count == 0;
            foreach (var file in files)
                Add(file);
        }

        // Of a link what is behind it: a link to another file has another number.
        private void Add(string path) => Files[path] = FileState.Of(path);

        private void AddFolder(string folder)
        {
            Add(folder);
            if (!Directory.Exists(folder))
                return; // whoever reads it will say so
            foreach (var entry in Directory.EnumerateFileSystemEntries(folder, "*", SearchOption.AllDirectories))
                Add(entry);
        }

        /// <summary>Whether everything is as it was, and was so for two seconds.</summary>
        internal bool HoldStill() =>
            !IsDoubtful
            && Files.All(f =>
                f.Value is { } state && state.IsOlderThan(TimeSpan.FromSeconds(2)) && FileState.Of(f.Key) == state
            )
            && Programs.All(p => (SearchPath.Find(p.Key) ?? "") == p.Value);
    }

    /// <summary>Where the stamp of a request lies.</summary>
    private static string FileOf(string artifacts, string request)
    {
        // FNV-1a: a name, no proof; the request itself stands in the file.
        var hash = 14695981039346656037UL;
        foreach (var b in Encoding.UTF8.GetBytes(request))
            hash = unchecked((hash ^ b) * 1099511628211UL);
        return Path.Combine(artifacts, ".store", "no-op", $"{hash:x16}.bin");
    }

    /// <summary>Writes the stamp of a run that did nothing; does nothing where there is any doubt.</summary>
    /// <param name="request">All of the command line that decides what is planned.</param>
    /// <param name="plan">The plan.</param>
    /// <param name="store">The store.</param>
    /// <param name="result">What became of the run.</param>
    /// <param name="sources">Taken before.</param>
    public static void Write(string request, Plan plan, ResultStore store, RunResult result, Sources sources)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(store);
        ArgumentNullException.ThrowIfNull(result);
        ArgumentNullException.ThrowIfNull(sources);
        if (
            result.Count(Outcome.UpToDate) != result.Cells.Count
            || result.Keys.Count != result.Cells.Count
            || !sources.HoldStill()
        )
            return;
        using var memory = new MemoryStream();
        using (var writer = new BinaryWriter(memory))
        {
            writer.Write(Format);
            writer.Write(request);
            writer.Write(plan.Profile);
            writer.Write(sources.Programs.Count);
            foreach (var (program, path) in sources.Programs)
            {
                writer.Write(program);
                writer.Write(path);
            }
            writer.Write(sources.Files.Count);
            foreach (var (path, state) in sources.Files)
            {
                writer.Write(path);
                writer.Write(state!.Bytes);
                writer.Write(state.Number);
                writer.Write(state.Modified);
                writer.Write(state.Changed);
            }
            writer.Write(result.Keys.Count);
            foreach (var key in result.Keys)
                writer.Write(Convert.FromHexString(key));
        }
        AtomicFile.Write(FileOf(store.Artifacts, request), memory.ToArray());
    }

    /// <summary>The stamp of a request where it holds; null where there is none or any doubt.</summary>
    /// <param name="artifacts">The artifacts folder.</param>
    /// <param name="request">As it was written with.</param>
    public static NoOpStamp? Find(string artifacts, string request)
    {
        var file = FileOf(artifacts, request);
        if (!File.Exists(file))
            return null;
        try
        {
            using var reader = new BinaryReader(new MemoryStream(File.ReadAllBytes(file)));
            if (reader.ReadString() != Format || reader.ReadString() != request)
                return null;
            var profile = reader.ReadString();
            for (var left = reader.ReadInt32(); left > 0; left--)
            {
                var found = SearchPath.Find(reader.ReadString()) ?? "";
                if (found != reader.ReadString())
                    return null;
            }
            for (var left = reader.ReadInt32(); left > 0; left--)
            {
                var path = reader.ReadString();
                var state = new FileState(
                    reader.ReadInt64(),
                    reader.ReadUInt64(),
                    reader.ReadInt64(),
                    reader.ReadInt64()
                );
                if (FileState.Of(path) != state)
                    return null;
            }
            var keys = reader.ReadBytes(reader.ReadInt32() * KeyBytes);
            return AreThere(artifacts, keys) ? new NoOpStamp(profile, keys.Length / KeyBytes) : null;
        }
        catch (Exception e) when (e is IOException or FormatException or UnauthorizedAccessException)
        {
            return null; // torn, or of another version
        }
    }

    private static bool AreThere(string artifacts, byte[] keys)
    {
        var results = Path.Combine(artifacts, ".store", "results");
        for (var at = 0; at < keys.Length; at += KeyBytes)
            if (!File.Exists($"{results}/{Convert.ToHexStringLower(keys, at, KeyBytes)}/{ResultStore.ManifestName}"))
                return false;
        return true;
    }
}
