//! What a replica is there for.

/// What a replica is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To do what the facts say.
    Operate,
    /// To take everything off, whatever the facts say; a kind that is not served any more has no objects.
    Uninstall,
}
