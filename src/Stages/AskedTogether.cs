using EditUnlearn.Pipeline;

namespace EditUnlearn.Stages;

/// <summary>How many questions the study asks side by side; no answer and no score depends on it.</summary>
internal static class AskedTogether
{
    private const int Usual = 64;

    /// <summary>What is done when memory runs out, as <see cref="StageInfo.OnOutOfMemory"/> says it.</summary>
    public const string Fallback = "asked 32 questions side by side instead of 64, which changes no number";

    /// <summary>Questions of one batch.</summary>
    public static int Rows(StageIo io) => io.FellBack ? Usual / 2 : Usual;
}
