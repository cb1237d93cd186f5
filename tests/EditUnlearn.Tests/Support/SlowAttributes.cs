namespace EditUnlearn.Tests.Support;

/// <summary>Whether tests may take minutes: <c>EU_SLOW=1</c>.</summary>
internal static class Slow
{
    /// <summary>Whether somebody asks for it.</summary>
    public static bool IsAsked { get; } = Environment.GetEnvironmentVariable("EU_SLOW") == "1";
}

/// <summary>A fact that takes minutes: runs only where <c>EU_SLOW=1</c> asks for it.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class SlowFactAttribute : FactAttribute
{
    /// <param name="why">What takes so long.</param>
    /// <param name="shared">Original data it needs, below the shared folder; null for none.</param>
    public SlowFactAttribute(string why, string? shared = null) =>
        Skip =
            !Slow.IsAsked ? $"slow: {why} (set EU_SLOW=1)"
            : shared is null ? null
            : Missing.Reason(Path.Combine(Checkout.Shared, shared), "EU_SHARED");
}
