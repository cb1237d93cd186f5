using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Fuzzing;

/// <summary>How a file is damaged: as what it is, so that the damage gets past the first look.</summary>
public enum FuzzedForm
{
    /// <summary>Bytes without a form that is known here.</summary>
    Bytes,

    /// <summary>One JSON value.</summary>
    Json,

    /// <summary>JSON Lines.</summary>
    JsonLines,

    /// <summary>Length, JSON, values.</summary>
    Safetensors,

    /// <summary>Lines of text: YAML, CSV, templates, lists.</summary>
    Text,
}

/// <summary>A whole file that damage begins with.</summary>
/// <param name="Name">In the folder that is read.</param>
/// <param name="Form">How it is damaged.</param>
/// <param name="Content">Its bytes.</param>
public sealed record FuzzedFile(string Name, FuzzedForm Form, byte[] Content)
{
    /// <summary>Another content in the same place.</summary>
    public FuzzedFile With(byte[] content) => this with { Content = content };

    /// <summary>A damaged copy.</summary>
    public byte[] Damaged(Mutator mutator)
    {
        ArgumentNullException.ThrowIfNull(mutator);
        return Form switch
        {
            FuzzedForm.Json => mutator.Json(Content),
            FuzzedForm.JsonLines => mutator.JsonLines(Content),
            FuzzedForm.Safetensors => mutator.Safetensors(Content),
            FuzzedForm.Text => mutator.Text(Content),
            _ => mutator.Bytes(Content),
        };
    }
}

/// <summary>A reader of what strangers bring.</summary>
/// <param name="Name">As tests show it.</param>
/// <param name="Files">What it reads, whole; one of those with a form of their own is damaged at a time.</param>
/// <param name="Read">
/// Reads the folder; returns, or throws an <c>InputException</c> or <c>DamagedFileException</c>, and nothing else.
/// </param>
/// <param name="Weight">Share of the inputs, against 1 of an ordinary reader; slow readers have less.</param>
public sealed record FuzzTarget(
    string Name,
    IReadOnlyList<FuzzedFile> Files,
    Action<TemporaryFolder> Read,
    double Weight = 1
);
