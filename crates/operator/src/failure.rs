//! What a failed request to the API server means for the one who made it.

use std::time::Duration;

use epiphyte_api::Reason;
use epiphyte_daemon::chain;

use crate::queue::Backoff;

/// What the API server says of whatever is created in a namespace that goes away.
pub(crate) const TERMINATING: &str = "because it is being terminated";

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The object is gone.
    #[error("the object is gone")]
    Gone,
    /// Somebody else wrote first.
    #[error("somebody else wrote first: {0}")]
    Conflict(String),
    /// The API server, a quota or another webhook said no.
    #[error("{0}")]
    Rejected(String),
    /// We are not allowed to.
    #[error("{0}")]
    Forbidden(String),
    /// The API server is busy, away or broken.
    #[error("{0}")]
    Unavailable(String),
}

impl Failure {
    /// A word for metrics and logs.
    pub(crate) const fn category(&self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Conflict(_) => "conflict",
            Self::Rejected(_) => "rejected",
            Self::Forbidden(_) => "forbidden",
            Self::Unavailable(_) => "unavailable",
        }
    }

    /// The reason that people are told.
    pub(crate) const fn reason(&self) -> Reason {
        match self {
            Self::Rejected(_) => Reason::UpdateRejected,
            Self::Forbidden(_) => Reason::UpdateForbidden,
            Self::Gone | Self::Conflict(_) | Self::Unavailable(_) => Reason::UpdateFailed,
        }
    }

    /// How long to wait before another try. What was refused will hardly be granted a moment later; who lost a race against
    /// somebody who writes all the time only wins by trying often.
    pub(crate) const fn backoff(&self) -> Backoff {
        let (first, longest) = match self {
            Self::Gone | Self::Conflict(_) => (20, 500),
            Self::Unavailable(_) => (500, 15_000),
            Self::Rejected(_) | Self::Forbidden(_) => (2_000, 60_000),
        };
        Backoff { first: Duration::from_millis(first), longest: Duration::from_millis(longest) }
    }
}

impl From<kube::Error> for Failure {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => match status.code {
                404 => Self::Gone,
                403 if status.message.contains(TERMINATING) => Self::Gone,
                409 => Self::Conflict(status.message.clone()),
                // Quotas and other webhooks answer 403 too, but not for want of a right.
                403 if is_want_of_a_right(&status.message) => Self::Forbidden(status.message.clone()),
                400 | 403 | 406 | 413 | 415 | 422 => Self::Rejected(status.message.clone()),
                _ => Self::Unavailable(status.message.clone()),
            },
            other => Self::Unavailable(chain(&other)),
        }
    }
}

/// Whether a message is how the API server says that somebody may not do something: `User "u" cannot patch resource "r"`.
pub fn is_want_of_a_right(message: &str) -> bool {
    message
        .split_once("\" cannot ")
        .is_some_and(|(user, verb)| user.contains("User \"") && verb.contains("resource \""))
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn refused(message: &str) -> Reason {
        let status = Status { code: 403, message: message.to_owned(), ..Status::default() };
        Failure::from(kube::Error::Api(status.boxed())).reason()
    }

    #[test]
    fn a_refusal_for_want_of_a_right_is_told_from_any_other() {
        let right = r#"deployments.apps "cart" is forbidden: User "system:serviceaccount:a:b" cannot patch resource "deployments" in API group "apps" in the namespace "shop""#;
        assert_eq!(refused(right), Reason::UpdateForbidden);
        for other in [
            r#"deployments.apps "cart" is forbidden: exceeded quota: compute, requested: limits.cpu=1, used: 2, limited: 2"#,
            r#"admission webhook "freeze.example.com" denied the request: you cannot change this before Monday"#,
        ] {
            assert_eq!(refused(other), Reason::UpdateRejected, "{other}");
        }
    }
}
