using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using EditUnlearn.Foundation;

namespace EditUnlearn.Tests.Support;

/// <summary>
/// Damages files the way disks, downloads and attackers do. The same seed and number give the same damage.
/// </summary>
/// <param name="seed">Of all draws.</param>
/// <param name="number">Which damage.</param>
public sealed partial class Mutator(Seed seed, int number)
{
    private static readonly string[] Numbers =
    [
        "-1",
        "0",
        "1",
        "255",
        "65536",
        "2147483647",
        "2147483648",
        "-2147483649",
        "4294967296",
        "1152921504606846976",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "18446744073709551616",
        "1e308",
        "1e999",
        "-1e999",
        "0.5",
        "1e-400",
        "99999999999999999999999999999999",
    ];

    private static readonly string[] Values =
    [
        "null",
        "true",
        "false",
        "\"\"",
        "[]",
        "{}",
        "[null]",
        "[[]]",
        "{\"a\":1}",
        "\"..\"",
        "\"../../../../etc/passwd\"",
        "\"/etc/passwd\"",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "\"linear\"",
        "\"F32\"",
        "\"F8_E4M3\"",
        "[0,8]",
        "[1152921504606846976]",
    ];

    private static readonly string[] Signs =
    [
        ",",
        ";",
        "\"",
        "'",
        ":",
        ": ",
        "- ",
        "  ",
        "\t",
        "\r",
        "[",
        "]",
        "{",
        "}",
        "&a ",
        "*a",
        "!!int ",
        "|",
        "#",
        "%",
        "{{",
        "}}",
        "{%",
        "%}",
        "$",
        "$$",
        "~",
        "<<: *a",
        "---",
        "=1+1",
        "\0",
        "\uFEFF",
        "\u202E",
        "\uFFFD",
        "\U0001F600",
        "e\u0301",
    ];

    private readonly SplitMix64 _draw = seed.Stream($"mutation/{number}");

    /// <summary>A number from 0 to <paramref name="end"/> - 1, from the same stream as the damage.</summary>
    public int Below(int end) => _draw.Below(end);

    /// <summary>Bits turned, ends cut off, ranges removed, doubled, moved or overwritten.</summary>
    public byte[] Bytes(byte[] original)
    {
        var bytes = original.ToList();
        for (var times = 1 + Below(3); times > 0 && bytes.Count > 0; times--)
        {
            var at = Below(bytes.Count);
            var count = 1 + Below(Math.Min(64, bytes.Count - at));
            switch (Below(8))
            {
                case 0:
                    for (var i = 0; i < 8; i++)
                        bytes[Below(bytes.Count)] ^= (byte)(1 << Below(8));
                    break;
                case 1:
                    bytes.RemoveRange(at, bytes.Count - at);
                    break;
                case 2:
                    bytes.RemoveRange(at, count);
                    break;
                case 3:
                    bytes.InsertRange(at, bytes.GetRange(at, count));
                    break;
                case 4:
                    bytes.InsertRange(Below(bytes.Count), bytes.GetRange(at, count));
                    break;
                case 5:
                    for (var i = at; i < at + count; i++)
                        bytes[i] = (byte)(Below(2) * 255);
                    break;
                case 6:
                    bytes.InsertRange(at, Enumerable.Range(0, count).Select(_ => (byte)Below(256)));
                    break;
                default:
                    // the head of a file is its most powerful part
                    bytes[Below(Math.Min(16, bytes.Count))] = (byte)Below(256);
                    break;
            }
        }
        return [.. bytes];
    }

    /// <summary>
    /// A JSON text with a value replaced, a field removed, doubled or renamed, or buried deep; sometimes damaged as
    /// bytes instead.
    /// </summary>
    public byte[] Json(byte[] original)
    {
        if (Below(5) == 0 || Parsed(original) is not { } root)
            return Bytes(original);
        var text = Render(root, Places(root));
        return Encoding.UTF8.GetBytes(text);
    }

    /// <summary>
    /// Lines of JSON, of which one is damaged, doubled, moved or left out; sometimes the whole as bytes instead.
    /// </summary>
    public byte[] JsonLines(byte[] original)
    {
        if (Below(5) == 0)
            return Bytes(original);
        var lines = Encoding.UTF8.GetString(original).Split('\n').ToList();
        var at = Below(lines.Count);
        if (Below(4) > 0)
            lines[at] = Encoding.UTF8.GetString(Json(Encoding.UTF8.GetBytes(lines[at])));
        else
            Rearrange(lines, at);
        return Encoding.UTF8.GetBytes(string.Join('\n', lines));
    }

