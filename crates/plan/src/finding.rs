//! One step of a trace.

use std::fmt;

use epiphyte_api::Reason;
use serde::Serialize;

/// A reason, and the thing that it is about where the reason alone does not say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The reason.
    pub reason: Reason,
    /// The object or value meant: a name, a language, a value that was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
}

impl Finding {
    /// A finding about a named thing.
    pub fn about(reason: Reason, about: impl Into<String>) -> Self {
        Self { reason, about: Some(about.into()) }
    }
}

impl From<Reason> for Finding {
    fn from(reason: Reason) -> Self {
        Self { reason, about: None }
    }
}

impl fmt::Display for Finding {
    /// The sentence, and in brackets what it is about.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason.sentence())?;
        match &self.about {
            Some(about) => write!(f, " ({about})"),
            None => Ok(()),
        }
    }
}
