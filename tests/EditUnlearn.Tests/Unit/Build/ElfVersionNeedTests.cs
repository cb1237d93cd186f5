using System.Text;
using EditUnlearn.Build;

namespace EditUnlearn.Tests.Unit.Build;

public class ElfVersionNeedTests
{
    private const string Version = "GLIBCXX_3.4.32";
    private const string Marker = "_ZSt21ios_base_library_initv";

    [Fact]
    public void Only_the_flag_of_the_one_need_changes()
    {
        var image = Library(Marker);
        var before = (byte[])image.Clone();

        Assert.Equal(1, ElfVersionNeed.Weaken(image, Version, Marker));

        var changed = Enumerable.Range(0, image.Length).Where(i => image[i] != before[i]).ToArray();
        var at = Assert.Single(changed);
        Assert.Equal(before[at] | 2, image[at]);
    }

    [Fact]
    public void A_library_that_does_not_ask_for_the_version_stays_as_it_is()
    {
        var image = Library(Marker);
        var before = (byte[])image.Clone();
        Assert.Equal(0, ElfVersionNeed.Weaken(image, "GLIBCXX_9.9", Marker));
        Assert.Equal(before, image);
    }

    [Fact]
    public void A_second_symbol_of_that_version_is_an_error_that_names_it()
    {
        var image = Library(Marker, "_ZNSt3foo3barEv");
        var error = Assert.Throws<InvalidDataException>(() => ElfVersionNeed.Weaken(image, Version, Marker));
        Assert.Contains("_ZNSt3foo3barEv", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Something_that_is_not_ELF_is_an_error() =>
        Assert.Throws<InvalidDataException>(() => ElfVersionNeed.Weaken(new byte[100], Version, Marker));

    [Fact]
    public void Every_truncation_ends_in_a_typed_error_or_no_change()
    {
        var whole = Library(Marker);
        for (var length = 0; length < whole.Length; length++)
        {
            var image = whole[..length];
            var error = Record.Exception(() => ElfVersionNeed.Weaken(image, Version, Marker));
            Assert.True(error is InvalidDataException, $"{length} bytes: {error}");
        }
    }

    // A minimal ELF64 image: .dynstr, .dynsym, .gnu.version, .gnu.version_r, then the section headers last.
    private static byte[] Library(params string[] symbols)
    {
        var strings = new MemoryStream();
        long Put(string s)
        {
            var at = strings.Position;
            strings.Write(Encoding.ASCII.GetBytes(s + "\0"));
            return at;
        }
        Put("");
        var file = (uint)Put("libstdc++.so.6");
        var version = (uint)Put(Version);
        var names = symbols.Select(s => (uint)Put(s)).ToArray();

        using var image = new MemoryStream();
        using var w = new BinaryWriter(image);
        w.Write(new byte[64]);
        var strAt = image.Position;
        w.Write(strings.ToArray());
        var symAt = image.Position;
        w.Write(new byte[24]);
        foreach (var name in names)
        {
            w.Write(name);
            w.Write(new byte[20]);
        }
        var verAt = image.Position;
        w.Write((ushort)0);
        foreach (var _ in names)
            w.Write((ushort)2);
        var needAt = image.Position;
        WriteNeed(w, file, version);

        var headersAt = image.Position;
        WriteSection(w, 0, 0, 0, 0);
        WriteSection(w, 3, strAt, symAt - strAt, 0);
        WriteSection(w, 11, symAt, verAt - symAt, 1);
        WriteSection(w, 0x6fffffff, verAt, needAt - verAt, 2);
        WriteSection(w, 0x6ffffffe, needAt, headersAt - needAt, 1);

        var bytes = image.ToArray();
        BitConverter.TryWriteBytes(bytes.AsSpan(0), 0x464c457fu);
        bytes[4] = 2;
        bytes[5] = 1;
        BitConverter.TryWriteBytes(bytes.AsSpan(0x28), headersAt);
        BitConverter.TryWriteBytes(bytes.AsSpan(0x3A), (ushort)64);
        BitConverter.TryWriteBytes(bytes.AsSpan(0x3C), (ushort)5);
        return bytes;
    }

    private static void WriteNeed(BinaryWriter w, uint file, uint version)
    {
        w.Write((ushort)1);
        w.Write((ushort)1);
        w.Write(file);
        w.Write(16u);
        w.Write(0u);
        w.Write(0u);
        w.Write((ushort)0);
        w.Write((ushort)2);
        w.Write(version);
        w.Write(0u);
    }

    private static void WriteSection(BinaryWriter w, uint type, long offset, long size, uint link)
    {
        w.Write(0u);
        w.Write(type);
        w.Write(0L);
        w.Write(0L);
        w.Write(offset);
        w.Write(size);
        w.Write(link);
        w.Write(new byte[20]);
    }
}
