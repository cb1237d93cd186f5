using System.IO.Compression;
using System.Text;
using EditUnlearn.Foundation;
using EditUnlearn.Models.Weights;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Foundation;

/// <summary>Whatever stands where a file is asked for, the answer is a sentence that names it.</summary>
public sealed class UserFileTests
{
    private static string Refusal(Action read) => Assert.Throws<InputException>(read).Message;

    [Fact]
    public void A_link_to_nothing_a_folder_and_what_is_absent_are_called_so()
    {
        using var folder = new TemporaryFolder();
        File.CreateSymbolicLink(folder["link"], folder["gone"]);
        File.CreateSymbolicLink(folder["longer"], folder["link"]);
        Directory.CreateDirectory(folder["inside"]);
        foreach (var read in (Action<string>[])[p => UserFile.Text(p), p => UserFile.Bytes(p), p => UserFile.Open(p)])
        {
            Assert.Contains("is a link to nothing", Refusal(() => read(folder["link"])), StringComparison.Ordinal);
            Assert.Contains("is a link to nothing", Refusal(() => read(folder["longer"])), StringComparison.Ordinal);
            Assert.Contains("is a folder", Refusal(() => read(folder["inside"])), StringComparison.Ordinal);
            Assert.Contains("there is no such file", Refusal(() => read(folder["none"])), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_byte_order_mark_is_no_part_of_the_text_and_UTF_16_is_called_so()
    {
        using var folder = new TemporaryFolder();
        foreach (var text in (string[])["", "x", "{\"a\": 1}", "\u00e9"])
        {
            File.WriteAllText(folder["f"], text, new UTF8Encoding(true));
            Assert.Equal(text, UserFile.Text(folder["f"]));
        }
        File.WriteAllText(folder["f"], "{\"a\": 1}", Encoding.Unicode);
        Assert.Contains("is UTF-16", Refusal(() => UserFile.Text(folder["f"])), StringComparison.Ordinal);
        File.WriteAllText(folder["f"], "{\"a\": 1}", Encoding.BigEndianUnicode);
        Assert.Contains("is UTF-16", Refusal(() => UserFile.Text(folder["f"])), StringComparison.Ordinal);
        File.WriteAllBytes(folder["f"], [.. "a\nb\n"u8, 0xE4, .. "c"u8]);
        var message = Refusal(() => UserFile.Text(folder["f"]));
        Assert.Contains("f(3): is not UTF-8: byte 0xE4", message, StringComparison.Ordinal);
    }

    public static TheoryData<string, byte[]> Strangers()
    {
        static byte[] Packed(Func<Stream, Stream> pack)
        {
            var memory = new MemoryStream();
            using (var stream = pack(memory))
                stream.Write("some text"u8);
            return memory.ToArray();
        }
        return new()
        {
            { "git-lfs pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 1\n"u8.ToArray() },
            { "compressed (gzip)", Packed(s => new GZipStream(s, CompressionMode.Compress)) },
            { "archive (zip)", [0x50, 0x4B, 3, 4, 20, 0] },
            { "compressed (zstd)", [0x28, 0xB5, 0x2F, 0xFD, 4] },
            { "web page", "<!DOCTYPE html><html><body>401</body></html>"u8.ToArray() },
            { "web page", [.. Encoding.UTF8.Preamble, .. "\n <html lang=\"en\">"u8] },
            { "zero bytes", new byte[100] },
        };
    }

    [Theory]
    [MemberData(nameof(Strangers))]
    public void What_is_something_else_is_called_by_its_name_by_every_reader(string name, byte[] bytes)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["model.safetensors"], bytes);
        Assert.Contains(name, Refusal(() => UserFile.Text(folder["model.safetensors"])), StringComparison.Ordinal);
        Assert.Contains(
            name,
            Refusal(() => SafetensorsFile.Open(folder["model.safetensors"])),
            StringComparison.Ordinal
        );
        File.WriteAllBytes(folder["config.json"], bytes);
        Assert.Contains(name, Refusal(() => ConfigFile.Read(folder["config.json"])), StringComparison.Ordinal);
    }

    [Fact]
    public void Many_equal_findings_are_one_with_their_number_and_first_places()
    {
        var equal = Enumerable.Range(2, 1000).Select(l => new InputProblem("f", l, 0, "x is missing", "add it"));
        var other = new InputProblem("f", 1, 0, "y is missing");
        var e = new InputException([other, .. equal]);
        Assert.Equal(
            "f(1): y is missing\nf(2): x is missing (and 999 times more: lines 3, 4, 5, ..)\n  hint: add it",
            e.Message
        );
        Assert.Equal(4, new InputException([.. equal.Take(3), other]).Problems.Count);
    }
}
