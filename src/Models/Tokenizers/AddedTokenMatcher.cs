using System.Buffers;
using System.Text;
using EditUnlearn.Models.Tokenizers.Patterns;

namespace EditUnlearn.Models.Tokenizers;

/// <summary>Cuts a text at added tokens: from the left, the longest at each place.</summary>
/// <remarks>
/// As the <c>tokenizers</c> library does it, a special token that is to be text still takes its place: no other token
/// is looked for inside its name.
/// </remarks>
internal sealed class AddedTokenMatcher
{
    private readonly Node _root = new();
    private readonly SearchValues<char> _first;

    /// <param name="tokens">With the text that is looked for, none empty; of equal ones the first counts.</param>
    public AddedTokenMatcher(IEnumerable<(string Text, AddedToken Token)> tokens)
    {
        foreach (var (text, token) in tokens)
        {
            var node = _root;
            foreach (var c in text)
            {
                if (!node.Next.TryGetValue(c, out var next))
                    node.Next.Add(c, next = new Node());
                node = next;
            }
            node.Token ??= token;
        }
        _first = SearchValues.Create([.. _root.Next.Keys]);
    }

    /// <summary>The stretches of a text: tokens, and what lies between with null.</summary>
    /// <param name="text">Well-formed.</param>
    /// <param name="special">Whether special tokens count; else they are text.</param>
    public IEnumerable<(int Start, int Length, AddedToken? Token)> Split(string text, bool special)
    {
        var open = 0;
        for (var at = 0; at < text.Length;)
        {
            var step = text.AsSpan(at).IndexOfAny(_first);
            if (step < 0)
                break;
            at += step;
            if (Longest(text, at) is not var (length, token))
            {
                at++;
                continue;
            }
            var (start, end) = (at, at + length);
            at = end;
            if ((token.Special && !special) || (token.WordOnly && !StandsAlone(text, start, end)))
                continue;
            // White space that an earlier token took along is its own.
            while (token.StripsLeft && start > open && IsSpace(text[start - 1]))
                start--;
            if (token.StripsLeft && start < open)
                start = Math.Min(open, end);
            while (token.StripsRight && end < text.Length && IsSpace(text[end]))
                end++;
            if (start > open)
                yield return (open, start - open, null);
            yield return (start, end - start, token);
            open = end;
        }
        if (open < text.Length)
            yield return (open, text.Length - open, null);
    }

    private (int Length, AddedToken Token)? Longest(string text, int at)
    {
        (int, AddedToken)? longest = null;
        var node = _root;
        for (var i = at; i < text.Length && node.Next.TryGetValue(text[i], out var next); i++)
        {
            node = next;
            if (node.Token is { } token)
                longest = (i + 1 - at, token);
        }
        return longest;
    }

    private static bool StandsAlone(string text, int start, int end) =>
        !(
            start > 0
            && Rune.DecodeLastFromUtf16(text.AsSpan(0, start), out var before, out _) == OperationStatus.Done
            && CharClasses.BorderWord.Holds(before.Value)
        )
        && !(
            end < text.Length
            && Rune.DecodeFromUtf16(text.AsSpan(end), out var after, out _) == OperationStatus.Done
            && CharClasses.BorderWord.Holds(after.Value)
        );

    private static bool IsSpace(char c) => CharClasses.Space.Holds(c);

    private sealed class Node
    {
        public Dictionary<char, Node> Next { get; } = [];

        public AddedToken? Token { get; set; }
    }
}