    /// <summary>
    /// Lines of text, of which words are exchanged, doubled, left out or replaced by values and signs that mean
    /// something to some format; sometimes the whole as bytes instead.
    /// </summary>
    public byte[] Text(byte[] original)
    {
        if (Below(6) == 0)
            return Bytes(original);
        var lines = Encoding.UTF8.GetString(original).Split('\n').ToList();
        for (var times = 1 + Below(3); times > 0; times--)
        {
            var at = Below(lines.Count);
            if (Below(4) == 0)
            {
                Rearrange(lines, at);
                continue;
            }
            var words = Word().Split(lines[at]).Where(w => w.Length > 0).ToList();
            if (words.Count == 0)
                words.Add("");
            var word = Below(words.Count);
            switch (Below(5))
            {
                case 0:
                    words.RemoveAt(word);
                    break;
                case 1:
                    words.Insert(Below(words.Count + 1), words[word]);
                    break;
                case 2:
                    words[word] = Value();
                    break;
                default:
                    words.Insert(word, Signs[Below(Signs.Length)]);
                    break;
            }
            lines[at] = string.Concat(words);
        }
        return Encoding.UTF8.GetBytes(string.Join('\n', lines));
    }

    private void Rearrange(List<string> lines, int at)
    {
        var other = Below(lines.Count);
        switch (Below(3))
        {
            case 0:
                lines.Insert(other, lines[at]);
                break;
            case 1:
                (lines[at], lines[other]) = (lines[other], lines[at]);
                break;
            default:
                if (lines.Count > 1)
                    lines.RemoveAt(at);
                break;
        }
    }

    /// <summary>
    /// A file of 8 bytes of length, JSON and values: damage to the length, to the JSON (the length then follows) or
    /// anywhere.
    /// </summary>
    public byte[] Safetensors(byte[] original)
    {
        if (original.Length < 8 || Below(4) == 0)
            return Bytes(original);
        var length = BinaryPrimitives.ReadUInt64LittleEndian(original);
        if (length > (ulong)(original.Length - 8))
            return Bytes(original);
        var header = original[8..(8 + (int)length)];
        if (Below(6) == 0)
        {
            ulong[] lengths =
            [
                0,
                1,
                length - 1,
                length + 1,
                (ulong)original.Length,
                100_000_001,
                1UL << 40,
                1UL << 63,
                ulong.MaxValue,
            ];
            return [.. Prefix(lengths[Below(lengths.Length)]), .. original[8..]];
        }
        header = Json(header);
        return [.. Prefix((ulong)header.Length), .. header, .. original[(8 + (int)length)..]];
    }

    // Null where it was damaged before.
    private static JsonNode? Parsed(byte[] text)
    {
        try
        {
            var root = JsonNode.Parse(text);
            // Doubled names and halves of surrogates are found when they are looked at.
            _ = root?.ToJsonString();
            _ = Places(root);
            return root;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or ArgumentException)
        {
            return null;
        }
    }

    private static byte[] Prefix(ulong length)
    {
        var prefix = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(prefix, length);
        return prefix;
    }

    // Every node, so that a field deep inside is hit as often as one at the top.
    private static List<JsonNode?> Places(JsonNode? node)
    {
        List<JsonNode?> all = [node];
        if (node is JsonObject o)
            foreach (var (_, child) in o)
                all.AddRange(Places(child));
        if (node is JsonArray a)
            foreach (var child in a)
                all.AddRange(Places(child));
        return all;
    }

    private string Render(JsonNode root, List<JsonNode?> places)
    {
        var node = places[Below(places.Count)];
        const string mark = "\u0001mark\u0001";
        var marked = JsonSerializer.Serialize(mark);
        if (node?.Parent is null)
            return Below(2) == 0 ? Value() : Deep(root.ToJsonString());
        var whole = node.ToJsonString();
        var choice = Below(6);
        if (node.Parent is JsonObject parent && choice < 3)
        {
            var name = node.GetPropertyName();
            if (choice == 0)
                parent.Remove(name);
            else
            {
                parent[name] = mark;
                var field = JsonSerializer.Serialize(name) + ":";
                // doubled, or renamed
                var other = JsonSerializer.Serialize(choice == 1 ? name : name + (char)('a' + Below(26))) + ":";
                return root.ToJsonString()
                    .Replace(
                        field + marked,
                        choice == 1 ? $"{field}{whole},{other}{Value()}" : other + whole,
                        StringComparison.Ordinal
                    );
            }
            return root.ToJsonString();
        }
        node.ReplaceWith(mark);
        return root.ToJsonString().Replace(marked, choice == 3 ? Deep(whole) : Value(), StringComparison.Ordinal);
    }

    private string Value() =>
        Below(2) == 0 ? Numbers[Below(Numbers.Length)]
        : Below(8) == 0 ? "\"" + new string('x', 1 << Below(16)) + "\""
        : Values[Below(Values.Length)];

    [GeneratedRegex(@"(\W)")]
    private static partial Regex Word();

    private string Deep(string inner)
    {
        var depth = 1 << Below(10);
        return new string('[', depth) + inner + new string(']', depth);
    }
}
