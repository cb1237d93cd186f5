using System;
using System.Collections.Generic;
using System.IO;
using System.Text;
#if !TESTS
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;
#endif

// Compiled twice: by MSBuild as an inline task (build/Native.targets) and by the tests, which define TESTS and do
// without MSBuild. So: one file, no project types, old-style C#.

namespace EditUnlearn.Build
{
    /// <summary>
    /// Makes one version need of an ELF64 shared library weak, so that the dynamic loader of an older distribution
    /// accepts it.
    /// LibTorchSharp 0.107 asks for GLIBCXX_3.4.32 (GCC 13) only because of a marker symbol; Debian 12, Ubuntu 22.04
    /// and RHEL 9 have 3.4.30 and refuse to load it. Format: System V gABI and the GNU symbol-versioning note
    /// (Elf64_Verneed, Elf64_Vernaux).
    /// </summary>
    public static class ElfVersionNeed
    {
        private const uint ElfMagic = 0x464c457f;
        private const uint SectionDynSym = 11;
        private const uint SectionVerNeed = 0x6ffffffe;
        private const uint SectionVerSym = 0x6fffffff;
        private const ushort FlagWeak = 0x2;

        /// <summary>
        /// Sets the weak flag on <paramref name="version"/> and returns how many needs were changed (0: not asked for).
        /// </summary>
        /// <param name="image">The file's bytes, changed in place.</param>
        /// <param name="version">For example <c>GLIBCXX_3.4.32</c>.</param>
        /// <param name="marker">The only symbol that may carry this version: one that nothing calls.</param>
        /// <exception cref="InvalidDataException">Not a little-endian ELF64 file, damaged, or another symbol needs the
        /// version.</exception>
        public static int Weaken(byte[] image, string version, string marker)
        {
            try
            {
                return WeakenChecked(image, version, marker);
            }
            catch (Exception e) when (e is ArgumentException || e is IndexOutOfRangeException || e is OverflowException)
            {
                throw new InvalidDataException("damaged ELF file: a section points outside the file", e);
            }
        }

        private static int WeakenChecked(byte[] image, string version, string marker)
        {
            if (image.Length < 64 || U32(image, 0) != ElfMagic || image[4] != 2 || image[5] != 1)
                throw new InvalidDataException("not a little-endian ELF64 file");

            Sections sections = SectionsOf(image);
            if (sections.Needs < 0)
                return 0;
            var flagsAt = new List<long>();
            var indices = new HashSet<ushort>();
            FindNeeds(image, sections, version, flagsAt, indices);
            if (flagsAt.Count == 0)
                return 0;
            if (sections.VersionSymbols < 0 || sections.Symbols < 0)
                throw new InvalidDataException("the file has version needs but no symbol versions");
            List<string> others = SymbolsOf(image, sections, indices);
            others.RemoveAll(name => name == marker);
            if (others.Count > 0)
                throw new InvalidDataException(
                    "symbols other than the marker need "
                        + version
                        + ": "
                        + string.Join(", ", others)
                        + ". Weakening would turn a load error into a crash. Use a distribution whose libstdc++ has "
                        + version
                        + ", or a build of LibTorchSharp for an older one."
                );

            foreach (long at in flagsAt)
            {
                ushort flags = (ushort)(U16(image, at) | FlagWeak);
                image[at] = (byte)flags;
                image[at + 1] = (byte)(flags >> 8);
            }
            return flagsAt.Count;
        }

        // Offsets in the file; -1 where there is no such section.
        private sealed class Sections
        {
            public long Needs = -1;
            public long NeedNames;
            public long VersionSymbols = -1;
            public long Symbols = -1;
            public long SymbolCount;
            public long SymbolNames;
        }

        private static Sections SectionsOf(byte[] image)
        {
            long headers = I64(image, 0x28);
            int headerSize = U16(image, 0x3A),
                headerCount = U16(image, 0x3C);
            if (headers < 64 || headers + (long)headerSize * headerCount > image.Length || headerSize < 64)
                throw new InvalidDataException("damaged ELF file: the section headers lie outside the file");
            var found = new Sections();
            for (int i = 0; i < headerCount; i++)
            {
                long header = headers + (long)i * headerSize;
                uint type = U32(image, header + 4);
                long offset = I64(image, header + 0x18);
                if (type == SectionVerNeed)
                {
                    found.Needs = offset;
                    found.NeedNames = LinkedOffset(image, headers, headerSize, header);
                }
                else if (type == SectionVerSym)
                    found.VersionSymbols = offset;
                else if (type == SectionDynSym)
                {
                    found.Symbols = offset;
                    found.SymbolCount = I64(image, header + 0x20) / 24;
                    found.SymbolNames = LinkedOffset(image, headers, headerSize, header);
                }
            }
            return found;
        }

