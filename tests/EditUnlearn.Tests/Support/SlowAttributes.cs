namespace EditUnlearn.Tests.Support;

/// <summary>A fact that takes minutes: runs only where <c>EU_SLOW=1</c> asks for it.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class SlowFactAttribute : FactAttribute
{
    /// <param name="why">What takes so long.</param>
    public SlowFactAttribute(string why) => Skip = Environment.GetEnvironmentVariable("EU_SLOW") == "1" ? null : $"slow: {why} (set EU_SLOW=1)";
}
