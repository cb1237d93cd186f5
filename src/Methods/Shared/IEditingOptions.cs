namespace EditUnlearn.Methods.Shared;

/// <summary>What must be known of any editing method's options before its inputs can be gathered: a new method is one file and one line, no stage names it.</summary>
public interface IEditingOptions
{
    /// <summary>Edited blocks, 0-based, in ascending order.</summary>
    IReadOnlyList<int> Layers { get; }

    /// <summary>Whether the target ends with EOS; without it the model has no reason to stop (defect S10).</summary>
    bool AppendEos { get; }

    /// <summary>How context prefixes are written.</summary>
    ContextRecipe ContextRecipe { get; }

    /// <summary>How many of them are used besides the empty one; 0 for none.</summary>
    int Contexts { get; }
}
