namespace EditUnlearn.Reports;

/// <summary>What the models of a study are; everything that is printed says so.</summary>
public enum ModelKind
{
    /// <summary>Published checkpoints, or the user's own.</summary>
    Real,

    /// <summary>Miniatures that the pipeline pretrained itself.</summary>
    Miniature,

    /// <summary>Random weights in the place of real ones: a rehearsal.</summary>
    StandIn,
}
