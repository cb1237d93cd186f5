namespace EditUnlearn.Tests.Support;

/// <summary>A fact that takes minutes: runs only where <c>EU_SLOW=1</c> asks for it.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class SlowFactAttribute : FactAttribute
{
    /// <param name="why">What takes so long.</param>
    /// <param name="shared">Original data it needs, below the shared folder; null for none.</param>
    public SlowFactAttribute(string why, string? shared = null) =>
        Skip =
            Environment.GetEnvironmentVariable("EU_SLOW") != "1" ? $"slow: {why} (set EU_SLOW=1)"
            : shared is null ? null
            : Missing.Reason(Path.Combine(Checkout.Shared, shared), "EU_SHARED");
}
