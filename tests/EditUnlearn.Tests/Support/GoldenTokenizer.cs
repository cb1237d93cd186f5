using System.Security.Cryptography;
using System.Text.Json;

namespace EditUnlearn.Tests.Support;

/// <summary>Finds the tokenizer that the head of a golden file speaks of.</summary>
public static class GoldenTokenizer
{
    /// <summary>
    /// Its path: among the original data, or in a folder laid out like it beside or below the golden folder. Of several
    /// the one whose sum is right; null where there is none at all.
    /// </summary>
    public static string? Find(JsonElement head)
    {
        if (!head.TryGetProperty("tokenizer", out var path))
            return null;
        string[] places = [Checkout.Shared, Path.Combine(Checkout.Goldens, ".."), Checkout.Goldens];
        var found = places.Select(p => Path.GetFullPath(path.GetString()!, p)).Where(File.Exists).Distinct().ToList();
        return found.Count > 1 ? found.FirstOrDefault(f => Is(head, f)) ?? found[0] : found.FirstOrDefault();
    }

    /// <summary>Whether a file has the sum that the head gives.</summary>
    public static bool Is(JsonElement head, string file) =>
        Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(file)))
        == head.GetProperty("tokenizer_sha256").GetString();
}