        // Where the flags of each need of the version stand, and the indices that symbols name it by.
        private static void FindNeeds(
            byte[] image,
            Sections sections,
            string version,
            List<long> flagsAt,
            HashSet<ushort> indices
        )
        {
            for (long need = sections.Needs; ;)
            {
                long aux = need + U32(image, need + 8);
                for (int k = U16(image, need + 2); k > 0; k--)
                {
                    if (Text(image, sections.NeedNames + U32(image, aux + 8)) == version)
                    {
                        flagsAt.Add(aux + 4);
                        indices.Add((ushort)(U16(image, aux + 6) & 0x7fff));
                    }
                    aux += U32(image, aux + 12);
                }
                uint next = U32(image, need + 12);
                if (next == 0)
                    break;
                need += next;
            }
        }

        private static List<string> SymbolsOf(byte[] image, Sections sections, HashSet<ushort> indices)
        {
            var names = new List<string>();
            for (long i = 0; i < sections.SymbolCount; i++)
                if (indices.Contains((ushort)(U16(image, sections.VersionSymbols + 2 * i) & 0x7fff)))
                    names.Add(Text(image, sections.SymbolNames + U32(image, sections.Symbols + 24 * i)));
            return names;
        }

        private static long LinkedOffset(byte[] b, long headers, int headerSize, long header)
        {
            return I64(b, headers + (long)U32(b, header + 0x28) * headerSize + 0x18);
        }

        private static ushort U16(byte[] b, long o)
        {
            return BitConverter.ToUInt16(b, checked((int)o));
        }

        private static uint U32(byte[] b, long o)
        {
            return BitConverter.ToUInt32(b, checked((int)o));
        }

        private static long I64(byte[] b, long o)
        {
            return BitConverter.ToInt64(b, checked((int)o));
        }

        private static string Text(byte[] b, long o)
        {
            int start = checked((int)o),
                end = Array.IndexOf(b, (byte)0, start);
            if (end < 0)
                throw new ArgumentException("unterminated string");
            return Encoding.ASCII.GetString(b, start, end - start);
        }
    }

#if !TESTS
    /// <summary>
    /// MSBuild face of <see cref="ElfVersionNeed"/>: copies a library, with one version need made weak.
    /// </summary>
    public class WeakenElfVersionNeed : Task
    {
        /// <summary>
        /// The library as it came from the package; never written to (outputs may be hard links into the package
        /// cache).
        /// </summary>
        [Required]
        public string Source { get; set; }

        /// <summary>The changed copy.</summary>
        [Required]
        public string Target { get; set; }

        /// <summary>The version to make weak.</summary>
        [Required]
        public string VersionNeed { get; set; }

        /// <summary>The only symbol that may carry it.</summary>
        [Required]
        public string Marker { get; set; }

        /// <inheritdoc/>
        public override bool Execute()
        {
            try
            {
                byte[] image = File.ReadAllBytes(Source);
                int weakened = ElfVersionNeed.Weaken(image, VersionNeed, Marker);
                Directory.CreateDirectory(Path.GetDirectoryName(Target));
                // Several projects may get here at once: each writes its own file, the last rename wins with the same
                // bytes.
                string temporary = Target + "." + Guid.NewGuid().ToString("N");
                File.WriteAllBytes(temporary, image);
                if (File.Exists(Target))
                    File.Delete(temporary);
                else
                    File.Move(temporary, Target);
                Log.LogMessage(
                    MessageImportance.Normal,
                    "{0}: {1} need(s) of {2} made weak",
                    Path.GetFileName(Target),
                    weakened,
                    VersionNeed
                );
                return true;
            }
            catch (InvalidDataException e)
            {
                Log.LogError("{0}: {1}", Source, e.Message);
                return false;
            }
            catch (IOException) when (File.Exists(Target))
            {
                return true;
            }
        }
    }
#endif
}
